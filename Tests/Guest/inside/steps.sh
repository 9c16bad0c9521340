# SPDX-License-Identifier: Apache-2.0
# What the host asks of the guest, as functions. Each fails with a message; the agent stops a script at its first error.

# network INTERFACE-NUMBER ADDRESS/PREFIX
network() {
    ip address add "$2" dev "eth$1"
    ip link set "eth$1" up
}

# A node of a cluster: sessions of this interface log in with a name of its own. Where the variable `interface` is set,
# `record`, `login` and `logout` are about its sessions.
# interface NAME INITIATOR
interface() {
    iscsiadm -m iface -I "$1" -o new >/dev/null
    iscsiadm -m iface -I "$1" -o update -n iface.initiatorname -v "$2" >/dev/null
}

# Settings that docs/OPERATIONS.md gives to users; what is not here is as the distribution delivers it.
# record TARGET PORTAL [NAME=VALUE ...]
record() {
    local node=(iscsiadm -m node ${interface:+-I "$interface"} -T "$1" -p "$2") setting
    shift 2
    "${node[@]}" -o new >/dev/null
    for setting in "$@"; do "${node[@]}" -o update -n "${setting%%=*}" -v "${setting#*=}"; done
}

# Prints the disk of the newest session.
# login TARGET PORTAL
login() {
    iscsiadm -m node ${interface:+-I "$interface"} -T "$1" -p "$2" --login >/dev/null
    local session name
    session=$(iscsiadm -m session | awk -v target="$1" -v portal="$2" \
        '$4 == target && index($3, portal ",") == 1 { gsub(/[][]/, "", $2); print $2 }' | sort -n | tail -1)
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

logout() { iscsiadm -m node ${interface:+-I "$interface"} -T "$1" -p "$2" --logout >/dev/null; }

# checksums FILE: of everything in the mounted file system, into FILE
checksums() { (cd /mnt && find . -type f -print0 | sort -z | xargs -0 md5sum) >"$1"; }

check_file_system() {
    case $1 in
    ext4) fsck.ext4 -f -n "$2" ;;
    xfs) xfs_repair -n "$2" ;;
    btrfs) btrfs check --readonly "$2" ;;
    esac
}

# The file system in /mnt takes the disk as large as it is now.
grow_file_system() {
    case $1 in
    ext4) resize2fs "$2" ;;
    xfs) xfs_growfs /mnt ;;
    btrfs) btrfs filesystem resize max /mnt ;;
    esac
}

# Tools that send commands of their own fail with the first unit attention; the kernel's drivers repeat their commands.
take_attentions() { sg_turs --num=4 "$1" >/dev/null 2>&1 || true; }

# Prints how many MiB of the disk the target keeps, from the logical block on, by GET LBA STATUS.
# mapped DISK [BLOCK]
mapped() { echo $(($(mapped_bytes "$@") >> 20)); }

mapped_bytes() {
    local block=${2:-0} size end sum=0 ranges start count state _
    size=$(blockdev --getss "$1")
    end=$(($(blockdev --getsize64 "$1") / size))
    while [ "$block" -lt "$end" ]; do
        ranges=$(sg_get_lba_status --brief --maxlen=8192 --lba="$block" "$1" | grep -E '^ *0x')
        while read -r start count state _; do
            block=$((start + count))
            if [ $((state)) -eq 0 ]; then sum=$((sum + count)); fi
        done <<<"$ranges"
    done
    echo $((sum * size))
}

# fio_verify FILE [OPTION ...]: random sizes and places, written directly, then all read back and compared
fio_verify() {
    local file=$1
    shift
    fio --name=verify --filename="$file" --ioengine=libaio --direct=1 --rw=randwrite --bsrange=4k-64k --blockalign=4k \
        --iodepth=8 --verify=crc32c --do_verify=1 --verify_fatal=1 --randrepeat=0 --minimal "$@"
}

# The same with blocks of one size after the other. Prints how many KiB were written in all.
# fio_sizes FILE SIZE:BYTES ...
fio_sizes() {
    local file=$1 sizes
    shift
    for sizes in "$@"; do
        fio_verify "$file" --bsrange="${sizes%:*}-${sizes%:*}" --blockalign="${sizes%:*}" --size="${sizes#*:}"
    done | awk -F ';' '{ sum += $47 } END { print sum }'
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

# The number in a logical block of 512 bytes.
# counter DISK BLOCK
counter() { dd if="$1" bs=512 skip="$2" count=1 iflag=direct status=none | tr -d '\0' | sed 's/^$/0/'; }

# Adds one to it again and again by COMPARE AND WRITE; prints how often another was first.
# count_up DISK BLOCK TIMES
count_up() {
    local done=0 late=0 directory
    directory=$(mktemp -d)
    while [ "$done" -lt "$3" ]; do
        dd if="$1" of="$directory/both" bs=512 skip="$2" count=1 iflag=direct status=none
        echo $(($(tr -d '\0' <"$directory/both") + 1)) >"$directory/new"
        truncate -s 512 "$directory/new"
        cat "$directory/new" >>"$directory/both"
        if sg_compare_and_write --in="$directory/both" --lba="$2" --xferlen=1024 "$1" >"$directory/out" 2>&1; then
            done=$((done + 1))
        elif [ $? -eq 14 ]; then
            late=$((late + 1))
        else
            cat "$directory/out"
            return 1
        fi
    done
    echo "$late"
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

# What the log says between these two is the step's own doing.
provoke() { echo "guest-test: errors are provoked" >/dev/kmsg; }
provoked() { echo "guest-test: no more errors" >/dev/kmsg; }

# Errors that applications or file systems saw and no step has provoked, from the kernel's log. An expression can excuse
# some.
# kernel_errors [EXPRESSION]
kernel_errors() {
    local bad='I/O error|critical .* error|lost async page write|EXT4-fs.*error|XFS.*(rror|orrupt|hutdown)'
    bad+='|BTRFS.*(error|warning|critical)|[Rr]eservation conflict|blocked for more'
    dmesg | awk '/guest-test: errors are provoked/ { skip = 1 } /guest-test: no more errors/ { skip = 0 } !skip' |
        grep -E "$bad" | grep -vE "${1:-^$}" || true
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
