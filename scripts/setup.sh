#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages of the named groups, those that are missing. Usage: setup.sh build [test]
set -euo pipefail

build=(libzmq3-dev libzstd-dev libisal-dev pkg-config git python3)
test=(tgt qemu-utils qemu-block-extra libiscsi-bin prometheus fio libnbd-bin e2fsprogs curl)

if ! command -v swift >/dev/null; then
    echo "setup: no Swift toolchain; install Swift 6.2 or newer from https://www.swift.org/install/linux" >&2
    exit 69
fi

wanted=()
for group in "$@"; do
    case "$group" in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    *)
        echo "setup: unknown group $group; use build or test" >&2
        exit 64
        ;;
    esac
done

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

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
