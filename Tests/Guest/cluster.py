# SPDX-License-Identifier: Apache-2.0
"""A cluster of two nodes: two initiators of one guest, each with a name of its own, on one volume over two frontends.

Node one comes through the first portal, node two through the second, so that everything they agree on has to pass
through the cache manager.
"""
import time

from gateway import wait_for

NODES = {"one": "iqn.2026-11.io.sluice.guest:one", "two": "iqn.2026-11.io.sluice.guest:two"}
KEYS = {"one": "0x1", "two": "0x2"}
# Write exclusive, registrants only.
TYPE = 5
# Seconds within which a node that was preempted must have seen its writes fail.
LIMIT = 20
INCREMENTS = 6


def run(report, gateway, machine):
    with report.step("cluster", "two nodes log in over two frontends") as step:
        target = gateway.create("shared", "1GiB")
        second = gateway.second_frontend()
        count = gateway.volume_count()
        wait_for("the targets of both", lambda: gateway.metric("sluice_iscsi_targets") >= 2 * count)
        for node, name in NODES.items():
            machine.run(f"interface {node} {name}")
        disks = {node: log_in(gateway, machine, node, target, number) for number, node in enumerate(NODES)}
        sessions = gateway.sessions("shared")
        step.expect(len(sessions) == 2 and all(name in str(sessions) for name in NODES.values()), str(sessions))
        step.note(", ".join(f"{node} has {disk}" for node, disk in disks.items()))
    cluster = Cluster(gateway, machine, disks)
    with report.step("cluster", "register, reserve: the other node reads and cannot write") as step:
        reserve(cluster, step)
    with report.step("cluster", "the reservation survives kills of cache manager and frontend") as step:
        survive(cluster, step)
    with report.step("cluster", "preempt and abort under load: the former holder is shut out") as step:
        preempt(cluster, step)
    with report.step("cluster", "cleared by sluice volume reservations: both write again") as step:
        gateway.sluice("volume", "reservations", "shared", "--clear")
        machine.run("provoked")
        for node in NODES:
            step.expect(cluster.can_write(node), f"node {node} cannot write")
        step.expect(cluster.keys() == [], f"the keys are {cluster.keys()}")
    with report.step("cluster", "COMPARE AND WRITE: equal is written, different is a miscompare") as step:
        for node, expected in [("one", 0), ("two", 14), ("one", 14)]:
            machine.run("head -c 512 /dev/zero >/tmp/caw; head -c 512 /dev/urandom >>/tmp/caw")
            if node == "one" and expected == 0:
                machine.run(f"dd if=/dev/zero of={disks['one']} bs=4k seek=1 count=1 oflag=direct")
            found = machine.start(f"take_attentions {disks[node]}\n"
                                  f"sg_compare_and_write --in=/tmp/caw --lba=8 --xferlen=1024 {disks[node]}").wait(60)
            step.expect(found.status == expected, f"status {found.status}, not {expected}: {found.output.strip()}")
    with report.step("cluster", "COMPARE AND WRITE: four racing counters over two frontends") as step:
        count_together(cluster, target, step)
    with report.step("cluster", "LUN and target reset under load: nothing is lost, nothing fails") as step:
        reset(cluster, step)
    with report.step("cluster", "log out, no error in the kernel log") as step:
        for number, node in enumerate(NODES):
            machine.run(f"interface={node}\nlogout {target} {gateway.portal(number)}")
        second.terminate()
        second.wait(60)
        errors = machine.run("kernel_errors")
        step.expect(errors == "", errors.strip())


def log_in(gateway, machine, node, target, number):
    portal = gateway.portal(number)
    return machine.run(f"interface={node}\nrecord {target} {portal}\nlogin {target} {portal}").strip()


class Cluster:
    def __init__(self, gateway, machine, disks):
        self.gateway, self.machine, self.disks = gateway, machine, disks

    def persist(self, node, *options):
        disk = self.disks[node]
        return self.machine.run(f"take_attentions {disk}\nsg_persist -n {' '.join(options)} {disk}")

    def register(self, node):
        self.persist(node, "--out", "--register", f"--param-sark={KEYS[node]}", "--param-aptpl")

    def keys(self):
        lines = self.persist("one", "--in", "--read-keys").splitlines()
        return sorted(line.strip() for line in lines if line.strip().startswith("0x"))

    def reservation(self):
        """The key of the holder, or nothing."""
        lines = self.persist("two", "--in", "--read-reservation").splitlines()
        return next((line.split("Key=")[1].strip() for line in lines if "Key=" in line), None)

    def can_write(self, node):
        """Whether a write succeeds; if not, it has to be for a conflict."""
        write = self.machine.start(f"dd if=/dev/zero of={self.disks[node]} bs=4k count=1 oflag=direct").wait(60)
        if write.status and "Invalid exchange" not in write.output:
            raise RuntimeError(f"a write of node {node}: {write.output.strip()}")
        return write.status == 0

    def can_read(self, node):
        disk = self.disks[node]
        return self.machine.start(f"dd if={disk} of=/dev/null bs=4k count=1 iflag=direct").wait(60).status == 0


