#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Starts a gateway in one directory, makes a first volume if there is none, and stays until it is stopped.
# Usage: run.sh BINARIES DIRECTORY
set -euo pipefail

sluice="$1/sluice"
directory="$2"

"$sluice" up --directory "$directory" &
supervisor=$!
stop() { kill -TERM "$supervisor" 2>/dev/null || true; }
trap stop INT TERM HUP EXIT

# The first start waits for nothing but the services; a broken one ends the supervisor with its message.
until "$sluice" status --directory "$directory" --wait 5s >/dev/null 2>&1; do
    if ! kill -0 "$supervisor" 2>/dev/null; then
        wait "$supervisor"
        exit $?
    fi
done

if [ "$("$sluice" volume list --directory "$directory" --json | tr -d '[:space:]')" = "[]" ]; then
    "$sluice" volume create first --size 10GiB --directory "$directory" >/dev/null
fi
name=$("$sluice" volume list --directory "$directory" | awk 'NR == 2 { print $1 }')
url=$("$sluice" volume show "$name" --directory "$directory" | awk '$1 == "connect" { print $3 }')
portal=${url#iscsi://}
portal=${portal%%/*}
bucket=file://$(realpath "$directory")/bucket

cat <<TEXT

  The gateway is ready. Volume "$name": $url

  Try, in another terminal:
    qemu-img info $url
    qemu-io -f raw -c 'write -P 0x5a 0 64M' -c 'read -P 0x5a 0 64M' $url
    iscsiadm -m discovery -t sendtargets -p $portal
    $sluice status --directory $directory
    $sluice snapshot create $name --directory $directory
    $sluice export --bucket $bucket --volume $name -o $name.img

  Ctrl-C stops it. Everything is in $directory.

TEXT

status=0
wait "$supervisor" || status=$?
if [ "$status" -gt 128 ]; then
    # A trapped signal ended the first wait; this one waits for the services to drain.
    status=0
    wait "$supervisor" || status=$?
fi
exit "$status"
