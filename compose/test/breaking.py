# SPDX-License-Identifier: Apache-2.0
"""Each service killed, hung and cut off while a load runs: what initiators see, and what metrics and doctor say."""

import time

from checks import busy_answers, check_doctor, wait_until_well
from daemon import Failure, wait
from stamped import StampedLoad

KILLS = 3
# How long a fault lasts at least; its signs have to be there before commands are answered BUSY.
SECONDS = 8
PATIENCE = 16
# Where a service can be cut off from the others.
NETWORKS = {"s3": "storage", "prometheus": "monitoring"}
# These are not in the way of reads and writes, so an initiator must not notice at all.
BESIDE_THE_DATA = {"snapshotter", "exporter", "prometheus"}


class Signs:
    """What tells of a fault while it lasts: an expression that has samples, how doctor may end, and what it says."""

    def __init__(self, metric, statuses, words, patience=PATIENCE):
        self.metric, self.statuses, self.words, self.patience = metric, statuses, words, patience

    def observe(self, gateway):
        """Waits for both, and returns when they came."""
        begin = time.monotonic()
        said = []
        if self.metric:
            wait(f"{self.metric} has samples", self.patience, lambda: gateway.query(self.metric))
            said.append(f"metric after {time.monotonic() - begin:.0f} s")
        status = wait("doctor says it", self.patience, lambda: check_doctor(gateway, self.statuses, self.words))
        said.append(f"doctor {status} after {time.monotonic() - begin:.0f} s")
        time.sleep(max(0, begin + SECONDS - time.monotonic()))
        return ", ".join(said)


def silent(service):
    """The signs of a service that does not answer."""
    return Signs(f'max without (instance) (sluice_service_up{{service="{service}"}}) == 0', {69}, f"PROBLEM {service}")


SILENT = {
    # Nobody else counts it: either it does not answer, or it reaches nobody.
    "exporter": Signs('absent(sluice_service_up{service!="exporter"} == 1)', {69}, "PROBLEM exporter"),
    # Requests to it have to run out of time first; later the uploader is not ready, either.
    "s3": Signs(
        'sluice_volume_status{status="upload_stalled"} == 1', {69, 75}, "PROBLEM volume stamped: serves, but", 120
    ),
    # It cannot be asked about itself, and it is not doctor's business.
    "prometheus": Signs(None, {0}, "Nothing is wrong"),
}


def signs_of(service):
    return SILENT.get(service) or silent(service)


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


def during(gateway, service, fault, signs, volume="stamped"):
    """The load, the fault and its signs in it, and afterwards everything is well again."""
    with StampedLoad(gateway.url(volume)) as load:
        busy = busy_answers(gateway)
        time.sleep(2)
        with fault:
            seen = signs.observe(gateway)
        gateway.wait_healthy(service)
        time.sleep(3)
    check_longest(load, service)
    text = f"{load.report()}, {busy()} BUSY; {seen}"
    wait_until_well(gateway)
    return text


def step_hang(gateway, service):
    """`docker pause` under load until metric and doctor show it, at least 8 s"""
    return during(gateway, service, gateway.hung(gateway.containers(service)[0]), signs_of(service))


def step_partition(gateway, service):
    """`docker network disconnect` under load until metric and doctor show it, at least 8 s"""
    name = gateway.containers(service)[0]
    fault = gateway.cut_off(name, service, NETWORKS.get(service, "bus"))
    return during(gateway, service, fault, signs_of(service))
