#!/usr/bin/env bash
# How fast the gate is, beside HAProxy and others: installs what is missing (Debian 12 or 13),
# builds the release, and runs tests/bench/speed.py, which says what is measured and how.
#
# usage: tests/bench/speed.sh [--quick] [--rounds N] [--workload NAME]... [--contender NAME]...
#
# --quick is one short round that shows that all works; its figures say little. Without arguments it
# goes on with tests/bench/quiet.py, what the gate costs when nobody comes and how long it stands still
# when a backend starts, and tests/bench/syscalls.py, the system calls of one session. Nothing else
# should run on the machine meanwhile. Whatever was printed is in build/bench/ too, with every figure
# of every run in speed.json there.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$top/build/bench
targets=(tcplock-supervisor bench_driver bench_yardstick bench_office fake_backend)
packages=(
    cmake ninja-build g++ python3 python3-yaml
    "libboost1.83-dev|libboost1.81-dev"
    "libboost-filesystem1.83-dev|libboost-filesystem1.81-dev"
    "libboost-json1.83-dev|libboost-json1.81-dev"
    "libboost-program-options1.83-dev|libboost-program-options1.81-dev"
    libyaml-cpp-dev libspdlog-dev libfmt-dev libgtest-dev prometheus-cpp-dev
    haproxy systemd
)
# Of what is told of a gate in which nothing happens.
[ $# -gt 0 ] || packages+=(strace libreoffice-writer-nogui libreoffice-calc-nogui
    libreoffice-impress-nogui python3-uno)

build() {
    local options=(-D BUILD_TESTING=ON)
    if command -v ccache >/dev/null; then
        options+=(-D CMAKE_CXX_COMPILER_LAUNCHER=ccache)
    fi
    cmake --preset release "${options[@]}" &&
        cmake --build --preset release --target "${targets[@]}"
}

case "${1-}" in -h | --help) exec "$top/tests/bench/speed.py" --help ;; esac
export LC_ALL=C.UTF-8
cd "$top"
mkdir -p "$work"
packaging/quickstart/install-missing.sh "${packages[@]}"
echo "Building the release."
if ! build >"$work/build.log" 2>&1; then
    tail -n 60 "$work/build.log" >&2
    echo "The build failed: see $work/build.log" >&2
    exit 1
fi
tests/bench/speed.py --json "$work/speed.json" "$@" | tee "$work/speed.txt"
if [ $# -eq 0 ]; then
    tests/bench/quiet.py build/release/tcplock-supervisor build/release/tests/e2e/fake_backend |
        tee "$work/quiet.txt"
    tests/bench/syscalls.py | tee "$work/syscalls.txt"
    tests/bench/syscalls.py --uno | tee -a "$work/syscalls.txt"
fi
