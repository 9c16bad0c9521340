# SPDX-License-Identifier: Apache-2.0
"""Disks of other kinds, and what happens to a disk in use: 4 KiB blocks, a medium that is ejected, an upload buffer
that cannot be emptied, a new name, a cache manager that stands still for longer than Linux waits for a command."""
import os, signal, time

# Longer than the 30 s after which Linux aborts a command and then resets the unit.
FREEZE = 45


def run(report, gateway, machine):
    large_blocks(report, gateway, machine)
    removable(report, gateway, machine)
    full_buffer(report, gateway, machine)
    renamed(report, gateway, machine)
    frozen(report, gateway, machine)
    with report.step("disks", "no error in the kernel log") as step:
        errors = machine.run("kernel_errors")
        step.expect(errors == "", errors.strip())


def attached(gateway, machine, volume, *options):
    target, portal = gateway.create(volume, "1GiB", *options), gateway.portal(0)
    return target, portal, machine.run(f"record {target} {portal}\nlogin {target} {portal}").strip()


def large_blocks(report, gateway, machine):
    with report.step("disks", "4096-byte blocks: XFS in it, fio verify, fstrim, found again") as step:
        target, portal, disk = attached(gateway, machine, "large-blocks", "--block-size", "4096")
        name = disk[5:]
        sizes = machine.run(f"cd /sys/block/{name}/queue\ncat logical_block_size physical_block_size")
        step.expect(sizes.split() == ["4096", "4096"], f"the kernel has blocks of {sizes.split()} bytes")
        machine.run(f"modprobe xfs\nmkfs.xfs -q -K {disk}\nmount {disk} /mnt\ncp -a /usr/bin /mnt\n"
                    "checksums /tmp/files/large", 240)
        written = int(machine.run("fio_sizes /mnt/fio 4k:6m 64k:16m 1m:24m\nrm /mnt/fio\nsync", 240))
        before = int(machine.run(f"mapped_bytes {disk}"))
        machine.run("fstrim /mnt")
        after = int(machine.run(f"mapped_bytes {disk}"))
        step.expect(after < before, f"{before} bytes were mapped before fstrim and {after} after")
        machine.run(f"umount /mnt\ncheck_file_system xfs {disk}\nlogout {target} {portal}", 180)
        disk = machine.run(f"login {target} {portal}").strip()
        machine.run(f"mount {disk} /mnt\ncd /mnt\nmd5sum --quiet -c /tmp/files/large\ncd /\numount /mnt\n"
                    f"logout {target} {portal}", 180)
        step.note(f"{written / 1024:.0f} MiB written and compared; fstrim unmapped {(before - after) >> 20} MiB")


def removable(report, gateway, machine):
    with report.step("disks", "a removable medium: locked while mounted, ejected, loaded, the same") as step:
        target, portal, disk = attached(gateway, machine, "removable", "--removable")
        flag = machine.run(f"cat /sys/block/{disk[5:]}/removable").strip()
        step.expect(flag == "1", f"the kernel has removable {flag}")
        machine.run(f"mkfs.ext4 -q -E nodiscard {disk}\nmount {disk} /mnt\ncp -a /usr/bin /mnt\n"
                    f"checksums /tmp/files/removable\ntake_attentions {disk}", 240)
        # The kernel locks the medium for as long as anybody has the disk open, so the tool must not.
        node = machine.run(f"echo /dev/bsg/$(basename $(readlink -f /sys/block/{disk[5:]}/device))").strip()
        refused = machine.start(f"sg_start --eject {node}").wait(60)
        step.expect(refused.status != 0, "the medium of a mounted disk is ejected")
        machine.run(f"umount /mnt\nprovoke\nudevadm settle --timeout=10\nsg_start --eject {node}")
        missing = machine.start(f"dd if={disk} of=/dev/null bs=4k count=1 iflag=direct").wait(60)
        step.expect(missing.status != 0 and "medium" in missing.output, f"without a medium dd says {missing.output}")
        step.note(f"without it dd says {missing.output.strip().splitlines()[0].split(': ')[-1]!r}")
        machine.run(f"udevadm settle --timeout=10\nsg_start --load {node}\ntake_attentions {disk}\nprovoked\n"
                    f"mount {disk} /mnt\ncd /mnt\nmd5sum --quiet -c /tmp/files/removable\ncd /\numount /mnt\n"
                    f"logout {target} {portal}", 180)


