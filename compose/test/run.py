#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Deploys the gateway of compose.yaml with a docker daemon of its own, scales it and breaks it under load.

Each step is a function; `--only` runs those that are named (and what they need), `--list` lists them. Results go to
docs/compose-test.md. Needs root; leaves nothing behind.
"""

import argparse
import filecmp
import os
import pathlib
import platform
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from breaking import step_hang, step_kill, step_partition
from checks import check_prometheus
from daemon import REPOSITORY, Daemon, Failure, build_images, docker, run, swift_libraries
from deployment import SERVICES, Deployment, convert
from scaling import step_lose_cache, step_scale_cache, step_scale_exporter, step_scale_iscsi, step_scale_uploader
from starved import (
    step_disk_cache, step_disk_journal, step_disk_state, step_memory, step_slow_iscsi, step_slow_uploader,
)  # fmt: skip

RESULTS = REPOSITORY / "docs/compose-test.md"


def step_up(gateway):
    """Everything starts and becomes healthy"""
    seconds = gateway.up()
    gateway.create_volume("stamped")
    return f"healthy after {seconds:.0f} s"


def step_image(gateway):
    """A disk image goes in and comes out equal, also after the cache manager has started again"""
    with tempfile.TemporaryDirectory(prefix="sluice-image-") as directory:
        source, copy = (os.path.join(directory, name) for name in ("source.img", "copy.img"))
        data = random.Random(4)
        with open(source, "wb") as image:
            image.truncate(1 << 30)
            for offset in range(0, 256 << 20, 8 << 20):
                image.seek(offset)
                image.write(data.randbytes(data.randrange(1, 4 << 20)))
        gateway.create_volume("image")
        begin = time.monotonic()
        convert(source, gateway.url("image"), "-n")
        gateway.sluice("volume", "sync", "image")
        figures = f"{os.stat(source).st_blocks >> 11} MiB in the bucket after {time.monotonic() - begin:.1f} s"
        convert(gateway.url("image"), copy)
        if not filecmp.cmp(source, copy, shallow=False):
            raise Failure("the image came out different")
        gateway.compose("restart", "cache")
        gateway.wait_healthy("cache")
        gateway.wait_for_target("image")
        convert(gateway.url("image"), copy)
        if not filecmp.cmp(source, copy, shallow=False):
            raise Failure("the image came out different after the restart")
    return figures


def step_prometheus(gateway):
    """Prometheus's targets are up, every service is seen, no alert fires"""
    check_prometheus(gateway, exporters=1)
    seconds = gateway.value('scrape_duration_seconds{job="sluice"}')
    return f"{seconds * 1000:.0f} ms a scrape"


def step_after_all(gateway):
    """After all of that Prometheus's targets are up, every service is seen, and the image is what it was"""
    check_prometheus(gateway, exporters=1)
    gateway.sluice("volume", "sync", "stamped")
    return gateway.sluice("status").split("\n")[1]


def step_down(gateway):
    """`down -v` leaves nothing"""
    begin = time.monotonic()
    gateway.down()
    if left := gateway.leftovers():
        raise Failure(f"left: {left}")
    return f"{time.monotonic() - begin:.0f} s"


def steps():
    """Name, description, function, in the order in which they run."""
    whole = [step_up, step_image, step_prometheus, step_scale_uploader, step_scale_iscsi, step_scale_exporter]
    whole += [step_scale_cache, step_lose_cache]
    result = [(function.__name__[5:], function.__doc__, function) for function in whole]
    for function in (step_kill, step_hang, step_partition, step_memory):
        for service in SERVICES:
            name = f"{function.__name__[5:]}_{service}"
            result.append((name, f"{service}: {function.__doc__}", lambda g, f=function, s=service: f(g, s)))
    rest = [step_slow_uploader, step_slow_iscsi, step_disk_journal, step_disk_cache, step_disk_state]
    rest += [step_after_all, step_down]
    return result + [(function.__name__[5:], function.__doc__, function) for function in rest]


