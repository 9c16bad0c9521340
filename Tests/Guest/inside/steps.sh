# SPDX-License-Identifier: Apache-2.0
# What the host asks of the guest, as functions. Each fails with a message; the agent stops a script at its first error.

# network INTERFACE-NUMBER ADDRESS/PREFIX
network() {
    ip address add "$2" dev "eth$1"
    ip link set "eth$1" up
}

# Settings that docs/OPERATIONS.md gives to users; what is not here is as the distribution delivers it.
# record TARGET PORTAL [NAME=VALUE ...]
record() {
    local target=$1 portal=$2 setting
    shift 2
    iscsiadm -m node -o new -T "$target" -p "$portal" >/dev/null
    for setting in "$@"; do
        iscsiadm -m node -T "$target" -p "$portal" -o update -n "${setting%%=*}" -v "${setting#*=}"
    done
}

# Prints the disk of the newest session.
# login TARGET PORTAL
login() {
    iscsiadm -m node -T "$1" -p "$2" --login >/dev/null
    local session name
    session=$(iscsiadm -m session | awk -v target="$1" -v portal="$2" \
        '$4 == target && index($3, portal ",") == 1 { gsub(/[][]/, "", $2); print $2 }')
    for _ in $(seq 100); do
        for name in "/sys/class/iscsi_session/session$session"/device/target*/*/block/*; do
            if [ -b "/dev/${name##*/}" ]; then
                udevadm settle --timeout=10
                echo "/dev/${name##*/}"
                return
            fi
        done
        sleep 0.1
    done
    echo "no disk of session $session" >&2
    return 1
}

logout() { iscsiadm -m node -T "$1" -p "$2" --logout >/dev/null; }

# checksums FILE: of everything in the mounted file system, into FILE
checksums() { (cd /mnt && find . -type f -print0 | sort -z | xargs -0 md5sum) >"$1"; }

check_file_system() {
    case $1 in
    ext4) fsck.ext4 -f -n "$2" ;;
    xfs) xfs_repair -n "$2" ;;
    esac
}

# fio_verify FILE [OPTION ...]: random sizes and places, written directly, then all read back and compared
fio_verify() {
    local file=$1
    shift
    fio --name=verify --filename="$file" --ioengine=libaio --direct=1 --rw=randwrite --bsrange=4k-64k --blockalign=4k \
        --iodepth=8 --verify=crc32c --do_verify=1 --verify_fatal=1 --randrepeat=0 --minimal "$@"
}

# Whole passes of fio verify one after the other until the file /tmp/stop-load is there; prints how many.
# load DISK [OPTION ...]
load() {
    local passes=0
    rm -f /tmp/stop-load
    while [ ! -e /tmp/stop-load ]; do
        fio_verify "$@" >/tmp/load.txt 2>&1 || { cat /tmp/load.txt; return 1; }
        passes=$((passes + 1))
    done
    echo "$passes"
}

# One write of 4 KiB after the other, each with the time of its completion in a log, until the file /tmp/stop-probe is
# there; fio removes it.
# probe DISK SECONDS [OPTION ...]
probe() {
    local disk=$1 seconds=$2
    shift 2
    rm -f /tmp/probe* /tmp/stop-probe
    fio --name=probe --filename="$disk" --ioengine=psync --direct=1 --rw=write --bs=4k --size=16m --thinktime=10ms \
        --time_based --runtime="$seconds" --write_lat_log=/tmp/probe --log_unix_epoch=1 \
        --trigger-file=/tmp/stop-probe --trigger=true "$@" >/tmp/probe.txt 2>&1 || { cat /tmp/probe.txt; return 1; }
}

# Errors that applications or file systems saw, from the kernel's log. An expression can excuse some.
# kernel_errors [EXPRESSION]
kernel_errors() {
    local bad='I/O error|lost async page write|EXT4-fs.*error|XFS.*(rror|orrupt|hutdown)|blocked for more'
    dmesg | grep -E "$bad" | grep -vE "${1:-^$}" || true
}

# Prints the device of the one map, once it has so many usable paths.
# map_with_paths COUNT
map_with_paths() {
    local name count
    for _ in $(seq 300); do
        name=$(dmsetup ls --target multipath | awk '$1 != "No" { print $1; exit }')
        count=$(multipathd show paths format '%t %T %o' | grep -cE 'active +ready +running' || true)
        if [ -n "$name" ] && [ "$count" -eq "$1" ]; then
            echo "/dev/mapper/$name"
            return
        fi
        sleep 0.2
    done
    multipath -ll >&2
    return 1
}
