#!/usr/bin/env bash
# Installs what the tests need (Debian 12 or 13), builds with sanitizers and in release, runs every
# test with both, fuzzes, and says how it went. Exit status 0 only if everything passed.
#
# usage: tests/run.sh [--fast]
#
# --fast runs the tests labelled pure and io alone: no supervisor as a program, no office, no fuzzing.
# The builds are those of the presets: build/dev, build/release and build/fuzz. Everything the tests
# printed is kept in build/test-logs/.
set -eu

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs=$top/build/test-logs

packages=(
    cmake ninja-build g++ python3 python3-croniter python3-jsonschema python3-yaml tzdata
    "libboost1.83-dev|libboost1.81-dev"
    "libboost-filesystem1.83-dev|libboost-filesystem1.81-dev"
    "libboost-json1.83-dev|libboost-json1.81-dev"
    "libboost-program-options1.83-dev|libboost-program-options1.81-dev"
    libyaml-cpp-dev libspdlog-dev libfmt-dev libgtest-dev prometheus-cpp-dev
    mandoc groff-base systemd valgrind zsh
)
office_packages=(
    libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui python3-uno
    default-jdk-headless ure-java liblibreoffice-java
)
monitoring_packages=(prometheus chromium chromium-driver python3-selenium)
fuzz_packages=(clang libclang-rt-dev llvm)

# However many processors there are: most wait for most of their time, and some measure it.
tests_at_once=3

selection=()
fuzzes=yes
case "${1-}" in
    "") packages+=("${office_packages[@]}" "${monitoring_packages[@]}" "${fuzz_packages[@]}") ;;
    --fast)
        selection=(--label-regex '^(pure|io)$')
        fuzzes=no
        ;;
    *)
        echo "usage: tests/run.sh [--fast]" >&2
        exit 2
        ;;
esac

say() { printf '\n== %s\n' "$*"; }
minutes() { printf '%d min %02d s' $((SECONDS / 60)) $((SECONDS % 60)); }

build() {
    local options=(-D BUILD_TESTING=ON)
    if command -v ccache >/dev/null; then
        options+=(-D CMAKE_CXX_COMPILER_LAUNCHER=ccache)
    fi
    cmake --preset "$1" "${options[@]}" >"$logs/$1-configure.log" &&
        cmake --build --preset "$1" >"$logs/$1-build.log" 2>&1
}

# What failed, as unittest, Python, GoogleTest and the sanitizers say it.
failures_in_log='^[0-9]+: (FAIL|ERROR): |^[0-9]+: [A-Za-z.]*(Error|Exception): |: Failure$'
failures_in_log+='|^[0-9]+: ==[0-9]+==ERROR: |: runtime error: '

# While they run: one line for each test that is long or did not pass, what failed in it, and what
# tests report.
show_progress() {
    local tests='Test +#[0-9]+: (e2e|Simulation|Rooms)|Test +#.*\*\*\*'
    local reports='RESULT |histories |planted [0-9]'
    grep --line-buffered -E "$tests|$reports|$failures_in_log" |
        sed -uE 's/^[0-9]+: //; s/\.{4,}/.../' || true
}

run_tests() {
    ctest --preset "$1" -j "$tests_at_once" -V --no-tests=error "${selection[@]}" 2>&1 |
        tee "$logs/$1-tests.log" | show_progress
    return "${PIPESTATUS[0]}"
}

# The number and the name of each test that failed.
failed_tests() {
    local outcomes='Failed|Timeout|Exception|Not Run'
    sed -nE "s/^ *[0-9]+\/[0-9]+ Test +#([0-9]+): ([^ ]+).*\*\*\*($outcomes).*/\1 \2/p" \
        "$logs/$1-tests.log"
}

# What a test that failed printed: in the log its lines begin with its number.
show_failed_tests() {
    local number name
    failed_tests "$1" | while read -r number name; do
        echo "-- $name, its last lines:"
        grep -E "^$number: " "$logs/$1-tests.log" | tail -n 40
    done
}

