#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What no initiator should send, class by class, against a target that runs; and a session that must not notice.

Either `--binaries`, for a gateway of its own, or `--url` of a target with at least 1 GiB of blocks of 512 bytes, whose
contents are lost. Exit status 1 if a class does not behave as it has to. Classes that need CHAP get `--chap-url
iscsi://USER%SECRET@HOST:PORT/TARGET/LUN`.
"""
import argparse, collections, concurrent.futures, contextlib, pathlib, resource, sys, threading, time

# They register their cases.
import rows_login, rows_chap, rows_pdu, rows_requests, rows_data, rows_scsi, rows_limits  # noqa: F401
from cases import CASES, carry_out
from process import ProcessWatch
from targets import temporary_gateway
from titles import TITLES
from watchdog import Watchdog
from wire import Address, Connection

# The frontend's memory may grow by so much while all that is sent.
MEMORY_GROWTH = 96 << 20


class Setup:
    """What all cases share."""

    def __init__(self, arguments, gateway=None):
        self.address, self.gateway = Address(arguments.url), gateway
        self.chap = Address(arguments.chap_url) if arguments.chap_url else None
        self.watch = ProcessWatch(arguments.pid) if arguments.pid else None
        self.initiator = "iqn.2026-11.test.sluice:malformed"
        # Connections that are only there to be idle come from another address, so that a limit for each address does
        # not shut out the others.
        local = self.address.host.startswith("127.")
        self.second_source, self.third_source = ("127.0.0.2", "127.0.0.3") if local else (None, None)


    def listens(self):
        """Tried for some seconds, as a supervisor may start it anew."""
        for _ in range(10):
            try:
                Connection(self.address, timeout=2).close()
                return True
            except OSError:
                time.sleep(0.5)
        return False


class Outcomes:
    def __init__(self, verbose):
        self.rows, self.verbose, self.lock = collections.defaultdict(list), verbose, threading.Lock()

    def add(self, one, verdict, text, seconds):
        with self.lock:
            self.rows[one.row].append((one, verdict, text))
            if self.verbose or verdict == "failed":
                print(f"malformed: {one.row}: {one.name}: {verdict}: {text} ({seconds:.1f} s)", flush=True)

    def lines(self):
        for row in sorted(self.rows):
            cases = self.rows[row]
            count = collections.Counter(verdict for _, verdict, _ in cases)
            verdict = "failed" if count["failed"] else "passed" if count["passed"] else "skipped"
            counts = ", ".join(f"{count[word]} {word}" for word in ("passed", "failed", "skipped") if count[word])
            reasons = sorted({text for _, word, text in cases if word == "skipped"})
            why = f" ({'; '.join(reasons)})" if reasons else ""
            yield f"{row:2} {verdict:8} {TITLES[row]}: {counts}{why}"

    @property
    def decided(self):
        """Classes of which a case has passed or failed."""
        return {row for row, cases in self.rows.items() if any(verdict != "skipped" for _, verdict, _ in cases)}

    @property
    def failed(self):
        return sum(verdict == "failed" for cases in self.rows.values() for _, verdict, _ in cases)


class TargetGone(Exception):
    """Nothing listens any more: the cases that follow would only say so again."""


def run_one(one, setup, outcomes, pause):
    begun = time.monotonic()
    with pause() if one.alone else contextlib.nullcontext():
        verdict, text = carry_out(one, setup)
        outcomes.add(one, verdict, text, time.monotonic() - begun)
        if verdict == "failed" and not setup.listens():
            raise TargetGone(f"nothing listens any more after {one.row}: {one.name}")


def run_all(wanted, setup, outcomes, pause):
    """The slow ones in threads of their own, the others one after the other, and last those that run alone."""
    slow = [one for one in wanted if one.slow and not one.alone]
    with concurrent.futures.ThreadPoolExecutor(max(1, len(slow))) as pool:
        pending = [pool.submit(run_one, one, setup, outcomes, pause) for one in slow]
        for one in wanted:
            if not one.slow and not one.alone:
                run_one(one, setup, outcomes, pause)
        for future in pending:
            future.result()
    for one in wanted:
        if one.alone:
            run_one(one, setup, outcomes, pause)


def test(arguments, gateway=None):
    setup = Setup(arguments, gateway)
    wanted = [one for one in CASES if (not arguments.only or one.row in arguments.only)
              and not (arguments.quick and one.slow > 30) and arguments.case in one.name]
    outcomes, begun = Outcomes(arguments.verbose), time.monotonic()
    with Watchdog(Address(arguments.watchdog_url or arguments.url)) as watchdog:
        time.sleep(0.5)
        if setup.watch:
            setup.watch.begin()
        separate = arguments.watchdog_url and Address(arguments.watchdog_url).target != setup.address.target
        gone = None
        try:
            run_all(wanted, setup, outcomes, contextlib.nullcontext if separate else watchdog.pause)
        except TargetGone as error:
            gone = str(error)
    print(*outcomes.lines(), sep="\n")
    complaints = [gone] if gone else []
    complaints += [f"watchdog: {complaint}" for complaint in watchdog.complaints[:10]]
    print(f"watchdog: {watchdog.rounds} rounds, the longest {watchdog.longest:.2f} s, "
          f"{len(watchdog.complaints)} complaints")
    if setup.watch:
        complaints += setup.watch.complaints(MEMORY_GROWTH)
        print(f"process {setup.watch.pid}: {setup.watch}")
    # Of a gateway of our own everything is there that the cases need.
    if gateway and not (arguments.only or arguments.case or arguments.quick):
        missing = sorted(set(TITLES) - outcomes.decided)
        if missing:
            complaints.append(f"not run: classes {', '.join(map(str, missing))}")
    for complaint in complaints:
        print(f"malformed: FAILED: {complaint}")
    print(f"malformed: {len(wanted)} cases, {outcomes.failed} failed, {time.monotonic() - begun:.0f} s")
    return 1 if outcomes.failed or complaints else 0


def own_gateway(arguments):
    """A gateway with a volume for the cases and one for the watchdog."""
    with temporary_gateway("malformed", arguments) as (gateway, arguments.watchdog_url):
        return test(arguments, gateway)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--binaries", type=pathlib.Path, help="directory of the executables")
    where.add_argument("--url", help="iscsi://HOST:PORT/TARGET/LUN, whose contents are lost")
    parser.add_argument("--watchdog-url", help="another volume for the session that must not notice")
    parser.add_argument("--chap-url", help="a target that demands CHAP, with user and secret")
    parser.add_argument("--pid", type=int, help="the process whose memory is watched")
    parser.add_argument("--only", type=int, action="append", metavar="CLASS", help="some of the classes")
    parser.add_argument("--case", default="", metavar="TEXT", help="only cases with this in their name")
    parser.add_argument("--quick", action="store_true", help="leave out what takes a minute and more")
    parser.add_argument("--verbose", action="store_true", help="a line for each case")
    parser.add_argument("--log", type=pathlib.Path, help="where to keep the log of a gateway of its own")
    arguments = parser.parse_args()
    # Storms of connections need descriptors.
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    return own_gateway(arguments) if arguments.binaries else test(arguments)


if __name__ == "__main__":
    sys.exit(main())
