# SPDX-License-Identifier: Apache-2.0
"""File systems on volumes, as an administrator uses them: made, filled, unmounted, checked, found again."""
MIB = 1 << 20


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
        out = machine.run(f"fio_verify {disk} --size=64m --io_size=32m", 240)
        step.note(f"{int(out.split(';')[46]) / 1024:.0f} MiB written and compared")
        machine.run(f"logout {target} {gateway.portal(0)}")
        step.expect(machine.run(f"[ -b {disk} ] && echo there || true") == "", "the disk is there after logout")
    for kind in ["ext4", "xfs"]:
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
        # Discarding the whole disk at mkfs is left out: it would be the only discard of a new volume, which is empty.
        machine.run(f"mkfs.{kind} {'-q -E nodiscard' if kind == 'ext4' else '-q -K'} {disk}\nmount {disk} /mnt")
        machine.run("cp -a /usr/bin /usr/share /mnt\ncp -a /mnt/bin /mnt/copy\nsync", 300)
        machine.run(f"checksums /tmp/files/{kind}", 120)
        files = machine.run(f"wc -l </tmp/files/{kind}; df -m --output=used /mnt | tail -1").split()
        step.note(f"{files[0]} files, {files[1]} MiB")
    with report.step(kind, "fio verify in it") as step:
        out = machine.run("fio_verify /mnt/fio --size=48m --io_size=32m\nrm /mnt/fio", 300)
        step.note(f"{int(out.split(';')[46]) / 1024:.0f} MiB written and compared")
    with report.step(kind, "unmount, check, log out, log in, compare") as step:
        machine.run("umount /mnt")
        machine.run(f"check_file_system {kind} {disk}\nlogout {target} {portal}", 180)
        disk = machine.run(f"login {target} {portal}").strip()
        machine.run(f"check_file_system {kind} {disk}", 180)
        machine.run(f"mount -o ro {disk} /mnt\ncd /mnt; md5sum --quiet -c /tmp/files/{kind}\ncd /; umount /mnt", 180)
    with report.step(kind, "fstrim gives space back") as step:
        machine.run(f"mount {disk} /mnt\nhead -c {48 * MIB} /dev/urandom >/mnt/random\nsync")
        before = gateway.exported_size(kind)
        discards = machine.run(f"rm /mnt/random\nsync\nfstrim -v /mnt\ncat /sys/block/{disk[5:]}/stat")
        trimmed, discards = discards.strip().split("\n")
        # Fields 12 and 14 of the disk's statistics: discards that were completed, and their sectors.
        count, sectors = int(discards.split()[11]), int(discards.split()[13])
        after = gateway.exported_size(kind)
        step.note(f"{count} UNMAPs of {sectors * 512 // MIB} MiB")
        step.note(f"the image in the bucket is {(before - after) / MIB:.0f} MiB smaller")
        step.expect(count > 0, f"the initiator sent no UNMAP; fstrim says {trimmed}")
        step.expect(before - after > 40 * MIB, f"the image had {before} bytes before and {after} after")
        machine.run(f"cd /mnt; md5sum --quiet -c /tmp/files/{kind}\ncd /; umount /mnt", 180)
        machine.run(f"check_file_system {kind} {disk}\nlogout {target} {portal}", 180)
