#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages of the named groups, those that are missing, and for the groups of S3 servers a Python
# environment in .tools/venv. Usage: setup.sh build [test] [s3] [s3-more] [compose] [guest]
set -euo pipefail

build=(libzmq3-dev libzstd-dev libisal-dev pkg-config git python3)
test=(tgt qemu-utils qemu-block-extra libiscsi-bin prometheus fio libnbd-bin e2fsprogs curl iproute2)
s3=(python3-venv)
# Swift and Ceph, whose daemons are only ever started by tests.
s3_more=(python3-venv swift-proxy swift-account swift-container swift-object memcached
    ceph-mon ceph-mgr ceph-osd radosgw ceph-common)
# A virtual machine with the kernel's iSCSI initiator, and the tools that make its disk and its networks.
guest=(qemu-system-x86 debootstrap kmod cpio e2fsprogs nftables iproute2 util-linux python3)
# A docker daemon and what makes its base image, for machines that reach no image registry.
compose=(python3-venv docker.io iptables debootstrap e2fsprogs iproute2 qemu-utils qemu-block-extra prometheus)

if ! command -v swift >/dev/null; then
    echo "setup: no Swift toolchain; install Swift 6.2 or newer from https://www.swift.org/install/linux" >&2
    exit 69
fi

wanted=()
requirements=()
for group in "$@"; do
    case "$group" in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    s3)
        wanted+=("${s3[@]}")
        requirements+=(s3)
        ;;
    s3-more)
        wanted+=("${s3_more[@]}")
        requirements+=(s3 s3-more)
        ;;
    guest) wanted+=("${guest[@]}") ;;
    compose)
        wanted+=("${compose[@]}")
        requirements+=(s3 compose)
        ;;
    *)
        echo "setup: unknown group $group; use build, test, s3, s3-more, compose or guest" >&2
        exit 64
        ;;
    esac
done

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done

install_packages() {
    if ! command -v apt-get >/dev/null; then
        echo "setup: not a Debian system; install what corresponds to: ${missing[*]}" >&2
        exit 69
    fi
    root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "setup: run as root, or install sudo, or install these packages: ${missing[*]}" >&2
            exit 69
        fi
        root=(sudo)
    fi
    echo "setup: installing ${missing[*]}"
    # Daemons that packages bring (a whole Prometheus, for promtool) are not to be started here.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
        "${root[@]}" chmod +x "$policy"
        trap '"${root[@]}" rm -f "$policy"' EXIT
    fi
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
[ ${#missing[@]} -eq 0 ] || install_packages

# Servers that come as Python packages, with the versions of scripts/requirements/NAME.txt. A stamp per list makes it
# quick when nothing has changed.
install_python() {
    local list=$1 venv=$2 stamp=$2/.installed-$(basename "$1" .txt)
    if [ -e "$stamp" ] && cmp --silent "$list" "$stamp"; then return; fi
    echo "setup: installing $(grep -c '^[a-zA-Z]' "$list") Python packages of $(basename "$list")"
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --no-cache-dir --requirement "$list"
    cp "$list" "$stamp"
}
here=$(cd "$(dirname "$0")" && pwd)
for name in "${requirements[@]}"; do
    install_python "$here/requirements/$name.txt" "$here/../.tools/venv"
done