# Every figure that a test printed, in the order of the tests' names.
show_results() {
    sed -nE 's/^[0-9]+: .*(RESULT .*|histories [0-9].*|planted [0-9].*)/    \1/p' \
        "$logs/$1-tests.log" | sort
}

# Which one-line bug in src/core was noticed by which broken promise.
show_planted_bugs() {
    local number
    number=$(sed -nE 's/.* Test +#([0-9]+): Simulation.NoticesEveryPlantedBug .*/\1/p' \
        "$logs/$1-tests.log")
    sed -nE "s/^$number: (([ 0-9]{2}  promise | {6}|planted ).*)/    \1/p" "$logs/$1-tests.log"
}

# Each of them in a line or two: what in it failed, and how.
name_failed_tests() {
    local number name
    failed_tests "$1" | while read -r number name; do
        echo "    $name failed:" "$(grep -E "^$number: " "$logs/$1-tests.log" |
            grep -E "$failures_in_log" | sed -E 's/^[0-9]+: //' | head -n 4 | paste -s -d ' ')"
    done
}

failures=0
conclude() { echo "$1" | tee -a "$logs/summary.txt"; }

check_preset() {
    local preset=$1
    say "$preset: building"
    if ! build "$preset"; then
        tail -n 60 "$logs/$preset-configure.log"
        [ ! -f "$logs/$preset-build.log" ] || tail -n 60 "$logs/$preset-build.log"
        failures=$((failures + 1))
        conclude "$preset: THE BUILD FAILED (see $logs/$preset-*.log)"
        return
    fi
    say "$preset: testing ($(minutes) so far)"
    local outcome=passed
    run_tests "$preset" || outcome=FAILED
    if [ "$outcome" = FAILED ]; then
        show_failed_tests "$preset"
        failures=$((failures + 1))
    fi
    local counted skipped
    counted=$(grep -E '^[0-9]+% tests passed' "$logs/$preset-tests.log" || echo "no test was run")
    skipped=$(grep -cE 'Test +#.*\*\*\*Skipped' "$logs/$preset-tests.log" || true)
    conclude "$preset: $outcome, $counted, $skipped skipped"
    [ "$outcome" = passed ] || conclude "$(name_failed_tests "$preset")"
}

check_fuzzing() {
    say "fuzz: building and running ($(minutes) so far)"
    local outcome="nothing was found"
    if ! tests/fuzz/run.sh >"$logs/fuzz.log" 2>&1; then
        tail -n 60 "$logs/fuzz.log"
        failures=$((failures + 1))
        outcome="FAILED (see $logs/fuzz.log)"
    fi
    local tried
    tried=$(sed -nE 's/^RESULT fuzz target=.* executions=([0-9]+) .*/\1/p' "$logs/fuzz.log" |
        awk '{ sum += $1 } END { printf "%d inputs to %d targets", sum, NR }')
    conclude "fuzz: $outcome, $tried"
}

# From here on in English, since the output of the tools is searched.
export LC_ALL=C.UTF-8
cd "$top"
mkdir -p "$logs"
rm -f "$logs"/*.log "$logs/summary.txt"
say "Installing what is missing"
packaging/quickstart/install-missing.sh "${packages[@]}"
for preset in dev release; do
    check_preset "$preset"
done
[ "$fuzzes" = no ] || check_fuzzing

say "What the tests reported"
for preset in dev release; do
    echo "$preset:"
    [ ! -f "$logs/$preset-tests.log" ] || show_results "$preset"
done
[ ! -f "$logs/fuzz.log" ] || { echo "fuzz:" && sed -n 's/^RESULT /    &/p' "$logs/fuzz.log"; }
[ ! -f "$logs/release-tests.log" ] || { echo "planted bugs:" && show_planted_bugs release; }
say "Summary, after $(minutes); all output is in $logs"
cat "$logs/summary.txt"
[ "$failures" -eq 0 ] || exit 1
