#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the guest of `make guest-test`: this host's own Debian release with the kernel's iSCSI initiator, as files that
# QEMU boots without a boot loader: kernel, initramfs, root disk. No loop device, no mount and no KVM are needed, but
# root for debootstrap's chroot. What the tests do in the guest is not in it (inside/), so it is rarely built anew.
# Usage: build.sh DIRECTORY
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

here=$(cd "$(dirname "$0")" && pwd)
packages=open-iscsi,multipath-tools,e2fsprogs,xfsprogs,btrfs-progs,fio,sg3-utils,kmod,udev
packages+=,iproute2,procps,dmsetup,lsscsi,busybox-static
kernel=linux-image-cloud-amd64
megabytes=1200

[ $# -eq 1 ] || { echo "usage: build.sh DIRECTORY" >&2; exit 64; }
mkdir -p "$1"
directory=$(cd "$1" && pwd)
if [ ! -e /etc/debian_version ] || [ "$(dpkg --print-architecture)" != amd64 ]; then
    echo "build.sh: the guest is made of this host's packages, which needs Debian on amd64" >&2
    exit 69
fi
# The kernel's name is part of the stamp: after an update of the host's lists the guest follows.
version=$(apt-cache depends "$kernel" | awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }')
if [ -z "$version" ]; then
    echo "build.sh: apt knows no $kernel; run apt-get update" >&2
    exit 69
fi
version=${version#linux-image-}
stamp=$({ cat "$0" "$here"/image/*; echo "$version"; } | sha256sum | cut -d' ' -f1)
if [ "$(cat "$directory/stamp" 2>/dev/null)" = "$stamp" ]; then exit 0; fi
if [ "$(id -u)" -ne 0 ]; then exec sudo "$0" "$directory"; fi

echo "guest: building Debian with Linux $version, a minute or two"
rm -f "$directory/stamp"
work=$(mktemp -d "$directory/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

# DEBIAN_MIRROR, or where apt gets this release's packages from.
# shellcheck source=/dev/null
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(CODENAME) $(SITE)' 'Created-By: Packages' |
    awk -v release="$release" '$1 == release { print $2; exit }')}
if ! debootstrap --variant=minbase --include="$packages" "$release" "$root" "$mirror" >"$work/log" 2>&1; then
    tail -20 "$work/log" >&2
    exit 70
fi

# Unpacked rather than installed: no initramfs is made for it, and no boot loader asked for.
(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "linux-image-$version")
dpkg-deb --extract "$work"/linux-image-*.deb "$work/kernel"
mkdir -p "$root/lib/modules"
cp -a "$work/kernel/lib/modules/$version" "$root/lib/modules/"
depmod -b "$root" "$version"

rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}/*
echo guest >"$root/etc/hostname"
echo "127.0.0.1 localhost guest" >"$root/etc/hosts"
install -m 755 "$here/image/init" "$root/guest-init"

# The initramfs: busybox and the modules without which the root disk cannot be mounted, in the order of their needs.
early=$work/initramfs
mkdir -p "$early"/{bin,dev,proc,sys,new,modules}
cp "$root/bin/busybox" "$early/bin/busybox"
install -m 755 "$here/image/initramfs" "$early/init"
number=100
for module in virtio_pci virtio_blk ext4; do
    for file in $(modprobe --dirname "$root" --set-version "$version" --show-depends "$module" |
        awk '$1 == "insmod" { print $2 }'); do
        name=$(basename "$file")
        compgen -G "$early/modules/*-$name" >/dev/null && continue
        number=$((number + 1))
        cp "$file" "$early/modules/$number-$name"
    done
done
(cd "$early" && find . | cpio --quiet -o -H newc) | gzip -1 >"$work/initramfs.gz"

truncate -s "${megabytes}M" "$work/root.img"
mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$root" "$work/root.img"
cp "$work/kernel/boot/vmlinuz-$version" "$work/vmlinuz"
mv "$work/vmlinuz" "$work/initramfs.gz" "$work/root.img" "$directory/"
echo "$stamp" >"$directory/stamp"
