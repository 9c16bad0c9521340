# SPDX-License-Identifier: Apache-2.0
"""File systems on volumes, as an administrator uses them: made, filled, grown, unmounted, checked, found again."""
import time

MIB = 1 << 20
# Discarding the whole disk is left out: it would be the only discard of a new volume, which is empty.
MAKE = {"ext4": "mkfs.ext4 -q -E nodiscard", "xfs": "mkfs.xfs -q -K", "btrfs": "mkfs.btrfs -q -K"}
# What the file system still has to itself when it grows, beside the file that is being written.
RESERVE = 48


def run(report, gateway, machine):
    with report.step("login", "discovery finds the targets, login one of them") as step:
        target = gateway.create("plain", "1GiB")
        other = gateway.create("other", "1GiB")
        found = machine.run(f"iscsiadm -m discovery -t sendtargets -p {gateway.portal(0)}").split()
        step.expect(target in found and other in found, f"discovery says {found}")
        machine.run(f"iscsiadm -m node -o delete -T {other}")
        disk = machine.run(f"login {target} {gateway.portal(0)}").strip()
        size = int(machine.run(f"blockdev --getsize64 {disk}"))
        step.expect(size == 1024 * MIB, f"the disk has {size} bytes")
        negotiated = machine.run("iscsiadm -m session -P 2 | sed -nE 's/^\\s*((Max|First)BurstLength): /\\1 /p'")
        step.note(", ".join(sorted(negotiated.splitlines())))
        refused = machine.start(f"record iqn.2026-11.io.sluice:nobody {gateway.portal(0)}\n"
                                f"login iqn.2026-11.io.sluice:nobody {gateway.portal(0)}").wait(120)
        # 19 is a refusal by the target; a portal that does not answer would be another error.
        step.expect("error (19 " in refused.output, f"a login to a target that does not exist: {refused.output}")
    with report.step("login", "fio verify on the disk") as step:
        written = int(machine.run(f"fio_sizes {disk} 512:512k 4k:8m 64k:16m 1m:32m", 240))
        step.note(f"blocks of 512 bytes, 4 KiB, 64 KiB, 1 MiB; {written / 1024:.0f} MiB written and compared")
        machine.run(f"logout {target} {gateway.portal(0)}")
        step.expect(machine.run(f"[ -b {disk} ] && echo there || true") == "", "the disk is there after logout")
    for kind in MAKE:
        file_system(report, gateway, machine, kind)
    with report.step("kernel log", "no error in it") as step:
        errors = machine.run("kernel_errors")
        step.expect(errors == "", errors.strip())


