#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs what the host sends over a virtual serial port, several scripts at once. A request is a line "NUMBER SCRIPT", an
# answer "NUMBER STATUS OUTPUT"; script and output are in base64, so that a line is always a whole one. The port can be
# opened only once, and answers take turns by a lock.
modprobe -q -a virtio_console virtio_net iscsi_tcp sd_mod sg
cd /run/payload || exit 1

port=
for _ in $(seq 100); do
    for port in /dev/vport*p*; do [ -c "$port" ] && break 2; done
    sleep 0.1
done
exec 3<>"$port"
stty -F "$port" raw -echo 2>/dev/null

answer() {
    flock 9
    printf '%s %s %s\n' "$1" "$2" "$(base64 -w0 <"$3")" >&3
} 9>/run/agent.lock

echo "0 0 $(uname -r | base64 -w0)" >&3
while read -r number script <&3; do
    [ "$script" = stop ] && break
    (
        base64 -d <<<"$script" >"/tmp/$number.sh"
        bash -euo pipefail -c '. /run/payload/steps.sh; . "$0"' "/tmp/$number.sh" >"/tmp/$number.out" 2>&1 3>&-
        answer "$number" $? "/tmp/$number.out"
        rm -f "/tmp/$number.sh" "/tmp/$number.out"
    ) &
done
sync
