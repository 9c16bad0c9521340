# SPDX-License-Identifier: Apache-2.0
"""Settings of a volume that change while Linux uses it: write protection, durability, its name."""
import time

# Seconds within which a write to a volume that has become write-protected must have failed.
LIMIT = 20


def run(report, gateway, machine):
    with report.step("changes", "write protection: writes fail at once, reads go on") as step:
        target, portal = gateway.create("protected", "1GiB"), gateway.portal(0)
        disk = machine.run(f"record {target} {portal}\nlogin {target} {portal}").strip()
        machine.run(f"mkfs.ext4 -q -E nodiscard {disk}\nmount {disk} /mnt\ncp -a /usr/bin /mnt\nsync", 180)
        machine.run("checksums /tmp/files/protected")
        protect(gateway, machine, disk, step)
    with report.step("changes", "write protection: Linux sees it, the file system is read") as step:
        machine.run("umount /mnt")
        step.expect(is_read_only(machine, disk), "the disk is writable after a rescan")
        refused = machine.start(f"dd if=/dev/zero of={disk} bs=4k count=1 oflag=direct").wait(60)
        step.expect(refused.status != 0, "a write succeeds")
        step.note(f"dd says {refused.output.strip().splitlines()[0].split(': ')[-1]!r}")
        machine.run(f"mount -o ro,noload {disk} /mnt\ncd /mnt\n"
                    "md5sum --quiet -c /tmp/files/protected\ncd /\numount /mnt")
    with report.step("changes", "write protection ends: repaired, written, compared") as step:
        gateway.sluice("volume", "set", "protected", "--read-only", "off")
        step.expect(not is_read_only(machine, disk), "the disk is read-only after a rescan")
        machine.run("provoked")
        # The journal was cut off in the middle: e2fsck replays it and says so with 1.
        machine.run(f"fsck.ext4 -p {disk} || [ $? -eq 1 ]\nmount {disk} /mnt")
        written = int(machine.run("fio_sizes /mnt/fio 4k:4m 64k:16m", 180))
        step.note(f"{written / 1024:.0f} MiB written and compared")
        machine.run("cd /mnt\nmd5sum --quiet -c /tmp/files/protected\ncd /\numount /mnt\n"
                    f"check_file_system ext4 {disk}\nlogout {target} {portal}", 180)
    durable(report, gateway, machine)
    with report.step("changes", "no error in the kernel log") as step:
        errors = machine.run("kernel_errors")
        step.expect(errors == "", errors.strip())


def protect(gateway, machine, disk, step):
    load = machine.start("load /mnt/load --size=32m --io_size=16m")
    time.sleep(5)
    machine.run("provoke")
    begun = time.time()
    gateway.sluice("volume", "set", "protected", "--read-only", "on")
    load.wait(120)
    took = time.time() - begun
    step.note(f"fio ended {took:.1f} s after the command")
    step.expect(load.status != 0, "the load goes on")
    step.expect(took < LIMIT, f"the load ended only after {took:.1f} s")
    # The first is what Linux makes of sense data that say "write protected".
    for errors in ["Remote I/O error", "Read-only file system"]:
        if errors in load.output:
            step.note(f"with {errors!r}")
            break
    else:
        step.expect(False, f"fio says {load.output.strip()[:300]}")
    sense = machine.run("dmesg | grep -ci 'write protected' || true").strip()
    step.expect(int(sense) > 0, "the kernel's log has no sense data of write protection")
    machine.run("echo 3 >/proc/sys/vm/drop_caches\ncd /mnt\nmd5sum --quiet -c /tmp/files/protected", 120)


def is_read_only(machine, disk):
    machine.run("iscsiadm -m session --rescan >/dev/null\nudevadm settle --timeout=10")
    return machine.run(f"blockdev --getro {disk}").strip() == "1"


def durable(report, gateway, machine):
    with report.step("changes", "durability always: Linux sees no write cache") as step:
        target, portal = gateway.create("durable", "1GiB", "--durability", "always"), gateway.portal(0)
        disk = machine.run(f"record {target} {portal}\nlogin {target} {portal}").strip()
        expect_cache(machine, disk, step, "write through")
        written = int(machine.run(f"fio_sizes {disk} 4k:4m 64k:16m", 180))
        step.note(f"write through, {written / 1024:.0f} MiB written and compared")
    with report.step("changes", "durability changed on a live disk under load") as step:
        load = machine.start(f"load {disk} --offset=64m --size=32m --io_size=16m")
        for durability, cache in [("on-flush", "write back"), ("always", "write through")]:
            time.sleep(3)
            gateway.sluice("volume", "set", "durable", "--durability", durability)
            time.sleep(2)
            machine.run("iscsiadm -m session --rescan >/dev/null")
            expect_cache(machine, disk, step, cache)
        machine.run("touch /tmp/stop-load")
        passes = load.result(240).strip()
        step.note(f"write back, then write through after a rescan; {passes} passes of 16 MiB compared")
    with report.step("changes", "a new name: log in again, the device is the same") as step:
        # Data that no flush has followed, and the service is killed: with durability always it must be there.
        machine.run("head -c 8m /dev/urandom >/tmp/files/renamed\n"
                    f"dd if=/tmp/files/renamed of={disk} bs=64k oflag=direct")
        identity = machine.run(f"cat /sys/block/{disk[5:]}/device/wwid").strip()
        machine.run(f"logout {target} {portal}\niscsiadm -m node -o delete -T {target}")
        gateway.kill("cache")
        gateway.wait_until_ready()
        renamed = gateway.rename("durable", "renamed")
        disk = machine.run(f"record {renamed} {portal}\nlogin {renamed} {portal}").strip()
        again = machine.run(f"cat /sys/block/{disk[5:]}/device/wwid").strip()
        step.note(identity)
        step.expect(identity and identity == again, f"the device was {identity!r} and is {again!r}")
        machine.run(f"dd if={disk} bs=64k count=128 iflag=direct | cmp - /tmp/files/renamed")
        machine.run(f"logout {renamed} {portal}")


def expect_cache(machine, disk, step, expected):
    name = disk[5:]
    found = machine.run(f"cat /sys/block/{name}/queue/write_cache /sys/block/{name}/device/scsi_disk/*/cache_type")
    step.expect(set(found.strip().splitlines()) <= {expected, expected + " no DPO or FUA"} and found.strip(),
                f"the kernel has {found.split()}, not {expected}")
