#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Deploys the gateway of compose.yaml with a docker daemon of its own, scales it and breaks it under load.

Each step is a function; `--only` runs those that are named (and what they need), `--list` lists them. Results go to
docs/compose-test.md when all were run. Needs root; leaves nothing behind.
"""

import argparse
import filecmp
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from daemon import REPOSITORY, Daemon, Failure, build_images, wait
from deployment import SERVICES, Deployment, convert
from stamped import StampedLoad

RESULTS = REPOSITORY / "docs/compose-test.md"
KILLS = 3
# Steps that cannot pass yet, and why.
NOT_SUPPORTED = {"scale_cache": "a second cache manager needs slots of the state directory that it can adopt"}
# Where a service can be cut off from the others.
NETWORKS = {"s3": "storage", "prometheus": "monitoring"}
# These are not in the way of reads and writes, so an initiator must not notice at all.
BESIDE_THE_DATA = {"snapshotter", "exporter", "prometheus"}


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


def check_prometheus(gateway, exporters):
    wait(
        "every target is up", 60,
        lambda: gateway.value('count(up{job="sluice"} == 1)') == exporters and not gateway.query("up == 0"),
    )  # fmt: skip
    for service in SERVICES[:5]:
        wait(f"{service} is seen", 45, lambda s=service: gateway.query(f'sluice_service_up{{service="{s}"}} == 1'))
    wait("no alert fires", 240, lambda: not gateway.query('ALERTS{alertstate="firing",severity="critical"}'), step=2)


def step_scale_uploader(gateway):
    """`--scale uploader=3` and back under load"""
    with StampedLoad(gateway.url("stamped")) as load:
        gateway.up(uploader=3)
        wait("three uploaders work", 60, lambda: gateway.value("max(sluice_cache_uploaders)") == 3)
        time.sleep(5)
        gateway.up(uploader=1)
        wait("one uploader works", 60, lambda: gateway.value("max(sluice_cache_uploaders)") == 1)
    return load.report()


def step_scale_iscsi(gateway):
    """`--scale iscsi=2`: what one portal writes the other reads, and a killed one comes back with its port"""
    gateway.up(iscsi=2)
    gateway.wait_for_target("stamped")
    first, second = gateway.portal(0), gateway.portal(1)
    if first == second:
        raise Failure(f"both portals are at {first}")
    with StampedLoad(gateway.url("stamped", 0)) as load:
        time.sleep(5)
        gateway.kill(gateway.containers("iscsi")[0])
        wait("the portal has its port again", 30, lambda: gateway.portal(0) == first)
        time.sleep(5)
    load.url = gateway.url("stamped", 1)
    text = load.report()
    gateway.up(iscsi=1)
    gateway.wait_for_target("stamped")
    return f"{first} and {second}; {text}"


def step_scale_exporter(gateway):
    """`--scale exporter=2`: both are scraped, nothing is doubled, and one can be stopped"""
    gateway.up(exporter=2)
    check_prometheus(gateway, exporters=2)
    volumes = gateway.value('count(max without (instance) (sluice_volume_status{status="available"} == 1))')
    gateway.up(exporter=1)
    wait("one target is left", 60, lambda: gateway.value('count(up{job="sluice"})') == 1)
    return f"{volumes:.0f} volumes, seen by both"


def step_scale_cache(gateway):
    """`--scale cache=2` and back under load: volumes spread, and are handed over"""
    gateway.up(cache=2)
    for number in range(4):
        gateway.create_volume(f"spread-{number}")
    holders = gateway.query("count by (process) (sluice_volume_status == 1)")
    if len(holders) != 2:
        raise Failure(f"{len(holders)} cache managers hold volumes")
    gateway.sluice("snapshot", "create", *(f"spread-{number}" for number in range(4)))
    with StampedLoad(gateway.url("stamped")) as load:
        gateway.up(cache=1)
        for number in range(4):
            gateway.wait_for_target(f"spread-{number}")
    return load.report()


def step_kill(gateway, service):
    """SIGKILL under load"""
    starts = []
    with StampedLoad(gateway.url("stamped")) as load:
        for _ in range(KILLS):
            time.sleep(2)
            for name in gateway.containers(service):
                starts.append(gateway.kill(name))
            gateway.wait_healthy(service)
        time.sleep(2)
    check_longest(load, service)
    return f"{len(starts)} kills, started again in {max(starts):.1f} s; {load.report()}"


def step_hang(gateway, service, seconds=8):
    """`docker pause` for 8 s under load"""
    with StampedLoad(gateway.url("stamped")) as load:
        time.sleep(2)
        gateway.hang(gateway.containers(service)[0], seconds)
        gateway.wait_healthy(service)
        time.sleep(3)
    check_longest(load, service)
    return load.report()


def step_partition(gateway, service, seconds=8):
    """`docker network disconnect` for 8 s under load"""
    with StampedLoad(gateway.url("stamped")) as load:
        time.sleep(2)
        name = gateway.containers(service)[0]
        gateway.cut_off(name, service, NETWORKS.get(service, "bus"), seconds)
        gateway.wait_healthy(service)
        time.sleep(3)
    check_longest(load, service)
    return load.report()


def check_longest(load, service):
    longest = max(thread.longest for thread in load.threads)
    if service in BESIDE_THE_DATA and longest > 5:
        raise Failure(f"{service} is not in the way of the data, but a request took {longest:.1f} s")


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
    whole += [step_scale_cache]
    result = [(function.__name__[5:], function.__doc__, function) for function in whole]
    for function in (step_kill, step_hang, step_partition):
        for service in SERVICES:
            name = f"{function.__name__[5:]}_{service}"
            result.append((name, f"{service}: {function.__doc__}", lambda g, f=function, s=service: f(g, s)))
    return result + [(f.__name__[5:], f.__doc__, f) for f in (step_after_all, step_down)]


def perform(gateway, wanted):
    rows = []
    for name, description, function in steps():
        if name not in wanted:
            continue
        begin = time.monotonic()
        if name in NOT_SUPPORTED:
            verdict, detail = "not yet", NOT_SUPPORTED[name]
        else:
            try:
                verdict, detail = "passed", function(gateway)
            except (Failure, OSError, ValueError, KeyError, IndexError, subprocess.TimeoutExpired) as error:
                verdict, detail = "FAILED", str(error)
                if not isinstance(error, Failure):
                    traceback.print_exc()
                sys.stderr.write(gateway.logs(40))
        seconds = time.monotonic() - begin
        print(f"{verdict}: {name} ({seconds:.0f} s): {detail}", flush=True)
        rows.append((name, description, verdict, detail, seconds))
        if name == "up" and verdict == "FAILED":
            break
    return rows


def write_results(rows):
    lines = [
        "# The compose deployment under test", "",
        "What `make compose-test` wrote when it last ran as a whole. The load writes stamped blocks of 4 KiB over",
        "iSCSI through a published port; after each step every block must hold what was acknowledged, and the",
        "initiator must not have seen an error.", "",
        "| step | what | verdict | figures |", "| --- | --- | --- | --- |",
    ]  # fmt: skip
    for name, description, verdict, detail, _ in rows:
        text = " ".join(detail.split())[:300].replace("|", "\\|")
        lines.append(f"| `{name}` | {description} | {verdict} | {text} |")
    RESULTS.write_text("\n".join(lines) + "\n")


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
        rows = perform(gateway, wanted)
    if not only:
        write_results(rows)
    failed = [name for name, _, verdict, _, _ in rows if verdict == "FAILED"]
    print(f"{len(rows) - len(failed)} of {len(rows)} steps did not fail" + (f"; failed: {failed}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