def perform(gateway, wanted, binaries):
    """Each step's result is written at once: a run that is ended has those that it had."""
    rows = []
    for name, description, function in steps():
        if name not in wanted:
            continue
        begin = time.monotonic()
        try:
            verdict, detail = "passed", function(gateway)
        except (Failure, OSError, ValueError, KeyError, IndexError, StopIteration, subprocess.TimeoutExpired) as error:
            verdict, detail = "FAILED", str(error)
            if not isinstance(error, Failure):
                traceback.print_exc()
            sys.stderr.write(gateway.logs(10))
        seconds = time.monotonic() - begin
        print(f"{verdict}: {name} ({seconds:.0f} s): {detail}", flush=True)
        rows.append((name, description, verdict, detail, seconds))
        write_results(rows[-1:], binaries)
        if name == "up" and verdict == "FAILED":
            break
    return rows


def write_results(rows, binaries):
    """Replaces the rows of the steps that were run, and keeps the others."""
    lines = {}
    if RESULTS.exists():
        lines = {found[1]: found[0] for found in re.finditer(r"^\| `(\w+)` .*$", RESULTS.read_text(), re.MULTILINE)}
    for name, description, verdict, detail, seconds in rows:
        text = " ".join(detail.replace(f"{REPOSITORY}/", "").split())[:300].replace("|", "\\|")
        lines[name] = f"| `{name}` | {description} | {verdict} | {seconds:.0f} s | {text} |"
    lines = [lines[name] for name, _, _ in steps() if name in lines]
    passed = sum("| passed |" in line for line in lines)
    version = run(binaries / "sluice", "--version").strip()
    kind = "debug build" if swift_libraries(binaries / "sluice") else "static release build"
    engine = docker("version", "--format", "{{.Server.Version}}").strip()
    header = [
        "# The compose deployment under test", "",
        "Written by `make compose-test`; `ONLY=step,step` replaces the rows of those steps. The load writes stamped",
        "blocks of 4 KiB over iSCSI through a published port; after each step every block must hold what was",
        "acknowledged, and the initiator must not have seen an error. Faults last",
        "until Prometheus has the metric that tells of it and `sluice doctor` names what is wrong; the figures say",
        "when that was, and how long the slowest request took. Afterwards doctor has nothing to say.",
        "[OPERATIONS.md](OPERATIONS.md#when-something-breaks) has the same as a table of what users see.", "",
        f"Last run: {time.strftime('%Y-%m-%d', time.gmtime())}, {kind} of version {version}, Linux "
        f"{platform.release()}, {os.cpu_count()} processors, docker {engine}. {passed} of {len(lines)} steps "
        "passed.", "",
        "| step | what | verdict | took | figures |", "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    RESULTS.write_text("\n".join(header + lines) + "\n")


def main():
    names = [name for name, _, _ in steps()]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", type=pathlib.Path, help="directory of a static release build")
    parser.add_argument("--only", metavar="STEP,STEP", help="these steps, with up and down")
    parser.add_argument("--list", action="store_true", help="list the steps")
    arguments = parser.parse_args()
    only = arguments.only.split(",") if arguments.only else []
    if unknown := set(only) - set(names):
        parser.error(f"there is no step {', '.join(sorted(unknown))}; --list lists them")
    if arguments.list:
        print("\n".join(f"{name:24} {description}" for name, description, _ in steps()))
        return 0
    if arguments.binaries is None:
        parser.error("--binaries is needed")
    if os.geteuid() != 0:
        sys.exit("a docker daemon of its own needs root")
    # Cleans up as at any other end.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    binaries = arguments.binaries.resolve()
    wanted = set(only or names) | {"up", "down"}
    with Daemon() as daemon:
        build_images(binaries)
        gateway = Deployment(daemon.directory)
        rows = perform(gateway, wanted, binaries)
    failed = [name for name, _, verdict, _, _ in rows if verdict == "FAILED"]
    print(f"{len(rows) - len(failed)} of {len(rows)} steps did not fail" + (f"; failed: {failed}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
