#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a server for as long as whoever started this keeps the other end of standard input open, so that nothing
survives a test process, however it ended. Then all that the server has started is killed, and its directory removed.

Usage: guard.py DIRECTORY PROGRAM [ARGUMENT...]; writes DIRECTORY/server.log and DIRECTORY/server.pid, which is the
process group too.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# Loaded before any fork: a child may not load anything.
LIBC = ctypes.CDLL(None, use_errno=True)


class End(Exception):
    pass


def end(*_):
    raise End


def die_with_guard():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def reap():
    """Takes leave of those that have ended. False once there are no children at all."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def children():
    """Orphans of the server are ours, since this process is their reaper, whatever session they have made."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, ValueError):
                continue  # It has just ended.
            if parent == os.getpid():
                yield int(name)


def kill_all():
    """The server's data are for one test: there is nothing to be stopped in good order. Each round makes the children
    of those killed ours, until none is left."""
    while reap():
        for child in children():
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)


def main():
    directory, command = sys.argv[1], sys.argv[2:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        with open(f"{directory}/server.log", "wb") as log:
            server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=die_with_guard,
            )
        with open(f"{directory}/server.pid.new", "w", encoding="ascii") as file:
            file.write(str(server.pid))
        os.rename(f"{directory}/server.pid.new", f"{directory}/server.pid")
        while True:
            # Nothing is ever written: it becomes readable when the other end is gone.
            if select.select([0], [], [], 0.1)[0] and not os.read(0, 1):
                raise End
            reap()
    except End:
        pass
    finally:
        kill_all()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
