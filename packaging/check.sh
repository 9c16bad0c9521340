#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs into an empty tree and lets systemd judge what is there. Usage: check.sh [BINARIES]
# Without BINARIES the tree gets placeholders, and the default configuration is not tried.
set -euo pipefail
cd "$(dirname "$0")/.."

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
binaries=${1:-$tree/placeholders}
names=(sluice sluice-iscsi sluice-cache sluice-uploader sluice-snapshotter sluice-exporter)
if [ $# -eq 0 ]; then
    mkdir "$binaries"
    for name in "${names[@]}"; do install -m 755 /bin/true "$binaries/$name"; done
fi
root=$tree/root
make --no-print-directory --silent install-files DESTDIR="$root" PREFIX=/usr INSTALL_FROM="$binaries"

for name in "${names[@]}"; do [ -x "$root/usr/bin/$name" ] || { echo "$name is not installed" >&2; exit 1; }; done
if grep -rn '@[a-z]*@' "$root/usr/lib" "$root/etc"; then
    echo "a placeholder was not replaced" >&2
    exit 1
fi

if ! command -v systemd-analyze >/dev/null; then
    echo "packaging: there is no systemd-analyze here; the units were not verified" >&2
else
    # The targets that every system has; the tree has only what is Sluice's.
    cp -r /lib/systemd/system/{basic,sysinit,network-online,network,local-fs,shutdown,multi-user}.target \
        "$root/usr/lib/systemd/system/"
    units=()
    for unit in "$root"/usr/lib/systemd/system/sluice*.{service,target}; do units+=("$(basename "$unit")"); done
    # systemd only complains; silence is the verdict.
    complaints=$(systemd-analyze verify --man=no --root="$root" "${units[@]}" 2>&1 | grep -F sluice || true)
    if [ -n "$complaints" ]; then
        echo "$complaints" >&2
        exit 1
    fi
    for unit in "${units[@]}"; do
        [[ $unit == *.service ]] || continue
        # 0 is a prison, 100 an open door; a plain unit has 96.
        systemd-analyze security --offline=true --threshold=25 --root="$root" --no-pager "$unit" >/dev/null || {
            echo "$unit: exposed more than it was" >&2
            exit 1
        }
    done
    systemd-sysusers --root="$root" --dry-run sluice.conf 2>/dev/null >/dev/null || {
        echo "sysusers.d/sluice.conf is refused" >&2
        exit 1
    }
fi

if [ $# -eq 1 ]; then
    # The file names no bucket; with one it is right.
    said=$("$binaries/sluice" config check --config "$root/etc/sluice/gateway.yaml" 2>&1 || true)
    grep -q 'bucket.url' <<<"$said" || { echo "gateway.yaml: $said" >&2; exit 1; }
    settings=(--set "bucket.url=file://$tree/bucket")
    mkdir "$tree/bucket"
    for name in state.directory run.directory journal.directories cache.directories; do
        mkdir "$tree/$name"
        settings+=(--set "$name=$tree/$name")
    done
    "$binaries/sluice" config check --config "$root/etc/sluice/gateway.yaml" "${settings[@]}"
fi
echo "packaging: the tree is complete and its units are sound"
