# SPDX-License-Identifier: Apache-2.0
"""Services killed underneath while the guest writes: no error may reach it, and its pauses are measured.

A probe in the guest writes 4 KiB at a time and notes when each write was complete; what a kill costs is the longest
time between two completions from the kill on. Beside it fio writes, reads back and compares.
"""
import base64, gzip, random, statistics, time

# Seconds that a kill may cost the guest.
LIMITS = {"iscsi": 2.0, "cache": 5.0}
# Of docs/OPERATIONS.md.
SETTINGS = ["node.session.iscsi.DefaultTime2Wait=1"]
NAMES = {
    "iscsi": "frontend", "cache": "cache manager", "uploader": "uploader", "snapshotter": "snapshotter",
    "exporter": "metrics exporter",
}


def run(report, gateway, machine, rounds, seed):
    target, portal = gateway.create("killed", "1GiB"), gateway.portal(0)
    with report.step("kills", "the frontend killed, the initiator's settings as delivered") as step:
        disk = machine.run(f"record {target} {portal}\nlogin {target} {portal}").strip()
        kills, _ = under_load(gateway, machine, disk, ["iscsi"] * max(2, rounds // 2), seed, step)
        step.note(f"pauses {listed(kills)} s")
        machine.run(f"logout {target} {portal}\niscsiadm -m node -o delete -T {target}")
    plan = [service for service in NAMES for _ in range(rounds if service in LIMITS else max(1, rounds // 2))]
    random.Random(seed).shuffle(plan)
    with report.step("kills", f"{len(plan)} kills while fio verifies") as step:
        step.note(f"seed {seed}")
        step.expect(gateway.services() == set(NAMES), f"the services are {gateway.services()}")
        disk = machine.run(f"record {target} {portal} {' '.join(SETTINGS)}\nlogin {target} {portal}").strip()
        kills, calm = under_load(gateway, machine, disk, plan, seed, step)
    stops = stopped(report, gateway, machine, disk, max(2, rounds // 3), seed)
    rows = ["| killed | times | longest pause | median | all pauses, s | process back after, median |",
            "| --- | --- | --- | --- | --- | --- |"]
    for service, name in NAMES.items():
        mine = [kill for kill in kills if kill["service"] == service]
        longest, limit = max(kill["pause"] for kill in mine), LIMITS.get(service)
        with report.step("kills", f"the {name} killed") as step:
            step.note(f"{len(mine)} times, longest pause {longest:.2f} s" + (f", limit {limit:.0f} s" if limit else ""))
            step.expect(not limit or longest < limit, f"a pause of {longest:.2f} s")
        median, back = medians(mine)
        rows.append(f"| {name} | {len(mine)} | {longest:.2f} s | {median:.2f} s | {listed(mine)} | {back:.2f} s |")
    for service, mine in stops.items():
        longest, median, back = max(stop["pause"] for stop in mine), *medians(mine)
        rows.append(f"| {NAMES[service]}, stopped | {len(mine)} | {longest:.2f} s | {median:.2f} s | {listed(mine)} | "
                    f"{back:.2f} s |")
    rows += ["", f"Before the first kill the longest time between two writes was {calm:.2f} s: the guest's own."]
    report.details.append(("What a kill costs the guest", rows))
    with report.step("kills", "no error in the kernel log") as step:
        errors = machine.run("kernel_errors")
        step.expect(errors == "", errors.strip())
        lost = machine.run("dmesg | grep -c 'detected conn error' || true").strip()
        step.note(f"the initiator lost its connection {lost} times")
        machine.run(f"logout {target} {portal}")


def stopped(report, gateway, machine, disk, count, seed):
    """SIGTERM: the frontend asks initiators to log out, the cache manager finishes what it has begun."""
    found = {}
    for service in ["iscsi", "cache"]:
        with report.step("kills", f"the {NAMES[service]} stopped in good order") as step:
            found[service], _ = under_load(gateway, machine, disk, [service] * count, seed, step, gateway.stop)
            longest = max(stop["pause"] for stop in found[service])
            step.note(f"pauses {listed(found[service])} s, limit {LIMITS[service]:.0f} s")
            step.expect(longest < LIMITS[service], f"a pause of {longest:.2f} s")
            if service == "iscsi":
                asked = int(machine.run("grep -ci 'requests logout' /tmp/iscsid.log || true"))
                step.note(f"{asked} times asked to log out")
                step.expect(asked >= count, f"the initiator was asked to log out {asked} times, not {count}")
    return found


def medians(kills):
    return (statistics.median(kill[key] for kill in kills) for key in ["pause", "back"])


def listed(kills):
    return ", ".join(f"{pause:.2f}" for pause in sorted(kill["pause"] for kill in kills))


def under_load(gateway, machine, disk, plan, seed, step, end_service=None):
    """Kills by plan, or what `end_service` does instead. Returns them with the pauses, and the longest one before."""
    dice = random.Random(seed)
    offset = machine.clock_offset()
    load = machine.start(f"load {disk} --offset=64m --size=64m --io_size=24m")
    probe = machine.start(f"probe {disk} {len(plan) * 60}")
    time.sleep(10)
    calm_until, kills = time.time(), []
    for service in plan:
        when, back = (end_service or gateway.kill)(service)
        kills.append({"service": service, "at": when, "back": back})
        gateway.wait_until_ready()
        # Longer than any pause that a kill may cause: the next one must not hide it.
        time.sleep(6 + 2 * dice.random())
        for running in (load, probe):
            if running.done.is_set():
                raise RuntimeError(f"fio ended after a kill of {service}: {running.output.strip()}")
    end = time.time()
    machine.run("touch /tmp/stop-load /tmp/stop-probe")
    passes = load.result(240).strip()
    probe.result(120)
    step.note(f"{passes} passes of 24 MiB compared, no error")
    times = completions(machine, offset)
    step.note(f"{len(times)} writes of the probe")
    borders = [kill["at"] for kill in kills[1:]] + [end]
    for kill, border in zip(kills, borders):
        kill["pause"] = longest_gap(times, kill["at"], border)
    return kills, longest_gap(times, times[0], calm_until)


def completions(machine, offset):
    """When each write of the probe was complete, by our clock."""
    packed = machine.run("gzip -c /tmp/probe_lat.1.log | base64 -w0")
    lines = gzip.decompress(base64.b64decode(packed)).decode().splitlines()
    return sorted(int(line.split(",")[0]) / 1000 - offset for line in lines)


def longest_gap(times, begin, end):
    """Between two completions of which the later one is after `begin`. What goes on beyond `end` is another kill's."""
    gaps = [min(later, end) - earlier for earlier, later in zip(times, times[1:]) if later > begin and earlier < end]
    if not gaps or times[-1] < end - 1:
        raise RuntimeError("the probe has no completions at the end")
    return max(gaps)