def reserve(cluster, step):
    cluster.register("one")
    cluster.persist("one", "--out", "--reserve", f"--param-rk={KEYS['one']}", f"--prout-type={TYPE}")
    cluster.machine.run("provoke")
    step.expect(cluster.can_write("one"), "the holder cannot write")
    step.expect(not cluster.can_write("two"), "a node that is not registered can write")
    step.expect(cluster.can_read("two"), "a node that is not registered cannot read")
    cluster.register("two")
    step.expect(cluster.can_write("two"), "a registered node cannot write")
    step.expect(cluster.keys() == ["0x1", "0x2"], f"the keys are {cluster.keys()}")
    step.expect(cluster.reservation() == "0x1", f"the reservation is that of {cluster.reservation()}")
    shown = cluster.gateway.sluice("volume", "reservations", "shared")
    step.expect(all(name in shown for name in NODES.values()), f"sluice volume reservations shows {shown}")


def survive(cluster, step):
    """With APTPL set keys and reservation are there again after the cache manager."""
    for service in ["cache", "iscsi"]:
        cluster.gateway.kill(service)
        cluster.gateway.wait_until_ready()
    step.expect(cluster.keys() == ["0x1", "0x2"], f"the keys are {cluster.keys()}")
    step.expect(cluster.reservation() == "0x1", f"the reservation is that of {cluster.reservation()}")
    step.expect(cluster.can_write("one") and cluster.can_write("two"), "a registered node cannot write")


def preempt(cluster, step):
    machine = cluster.machine
    load = machine.start(f"load {cluster.disks['one']} --offset=64m --size=32m --io_size=16m")
    time.sleep(5)
    begun = time.time()
    cluster.persist("two", "--out", "--preempt-abort", f"--param-rk={KEYS['two']}", f"--param-sark={KEYS['one']}",
                    f"--prout-type={TYPE}")
    load.wait(180)
    took = time.time() - begun
    step.note(f"its load ended {took:.1f} s after the command")
    step.expect(load.status != 0, "the load of the preempted node goes on")
    step.expect("Invalid exchange" in load.output, f"it ended with {load.output.strip()[-300:]}")
    step.expect(took < LIMIT, f"the load ended only after {took:.1f} s")
    step.expect(cluster.keys() == ["0x2"], f"the keys are {cluster.keys()}")
    step.expect(cluster.reservation() == "0x2", f"the reservation is that of {cluster.reservation()}")
    step.expect(not cluster.can_write("one"), "the preempted node can write")
    step.expect(cluster.can_write("two"), "the new holder cannot write")


def reset(cluster, step):
    """The other node aborts everything of this one; Linux repeats it."""
    machine = cluster.machine
    told = "dmesg | grep -c 'Power-on or device reset occurred' || true"
    before = int(machine.run(told))
    load = machine.start(f"load {cluster.disks['one']} --offset=64m --size=32m --io_size=16m")
    time.sleep(3)
    for node, kind in [("two", "--device"), ("one", "--target"), ("two", "--target")]:
        machine.run(f"sg_reset {kind} --no-esc {cluster.disks[node]}")
        time.sleep(2)
    machine.run("touch /tmp/stop-load")
    step.note(f"3 resets, {load.result(180).strip()} passes of 16 MiB compared")
    attentions = int(machine.run(told)) - before
    step.note(f"the kernel was told {attentions} times")
    step.expect(attentions >= 3, "there were too few unit attentions")


def count_together(cluster, target, step):
    """Each node over each frontend. No increment may be lost or counted twice."""
    gateway, machine = cluster.gateway, cluster.machine
    disks = list(cluster.disks.values())
    disks += [log_in(gateway, machine, node, target, 1 - number) for number, node in enumerate(NODES)]
    machine.run(f"dd if=/dev/zero of={disks[0]} bs=4k seek=1 count=1 oflag=direct")
    counters = [machine.start(f"count_up {disk} 8 {INCREMENTS}") for disk in disks]
    lost = sum(int(counter.result(300)) for counter in counters)
    found = int(machine.run(f"counter {disks[1]} 8"))
    step.note(f"4 times {INCREMENTS} make {found}; {lost} attempts came too late")
    step.expect(found == 4 * INCREMENTS, f"the counter is {found}, not {4 * INCREMENTS}")
    for number, node in enumerate(NODES):
        machine.run(f"interface={node}\nlogout {target} {gateway.portal(1 - number)}")
