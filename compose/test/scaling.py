# SPDX-License-Identifier: Apache-2.0
"""More and less of each service while a load runs."""

import time

from checks import check_prometheus
from daemon import Failure, docker, wait
from stamped import StampedLoad

SPREAD = [f"spread-{number}" for number in range(4)]


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


def holders(gateway):
    """Which container has each volume; None: one that has just gone."""
    names = {f"cache@{gateway.address(name, 'bus')}": name for name in gateway.containers("cache")}
    samples = gateway.query('max by (name, process) (sluice_volume_status{status="available"} == 1)')
    return {sample["metric"]["name"]: names.get(sample["metric"]["process"]) for sample in samples}


def volume_of(gateway, container):
    return next(volume for volume, holder in sorted(holders(gateway).items()) if holder == container)


def wait_for_holder(gateway, container):
    """Until it serves every volume; before the others' samples have ended, names are missing."""
    volumes = set(SPREAD) | {"stamped"}
    wait(
        f"{container} has every volume", 90,
        lambda: (found := holders(gateway)).keys() >= volumes and set(found.values()) == {container},
    )  # fmt: skip
    for volume in volumes:
        gateway.wait_for_target(volume)


def step_scale_cache(gateway):
    """`--scale cache=2`: volumes spread, one group of snapshots of both; back: volumes are handed over under load"""
    gateway.up(cache=2)
    first, second = gateway.containers("cache")
    for volume in SPREAD:
        gateway.create_volume(volume)
    group = ["stamped", *SPREAD]
    wait("both have volumes", 60, lambda: {holders(gateway).get(volume) for volume in group} == {first, second})
    with StampedLoad(gateway.url(volume_of(gateway, second))) as load:
        gateway.sluice("snapshot", "create", *group)
        time.sleep(3)
        gateway.up(cache=1)
        if (left := gateway.containers("cache")) != [first]:
            raise Failure(f"{left} are left, not {first}")
        wait_for_holder(gateway, first)
        time.sleep(3)
    if "completed" not in (groups := gateway.sluice("snapshot", "groups")):
        raise Failure(f"the group is not complete: {groups}")
    return load.report()


def step_lose_cache(gateway):
    """`--scale cache=2`, then `docker kill` of the first, for good: the second serves its volumes on"""
    gateway.up(cache=2)
    first, second = gateway.containers("cache")
    with StampedLoad(gateway.url(volume_of(gateway, first))) as load:
        time.sleep(3)
        docker("kill", first)
        wait_for_holder(gateway, second)
        time.sleep(3)
    text = load.report()
    # The first starts again and has nothing; then it gets everything back.
    gateway.up(cache=2)
    gateway.up(cache=1)
    wait_for_holder(gateway, gateway.containers("cache")[0])
    return text
