#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets and runs them one after the other; stops at the first find, which is then in
# Fuzz/FailCases/TARGET. Usage: fuzz.sh SECONDS_PER_TARGET [TARGET...]; 0 seconds only run what is kept.
set -euo pipefail

seconds=$1
shift
cd "$(dirname "$0")/../Fuzz"
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(FuzzPDU FuzzTextKeys FuzzCDB FuzzEnvelope FuzzJournal FuzzPack)

swift build --configuration release
binaries=$(swift build --configuration release --show-bin-path)

# libFuzzer writes the find; Swift's own report of the crash would come in its way. Swift's runtime keeps what leak
# detection takes for leaks.
export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-}

for target in "${targets[@]}"; do
    mkdir -p "FailCases/$target" ".build/corpus/$target"
    # Nothing may need more memory than its input and the limits give reason for.
    options=(-timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=256 "-artifact_prefix=FailCases/$target/")
    kept=(Corpus/"$target"/* FailCases/"$target"/*)
    existing=()
    for file in "${kept[@]}"; do [ ! -f "$file" ] || existing+=("$file"); done
    log=.build/$target.log
    echo "fuzz: $target, ${#existing[@]} kept inputs"
    "$binaries/$target" "${options[@]}" "${existing[@]}" >"$log" 2>&1 ||
        { tail -40 "$log" && echo "fuzz: $target fails on a kept input" >&2 && exit 1; }
    [ "$seconds" -gt 0 ] || continue
    # Inputs up to 16 KiB: a frame of raw blocks fits. What is found stays beside the build, for the next run.
    "$binaries/$target" "${options[@]}" -max_len=16384 -len_control=20 -max_total_time="$seconds" \
        -print_final_stats=1 ".build/corpus/$target" "Corpus/$target" >"$log" 2>&1 ||
        { tail -40 "$log" && echo "fuzz: a find of $target is in Fuzz/FailCases/$target" >&2 && exit 1; }
    grep -E '(DONE|average_exec)' "$log" || true
done
