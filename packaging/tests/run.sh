#!/usr/bin/env bash
# Tests what people install, as it is installed: the Debian package in a machine that boots systemd,
# and the container image. Exit status 0 only if everything passed, and 77 if what can be run here did.
#
# usage: packaging/tests/run.sh [--all] [--deb | --image]
#
# For Debian 12, and with --all for 13 too, and the packages are built twice and compared; --deb and
# --image leave out the other one. It needs root, and installs its tools. What cannot be run on this
# machine is said in a line with "cannot run here". All output is kept in build/package-tests/.
set -eu

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$tests/../.." && pwd)
work=$top/build/package-tests
python=/usr/bin/python3 # another one that is first in PATH may be too old, or too new

packages=(mmdebstrap systemd-container dpkg-dev iproute2 python3)

releases=(12)
builds=(--once)
kinds=(deb image)
for argument in "$@"; do
    case $argument in
        --all)
            releases=(12 13)
            builds=()
            ;;
        --deb) kinds=(deb) ;;
        --image) kinds=(image) ;;
        *)
            echo "usage: packaging/tests/run.sh [--all] [--deb | --image]" >&2
            exit 2
            ;;
    esac
done

say() { printf '\n== %s\n' "$*"; }
minutes() { printf '%d min %02d s' $((SECONDS / 60)) $((SECONDS % 60)); }

verdicts=()
failures=0
conclude() {
    verdicts+=("$1")
    echo "$1"
}

# Shows what a command prints, and keeps it.
keeping() {
    local log=$1
    shift
    "$@" 2>&1 | tee "$log"
    return "${PIPESTATUS[0]}"
}

# The package is built and looked at also where no machine can be booted to install it in.
test_deb() {
    local release=$1 part outcome=passed began=$SECONDS built
    local logs=$work/debian$release
    mkdir -p "$logs"
    say "Debian $release: building the package"
    keeping "$logs/build.log" "$top/packaging/deb.sh" "$release" "${builds[@]}" || {
        failures=$((failures + 1))
        conclude "package for Debian $release: THE BUILD FAILED (see $logs/build.log)"
        return
    }
    built=$((SECONDS - began))
    # What is tested is what was built, with lintian and systemd content, and nothing else.
    (cd "$top/build/deb/debian$release" && sha256sum --check SHA256SUMS) || {
        failures=$((failures + 1))
        conclude "package for Debian $release: IS NOT WHAT packaging/deb.sh HAS BUILT"
        return
    }
    [ -z "$why_not" ] || {
        conclude "package for Debian $release: built in $built s, lintian is content; $why_not"
        return
    }
    for part in install service; do
        say "Debian $release: testing, deb_${part}_test.py ($(minutes) so far)"
        RELEASE=$release DEB=$(echo "$top/build/deb/debian$release"/tcplock-supervisor_*.deb) \
            keeping "$logs/$part.log" "$python" "$tests/deb_${part}_test.py" || outcome=FAILED
    done
    [ "$outcome" = passed ] || failures=$((failures + 1))
    conclude "package for Debian $release: $outcome (see $logs); $built s to build it, \
$((SECONDS - began - built)) s for the tests"
}

test_image() {
    local release=$1 logs=$work/debian$1
    mkdir -p "$logs"
    if [ -n "$why_not" ]; then
        conclude "image of Debian $release: $why_not"
    elif keeping "$logs/image.log" "$tests/image.sh" "$release"; then
        conclude "image of Debian $release: passed (see $logs/image.log)"
    else
        failures=$((failures + 1))
        conclude "image of Debian $release: FAILED (see $logs/image.log)"
    fi
}

export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
if [ "$(id -u)" -ne 0 ]; then
    echo "cannot run here: packages are installed in machines of their own, and that needs root."
    exit 77
fi
command -v apt-get >/dev/null || {
    echo "cannot run here: there is no apt-get; this script is for Debian."
    exit 77
}
say "Installing what is missing"
"$top/packaging/quickstart/install-missing.sh" "${packages[@]}"
rm -f "$work"/debian*/*.log # of an earlier run
# 77: this machine cannot, and says why. Anything else that goes wrong from here on is a failure.
why_not=$("$python" "$tests/deb_machine.py") || [ "$?" -eq 77 ] || {
    echo "run: $tests/deb_machine.py failed" >&2
    exit 1
}
for release in "${releases[@]}"; do
    for kind in "${kinds[@]}"; do
        "test_$kind" "$release"
    done
done

say "What the tests reported"
# Some stand behind the name of their test.
grep -ohE '(^|\.\.\. )RESULT .*' "$work"/debian*/{install,service,image}.log 2>/dev/null |
    sed 's/^\(\.\.\. \)*/    /' || true
say "Summary, after $(minutes); all output is in $work"
printf '%s\n' "${verdicts[@]}"
[ "$failures" -eq 0 ] || exit 1
[ -z "$why_not" ] || exit 77