def file_system(report, gateway, machine, kind):
    """One volume from its creation to its last check, with its image in the bucket as the witness of fstrim."""
    with report.step(kind, "make, mount, copy files") as step:
        target = gateway.create(kind, "1GiB")
        portal = gateway.portal(0)
        disk = machine.run(f"record {target} {portal}\nlogin {target} {portal}").strip()
        machine.run(f"modprobe {kind}\n{MAKE[kind]} {disk}\nmount {disk} /mnt")
        machine.run("cp -a /usr/bin /usr/share /mnt\ncp -a /mnt/bin /mnt/copy\nsync", 300)
        machine.run(f"checksums /tmp/files/{kind}", 120)
        files = machine.run(f"wc -l </tmp/files/{kind}; df -m --output=used /mnt | tail -1").split()
        step.note(f"{files[0]} files, {files[1]} MiB")
    with report.step(kind, "fio verify in it") as step:
        written = int(machine.run("fio_sizes /mnt/fio 4k:6m 64k:16m 1m:24m\nrm /mnt/fio", 300))
        step.note(f"blocks of 4 KiB, 64 KiB, 1 MiB; {written / 1024:.0f} MiB written and compared")
    with report.step(kind, "grows while mounted and written to") as step:
        grow(gateway, machine, kind, disk, step)
    with report.step(kind, "unmount, check, log out, log in, compare") as step:
        machine.run("umount /mnt")
        machine.run(f"check_file_system {kind} {disk}\nlogout {target} {portal}", 180)
        disk = machine.run(f"login {target} {portal}").strip()
        machine.run(f"check_file_system {kind} {disk}", 180)
        machine.run(f"mount -o ro {disk} /mnt\ncd /mnt; md5sum --quiet -c /tmp/files/{kind}\ncd /; umount /mnt", 240)
    with report.step(kind, "fstrim gives space back") as step:
        machine.run(f"mount {disk} /mnt\nhead -c {48 * MIB} /dev/urandom >/mnt/random\nsync")
        before, mapped = gateway.exported_size(kind), int(machine.run(f"mapped {disk}"))
        discards = machine.run(f"rm /mnt/random\nsync\nfstrim -v /mnt\ncat /sys/block/{disk[5:]}/stat")
        trimmed, discards = discards.strip().split("\n")
        # Fields 12 and 14 of the disk's statistics: discards that were completed, and their sectors.
        count, sectors = int(discards.split()[11]), int(discards.split()[13])
        # The target knows at once, the bucket with the next commit.
        still_mapped = int(machine.run(f"mapped {disk}"))
        after = gateway.exported_size(kind)
        step.note(f"{count} UNMAPs of {sectors * 512 // MIB} MiB")
        step.note(f"GET LBA STATUS has {mapped} MiB mapped before and {still_mapped} MiB after")
        step.note(f"the image in the bucket is {(before - after) / MIB:.0f} MiB smaller")
        step.expect(count > 0, f"the initiator sent no UNMAP; fstrim says {trimmed}")
        step.expect(mapped - still_mapped > 40, f"{mapped} MiB were mapped before and {still_mapped} MiB after")
        step.expect(before - after > 40 * MIB, f"the image had {before} bytes before and {after} after")
        machine.run(f"cd /mnt; md5sum --quiet -c /tmp/files/{kind}\ncd /; umount /mnt", 240)
        machine.run(f"check_file_system {kind} {disk}\nlogout {target} {portal}", 180)


def grow(gateway, machine, kind, disk, step):
    """From 1 to 2 GiB. The old part is all but full, so that a new file lies in the new part."""
    load = machine.start("load /mnt/load --size=32m --io_size=16m")
    machine.run("for _ in $(seq 100); do [ -e /mnt/load ] && break; sleep 0.1; done\nsleep 2\n"
                f"fallocate -l $(($(df -m --output=avail /mnt | tail -1) - {RESERVE}))m /mnt/filler")
    gateway.sluice("volume", "resize", kind, "--size", "2GiB")
    begun = time.time()
    # The kernel is told with the next command, but takes the new size over only when it is asked to.
    machine.run("for _ in $(seq 100); do dmesg | grep -q 'apacity data has changed' && exit; sleep 0.1; done; exit 1")
    machine.run(f"iscsiadm -m session --rescan >/dev/null\ngrow_file_system {kind} {disk}")
    size = int(machine.run(f"blockdev --getsize64 {disk}"))
    step.expect(size == 2048 * MIB, f"the disk has {size} bytes")
    step.note(f"{time.time() - begun:.1f} s from the command to a larger file system")
    machine.run(f"head -c {2 * RESERVE}m /dev/urandom >/mnt/new\nsync", 240)
    written = int(machine.run("fio_sizes /mnt/fio 4k:4m 64k:16m\nrm /mnt/fio", 240))
    machine.run("touch /tmp/stop-load")
    passes = int(load.result(240))
    step.expect(passes > 0, "the load finished no pass")
    beyond = int(machine.run(f"mapped {disk} {1024 * MIB // 512}"))
    step.expect(beyond >= RESERVE // 2, f"only {beyond} MiB are mapped in the new part")
    step.note(f"{passes} passes of 16 MiB compared meanwhile, {written / 1024:.0f} MiB afterwards, "
              f"{beyond} MiB of the new part mapped")
    machine.run(f"rm /mnt/load /mnt/filler\ncd /mnt\nmd5sum ./new >>/tmp/files/{kind}\n"
                f"md5sum --quiet -c /tmp/files/{kind}", 240)
