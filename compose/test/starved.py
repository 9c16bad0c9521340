# SPDX-License-Identifier: Apache-2.0
"""Services without memory, disk or network enough while a load runs."""

import contextlib
import filecmp
import os
import random
import subprocess
import tempfile
import time

from breaking import Signs, during, signs_of
from checks import check_doctor, wait_until_well
from daemon import Failure, docker, run, wait
from deployment import convert
from stamped import StampedLoad

# Too little to start with, or for the load. 6 MiB is the least that docker sets.
MEMORY = {
    "iscsi": "6m", "cache": "400m", "uploader": "16m", "snapshotter": "6m", "exporter": "6m", "s3": "30m",
    "prometheus": "20m",
}  # fmt: skip
# It gets along with that.
MODEST = "exporter"
# The stamps are compressed to a fraction before they are uploaded.
SLOW_UPLOAD, SLOW_BUS = "128kbit", "1mbit"


@contextlib.contextmanager
def little_memory(name, limit):
    """As if it had been deployed with that limit, which cannot be set below what is in use already."""

    def restart(limit):
        docker("stop", name, timeout=200)
        docker("update", "--memory", limit, "--memory-swap", limit, name)
        docker("start", name, check=False)

    restart(limit)
    try:
        yield
    finally:
        restart("8g")


@contextlib.contextmanager
def large_writes(gateway, fault):
    """64 MiB at a time while the fault lasts: a frontend has to have room for it."""
    command = ["qemu-img", "bench", "-w", "-f", "raw", "-t", "none", "-s", "1M", "-d", "64", "-c", "1000000"]
    with fault:
        gateway.wait_for_target("bulk")
        process = subprocess.Popen(
            [*command, gateway.url("bulk")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()


def step_memory(gateway, service):
    """Started again with too little memory under load, until metric and doctor show it"""
    signs = signs_of(service)
    if service == MODEST:
        started = f'sluice_service_start_time_seconds{{service="{service}"}} > {time.time()}'
        signs = Signs(started, {0}, "Nothing is wrong")
    fault = little_memory(gateway.containers(service)[0], MEMORY[service])
    if service == "iscsi":
        gateway.create_volume("bulk")
        fault = large_writes(gateway, fault)
    return during(gateway, service, fault, signs)


@contextlib.contextmanager
def slow_network(gateway, name, network, rate):
    """What the container sends there is limited."""
    inside = ["nsenter", "--target", gateway.process(name), "--net"]
    address = gateway.address(name, network)
    lines = run(*inside, "ip", "-oneline", "-4", "address").split("\n")
    interface = next(line.split()[1] for line in lines if f" {address}/" in line)
    run(*inside, "tc", "qdisc", "add", "dev", interface, "root", "tbf", "rate", rate, "burst", "32kb", "latency", "1s")
    try:
        yield
    finally:
        run(*inside, "tc", "qdisc", "del", "dev", interface, "root")


def step_slow_uploader(gateway):
    """uploader: 128 kbit/s to the bucket under load"""
    age = "max(sluice_oldest_dirty_age_seconds)"
    signs = Signs(f"{age} > 20", {0, 75}, "volume stamped: ", 120)
    fault = slow_network(gateway, gateway.containers("uploader")[0], "storage", SLOW_UPLOAD)
    return during(gateway, "uploader", fault, signs)


def step_slow_iscsi(gateway):
    """iscsi: 1 Mbit/s to the cache manager under load"""

    def average(metric):
        rates = [f'sum(rate({metric}_{part}{{operation="write"}}[20s]))' for part in ("sum", "count")]
        return " / ".join(rates)

    frontend, manager = average("sluice_iscsi_command_seconds"), average("sluice_volume_request_seconds")
    signs = Signs(f"({frontend} > 0.05) and ({frontend} > 5 * ({manager}))", {0}, "Nothing is wrong", 30)
    fault = slow_network(gateway, gateway.containers("iscsi")[0], "bus", SLOW_BUS)
    return during(gateway, "iscsi", fault, signs)


def step_disk_journal(gateway):
    """cache: no room on the journal's disk, and no uploader for some time: writes are held, and go on with it"""
    gateway.create_volume("narrow")
    held = 'sum(sluice_volume_held_writes_total{name="narrow"}) or vector(0)'
    before = gateway.value(held)
    with StampedLoad(gateway.url("narrow")) as load:
        gateway.disks.fill("journal")
        try:
            check_doctor(gateway, {0}, "warning journal.directories: 0 B are free")
            begin = time.monotonic()
            with gateway.hung(gateway.containers("uploader")[0]):
                wait("writes are held", 80, lambda: gateway.value(held) > before)
                seconds = time.monotonic() - begin
                check_doctor(gateway, {69}, "PROBLEM volume narrow: serves, but", "warning journal.directories")
            done = requests(load)
            wait("writes go on", 40, lambda: requests(load) > done + 1000)
        finally:
            gateway.disks.free("journal")
    text = load.report()
    wait_until_well(gateway)
    return f"held {seconds:.0f} s after the uploader hung; {text}"


def requests(load):
    return sum(thread.requests for thread in load.threads)


def step_disk_state(gateway):
    """cache: no room on the state's disk: writes go on, nothing is forgotten, and commits end when there is room"""
    stalled = 'sluice_volume_status{name="stamped",status="upload_stalled"} == 1'
    signs = Signs(stalled, {75}, "PROBLEM state.directory")
    with StampedLoad(gateway.url("stamped")) as load:
        time.sleep(2)
        gateway.disks.fill("state")
        try:
            seen = signs.observe(gateway)
        finally:
            gateway.disks.free("state")
        gateway.sluice("volume", "sync", "stamped", "--timeout", "60s")
    text = f"{load.report()}; {seen}"
    wait_until_well(gateway)
    return text


def step_disk_cache(gateway):
    """cache: no room on the read cache's disk while a clone is read for the first time"""
    failed = "max(sluice_cache_failed_writes_total)"
    signs = Signs(f"{failed} > {gateway.value(f'{failed} or vector(0)')}", {0}, "Nothing is wrong")
    with tempfile.TemporaryDirectory(prefix="sluice-image-") as directory:
        source, copy = (os.path.join(directory, name) for name in ("source.img", "copy.img"))
        with open(source, "wb") as image:
            image.write(random.Random(5).randbytes(64 << 20))
            image.truncate(1 << 30)
        gateway.create_volume("original")
        convert(source, gateway.url("original"), "-n")
        gateway.sluice("volume", "sync", "original")
        gateway.sluice("volume", "create", "copy", "--clone-of", "original")
        gateway.wait_for_target("copy")
        with StampedLoad(gateway.url("stamped")) as load:
            gateway.disks.fill("cache")
            try:
                convert(gateway.url("copy"), copy)
                if not filecmp.cmp(source, copy, shallow=False):
                    raise Failure("the clone is not what was written")
                seen = signs.observe(gateway)
            finally:
                gateway.disks.free("cache")
    gateway.compose("restart", "cache")
    gateway.wait_healthy("cache")
    gateway.wait_for_target("stamped")
    text = load.report()
    wait_until_well(gateway)
    return f"{text}; {seen}"
