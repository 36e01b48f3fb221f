#!/usr/bin/env bash
# Fuzzes what reads the bytes of strangers, and says how much of it was reached. Exit status 0 only
# if nothing was found.
#
# usage: tests/fuzz/run.sh [SECONDS [TARGET...]]
#
# Each target (all, if none is named: "inquiry", …) runs for so many seconds, 20 by default, from its
# seeds alone. It builds the preset fuzz, which needs Debian's clang, libclang-rt-dev and llvm.
# An input that breaks something is kept in build/fuzz/findings/, and breaks it again with
#   build/fuzz/tests/fuzz/fuzz_TARGET build/fuzz/findings/TARGET-…
set -euo pipefail

export LC_ALL=C.UTF-8
export LLVM_PROFILE_FILE=/dev/null  # But where coverage is measured: of the inputs that are kept.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=build/fuzz
programs=$build/tests/fuzz
work=$build/work
findings=$build/findings

seconds=${1-20}
shift || true
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: tests/fuzz/run.sh [SECONDS [TARGET...]]" >&2
    exit 2
fi
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for source in tests/fuzz/*_fuzz.cpp; do
        targets+=("$(basename "$source" _fuzz.cpp)")
    done
fi

# An input that takes five seconds, or much memory, is a finding.
limits=(-timeout=5 -rss_limit_mb=512 -malloc_limit_mb=64)
input_max=8192
# What has been freed is kept for a while, to find its use; by default as much as 256 MiB.
export ASAN_OPTIONS=quarantine_size_mb=32${ASAN_OPTIONS:+:$ASAN_OPTIONS}

number_of_files() { find "$@" -type f | wc -l; }

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
rm -rf "$work"
mkdir -p "$work" "$findings"

found=0
objects=()
for target in "${targets[@]}"; do
    program=$programs/fuzz_$target
    corpus=("$work/$target/new" "$work/$target/seeds")  # New inputs go to the first.
    log=$work/$target/log
    before=$(number_of_files "$findings" -name "$target-*")
    mkdir -p "${corpus[@]}"
    "$program" --prepare "$work/$target"

    ended=0
    "$program" "${limits[@]}" -max_len=$input_max \
        -max_total_time="$seconds" -entropic_scale_per_exec_time=1 \
        -dict="$work/$target/dictionary" -print_final_stats=1 -artifact_prefix="$findings/$target-" \
        "${corpus[@]}" >"$log" 2>&1 || ended=$?
    new=$(($(number_of_files "$findings" -name "$target-*") - before))
    if [ "$ended" -ne 0 ]; then
        tail -n 60 "$log"
        new=$((new > 0 ? new : 1))
    fi
    found=$((found + new))

    LLVM_PROFILE_FILE="$work/$target/profile" "$program" "${limits[@]}" -runs=0 "${corpus[@]}" \
        >"$work/$target/coverage-log" 2>&1 || found=$((found + (new == 0)))
    objects+=(${objects[0]+-object} "$program")
    executions=$(sed -nE 's/^stat::number_of_executed_units: +//p' "$log")
    echo "RESULT fuzz target=$target executions=${executions:-?}" \
        "corpus=$(number_of_files "${corpus[@]}") findings=$new"
done

# Of src/uno, over the inputs that were worth keeping. That functions of the targets share a name,
# such as try_input, is warned of, and does not matter here.
llvm-profdata merge -sparse "$work"/*/profile -o "$work/profile"
if ! llvm-cov report "${objects[@]}" -instr-profile="$work/profile" "$PWD/src/uno" \
    >"$work/coverage" 2>"$work/coverage-log"; then
    cat "$work/coverage-log" >&2
    exit 1
fi
# A file's name, its regions and those missed, and, from the eighth column on, the same of lines.
sort "$work/coverage" | awk '$2 ~ /^[0-9]+$/ {
    file = $1 == "TOTAL" ? "all" : $1
    sub(/.*\//, "", file)
    printf "RESULT fuzz coverage of=src/uno file=%s lines=%d/%d regions=%d/%d\n",
           file, $8 - $9, $8, $2 - $3, $2
}'

if [ "$found" -ne 0 ]; then
    echo "FOUND something: see $findings/ and the logs in $work/" >&2
    exit 1
fi
