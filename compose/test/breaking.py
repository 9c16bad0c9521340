# SPDX-License-Identifier: Apache-2.0
"""Each service killed, hung and cut off while a load runs: what initiators see, and what metrics and doctor say."""

import time

from checks import busy_answers, check_doctor, wait_until_well
from daemon import Failure, wait
from stamped import StampedLoad

KILLS = 3
# How long a fault lasts at least; then the signs have to be there before commands are answered BUSY.
SECONDS = 8
PATIENCE = 16
# Where a service can be cut off from the others.
NETWORKS = {"s3": "storage", "prometheus": "monitoring"}
# These are not in the way of reads and writes, so an initiator must not notice at all.
BESIDE_THE_DATA = {"snapshotter", "exporter", "prometheus"}
# What Prometheus has while a service is silent; itself it cannot be asked about.
METRICS = {
    "exporter": 'up{job="sluice"} == 0 or absent(up{job="sluice"})',
    "s3": 'sluice_volume_status{status="upload_stalled"} == 1',
    "prometheus": None,
}
# What doctor ends with and says of it. Of those that are not Sluice's it sees what follows.
DOCTOR = {"s3": (75, "PROBLEM volume stamped: serves, but"), "prometheus": (0, "0 problems")}


def metric_of(service):
    return METRICS.get(service, f'max without (instance) (sluice_service_up{{service="{service}"}}) == 0')


def doctor_of(service):
    return DOCTOR.get(service, (69, f"PROBLEM {service}"))


def observe(gateway, service):
    """While the fault lasts: both signs appear. Returns what they were, for the report."""
    begin = time.monotonic()
    said = []
    if expression := metric_of(service):
        wait(f"{expression} has samples", PATIENCE, lambda: gateway.query(expression))
        said.append(f"metric after {time.monotonic() - begin:.0f} s")
    status, words = doctor_of(service)
    wait("doctor says it", PATIENCE, lambda: check_doctor(gateway, status, words))
    said.append(f"doctor {status}")
    time.sleep(max(0, begin + SECONDS - time.monotonic()))
    return ", ".join(said)


def check_longest(load, service):
    longest = max(thread.longest for thread in load.threads)
    if service in BESIDE_THE_DATA and longest > 5:
        raise Failure(f"{service} is not in the way of the data, but a request took {longest:.1f} s")


def step_kill(gateway, service):
    """SIGKILL under load"""
    starts, begin = [], time.time()
    with StampedLoad(gateway.url("stamped")) as load:
        for _ in range(KILLS):
            time.sleep(2)
            for name in gateway.containers(service):
                starts.append(gateway.kill(name))
            gateway.wait_healthy(service)
        time.sleep(2)
    check_longest(load, service)
    if service not in ("s3", "prometheus"):
        started = f'max(sluice_service_start_time_seconds{{service="{service}"}}) > {begin}'
        wait(f"{started} has samples", 30, lambda: gateway.query(started))
    wait_until_well(gateway)
    return f"{len(starts)} kills, started again in {max(starts):.1f} s; {load.report()}"


def during(gateway, service, fault):
    """The load, the fault and its signs in it, and afterwards everything is well again."""
    with StampedLoad(gateway.url("stamped")) as load:
        busy = busy_answers(gateway)
        time.sleep(2)
        with fault:
            signs = observe(gateway, service)
        gateway.wait_healthy(service)
        time.sleep(3)
    check_longest(load, service)
    wait_until_well(gateway)
    return f"{load.report()}, {busy()} BUSY; {signs}"


def step_hang(gateway, service):
    """`docker pause` under load until metric and doctor show it, at least 8 s"""
    return during(gateway, service, gateway.hung(gateway.containers(service)[0]))


def step_partition(gateway, service):
    """`docker network disconnect` under load until metric and doctor show it, at least 8 s"""
    name = gateway.containers(service)[0]
    return during(gateway, service, gateway.cut_off(name, service, NETWORKS.get(service, "bus")))
