# SPDX-License-Identifier: Apache-2.0
"""Two portals of one volume under dm-multipath: either path may go, by the death of its frontend or of its network.

Both frontends serve from the same cache manager. The first belongs to the supervisor, which starts it again; the second
runs by hand, so that its path stays down until the test brings it back.
"""
import contextlib, signal, subprocess, time

from gateway import wait_for
from kills import completions, longest_gap

# Of docs/OPERATIONS.md: a path that is gone is noticed after at most 2 + 2 s, its commands go to the other 5 s later.
SETTINGS = [
    "node.session.timeo.replacement_timeout=5", "node.conn[0].timeo.noop_out_interval=2",
    "node.conn[0].timeo.noop_out_timeout=2", "node.session.iscsi.DefaultTime2Wait=1"]
# Seconds for the settings to take effect, and for a slow guest.
LIMIT = 2 + 2 + 5 + 3
READY = 120


@contextlib.contextmanager
def dropped(tap):
    """No packet of the path passes, in either direction, and nobody is told."""
    rules = (
        f'add table inet cut; add chain inet cut in {{ type filter hook input priority 0; }};'
        f'add chain inet cut out {{ type filter hook output priority 0; }};'
        f'add rule inet cut in iifname "{tap}" drop; add rule inet cut out oifname "{tap}" drop')
    subprocess.run(["nft", rules], check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete table inet cut"], check=True)


class Paths:
    """The load over both paths, and what happens to them."""

    def __init__(self, gateway, machine, second):
        self.gateway, self.machine, self.second = gateway, machine, second
        self.events = []

    def event(self, name, action):
        """What goes on from `action` until all paths are back belongs to it."""
        when = time.time()
        action()
        self.machine.run("map_with_paths 2", READY)
        time.sleep(3)
        self.events.append((name, when, time.time()))

    def kill_first(self):
        """The path may be back before multipathd has seen that it was gone."""
        self.gateway.kill("iscsi")
        wait_for("the session", lambda: self.gateway.metric("sluice_iscsi_sessions") >= 2)

    def kill_second(self):
        self.second.send_signal(signal.SIGKILL)
        self.second.wait()
        self.machine.run("map_with_paths 1", READY)
        time.sleep(3)
        self.second = self.gateway.second_frontend()

    def stop_second(self):
        """The initiator is asked to log out. Linux then holds the path's commands as long as those of a dead one."""
        self.second.terminate()
        self.second.wait(60)
        self.machine.run("map_with_paths 1", READY)
        time.sleep(3)
        self.second = self.gateway.second_frontend()

    def grow(self, disk):
        """Both paths first, then the map, then the file system. Returns the map's size."""
        self.gateway.sluice("volume", "resize", "paths", "--size", "2GiB")
        self.machine.run("iscsiadm -m session --rescan >/dev/null\n"
                         f"multipathd resize map {disk.split('/')[-1]} >/dev/null\ngrow_file_system xfs {disk}")
        return int(self.machine.run(f"blockdev --getsize64 {disk}"))

    def cut(self, tap):
        with dropped(tap):
            self.machine.run("map_with_paths 1", READY)
            time.sleep(3)


def run(report, gateway, machine):
    with report.step("multipath", "log in over two portals, make a file system") as step:
        target = gateway.create("paths", "1GiB")
        second = gateway.second_frontend()
        count = gateway.volume_count()
        wait_for("the targets of both", lambda: gateway.metric("sluice_iscsi_targets") >= 2 * count)
        machine.run("cp multipath.conf /etc/multipath.conf\nmodprobe -a dm_multipath dm_round_robin\n"
                    "multipathd >/dev/null 2>&1 3>&-")
        disks = [
            machine.run(f"record {target} {portal} {' '.join(SETTINGS)}\nlogin {target} {portal}").strip()
            for portal in map(gateway.portal, range(2))]
        disk = machine.run("map_with_paths 2", READY).strip()
        step.note(f"{' and '.join(disks)} are {disk}")
        machine.run(f"mkfs.xfs -q {disk}\nmount {disk} /mnt\ncp -a /usr/bin /mnt\nsync", 300)
        machine.run("checksums /tmp/files/paths")
    paths = Paths(gateway, machine, second)
    with report.step("multipath", "paths go and come while fio verifies") as step:
        offset = machine.clock_offset()
        load = machine.start("load /mnt/load --size=64m --io_size=24m")
        probe = machine.start("probe /mnt/probe 1200")
        time.sleep(10)
        paths.event("a frontend killed and started again", paths.kill_first)
        paths.event("a frontend killed for good", paths.kill_second)
        paths.event("a frontend stopped in good order", paths.stop_second)
        paths.event("the first path's packets dropped", lambda: paths.cut("tap0"))
        paths.event("the second path's packets dropped", lambda: paths.cut("tap1"))
        size = paths.grow(disk)
        step.note("grown to 2 GiB meanwhile")
        step.expect(size == 2 << 30, f"the map has {size} bytes")
        machine.run("touch /tmp/stop-load /tmp/stop-probe")
        passes = load.result(240).strip()
        probe.result(120)
        step.note(f"{passes} passes of 24 MiB compared, no error")
        times = completions(machine, offset)
    for name, begin, end in paths.events:
        with report.step("multipath", name) as step:
            pause = longest_gap(times, begin, end)
            step.note(f"longest pause {pause:.2f} s")
            step.expect(pause < LIMIT, f"a pause of {pause:.2f} s, the limit is {LIMIT} s")
    with report.step("multipath", "unmount, check, compare, log out") as step:
        machine.run(f"umount /mnt\ncheck_file_system xfs {disk}\nmount -o ro {disk} /mnt\ncd /mnt\n"
                    "md5sum --quiet -c /tmp/files/paths\ncd /\numount /mnt", 300)
        # Errors of one path are what multipath is for; those of the map would reach its users.
        errors = machine.run("kernel_errors 'dev sd[a-z]'")
        step.expect(errors == "", errors.strip())
        machine.run(f"multipath -f {disk}")
        for number in range(2):
            machine.run(f"logout {target} {gateway.portal(number)}")