def full_buffer(report, gateway, machine):
    """Uploads hang, the buffer runs full, and writes get slow; then uploads go on."""
    with report.step("disks", "the upload buffer cannot be emptied: Linux is warned, no write fails") as step:
        target, portal, disk = attached(gateway, machine, "filling", "--upload-buffer", "128MiB")
        step.expect("soft threshold" not in machine.run("dmesg"), "Linux was warned before")
        machine.run("head -c 112m /dev/urandom >/tmp/files/filling", 60)
        uploader, begun = gateway.process_id("uploader"), time.time()
        os.kill(uploader, signal.SIGSTOP)
        try:
            writer = machine.start(f"dd if=/tmp/files/filling of={disk} bs=64k oflag=direct")
            machine.run(
                "for _ in $(seq 700); do dmesg | grep -q 'soft threshold' && exit; sleep 0.2; done; exit 1", 180)
            step.note(f"warned {time.time() - begun:.0f} s after uploads hung")
        finally:
            os.kill(uploader, signal.SIGCONT)
        writer.result(300)
        machine.run(f"cmp -n {112 << 20} {disk} /tmp/files/filling\nrm /tmp/files/filling", 180)
        gateway.sluice("volume", "sync", "filling", "--timeout", "60s")
        machine.run(f"logout {target} {portal}")


def renamed(report, gateway, machine):
    with report.step("disks", "a new name while logged in: the session ends, the disk comes back under it") as step:
        target, portal, disk = attached(gateway, machine, "before")
        machine.run("head -c 8m /dev/urandom >/tmp/files/before\n"
                    f"dd if=/tmp/files/before of={disk} bs=64k oflag=direct")
        identity = machine.run(f"cat /sys/block/{disk[5:]}/device/wwid").strip()
        # Whoever reads of the disk meanwhile, udev for one, hears that it is gone.
        machine.run("provoke")
        new = gateway.rename("before", "after")
        step.expect(gateway.sessions("after") == [], "the session goes on under the old name")
        machine.run(f"iscsiadm -m node -T {target} -p {portal} --logout >/dev/null || true\n"
                    f"iscsiadm -m node -o delete -T {target}\nprovoked", 180)
        disk = machine.run(f"record {new} {portal}\nlogin {new} {portal}").strip()
        again = machine.run(f"cat /sys/block/{disk[5:]}/device/wwid").strip()
        step.expect(identity and identity == again, f"the device was {identity!r} and is {again!r}")
        machine.run(f"dd if={disk} bs=64k count=128 iflag=direct | cmp - /tmp/files/before\nlogout {new} {portal}")


def frozen(report, gateway, machine):
    with report.step("disks", f"the cache manager stands still for {FREEZE} s: aborts and resets, no error") as step:
        target, portal, disk = attached(gateway, machine, "frozen")
        load = machine.start(f"load {disk} --size=32m --io_size=16m")
        time.sleep(8)
        cache = gateway.process_id("cache")
        os.kill(cache, signal.SIGSTOP)
        time.sleep(FREEZE)
        os.kill(cache, signal.SIGCONT)
        gateway.wait_until_ready()
        time.sleep(10)
        machine.run("touch /tmp/stop-load", 60)
        passes = int(load.result(300))
        step.expect(passes > 0, "the load finished no pass")
        step.expect(gateway.process_id("cache") == cache, "the cache manager was started anew")
        step.note(f"{passes} passes of 16 MiB compared, no error")
        machine.run(f"logout {target} {portal}")
