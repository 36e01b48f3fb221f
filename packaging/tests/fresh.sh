#!/usr/bin/env bash
# What the README tells a newcomer to do, where nothing has been done before: packaging/quickstart.sh,
# as somebody who may use sudo and as root, and then tests/run.sh, in a fresh minimal root of Debian 12
# or 13, each from a clone of this repository.
#
# usage: packaging/tests/fresh.sh 12|13 --quickstart    the quick starts alone
#        packaging/tests/fresh.sh 12|13 [ARGUMENT...]   both; the arguments are those of tests/run.sh
#
# It needs root, and Debian's archives. What is committed is cloned, and what is not is not. The root
# has this machine's network, so the addresses of the quick start must be free; it is removed at the
# end. All of tests/run.sh takes more than an hour.
set -eu

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$tests/../.." && pwd)

usage() {
    echo "usage: packaging/tests/fresh.sh 12|13 [--quickstart | ARGUMENT...]" >&2
    exit 2
}
case ${1-} in
    12) suite=bookworm ;;
    13) suite=trixie ;;
    *) usage ;;
esac
release=$1
shift
[ "${1-}" != --quickstart ] || [ $# -eq 1 ] || usage

say() { printf '\n== %s\n' "$*"; }
fail() {
    printf '\nfresh: %s\n' "$*" >&2
    exit 1
}

make_root() {
    "$top/packaging/apt-settings.sh" >"$work/apt.conf"
    mmdebstrap --quiet --variant=minbase --include=sudo --aptopt="$work/apt.conf" "$suite" "$root"
    # As the installer of every Debian has it; in 13 a package has, too. Without it an office asks the
    # name service, in vain, who each of its clients is.
    printf '%s\n' '127.0.0.1 localhost' '::1 localhost ip6-localhost ip6-loopback' >"$root/etc/hosts"
    chroot "$root" useradd --create-home --shell /bin/bash newcomer
    echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/newcomer"
    for home in root home/newcomer; do
        git clone --quiet --no-hardlinks "$top" "$root/$home/tcplock-supervisor"
    done
    chroot "$root" chown --recursive newcomer: /home/newcomer
}

# As root on a machine of his own, but for its kernel, its network and its limits.
inside() {
    systemd-nspawn --quiet --machine="fresh-$release-$$" --register=no --keep-unit --as-pid2 \
        --capability=all --resolv-conf=off \
        --rlimit="RLIMIT_NOFILE=$(ulimit -Sn):$(ulimit -Hn)" \
        --console=pipe --directory="$root" --chdir=/root/tcplock-supervisor "$@"
}

# Each quick start leaves a supervisor running, and says how to stop it.
# shellcheck disable=SC2016 # it is for the shell in there
newcomer='
set -eu
quick_start() {
    printf "\n== In there, as %s\n" "$1"
    runuser -l "$1" -c "tcplock-supervisor/packaging/quickstart.sh"
    supervisor=$(cat "$2/tcplock-supervisor/build/quickstart/supervisor.pid")
    kill "$supervisor"
    timeout 60 tail --pid="$supervisor" -f /dev/null || { echo "it does not end" >&2; exit 1; }
}
quick_start newcomer /home/newcomer
quick_start root /root
[ "${1-}" != --quickstart ] || exit 0
exec tests/run.sh "$@"
'

[ "$(id -u)" -eq 0 ] || fail "this needs root, for the root that it makes: try sudo $0 $release $*"
say "Installing what is missing"
"$top/packaging/quickstart/install-missing.sh" mmdebstrap systemd-container git
mkdir -p "$top/build"
work=$(mktemp -d "$top/build/fresh-$release-XXXXXX")
root=$work/root
trap 'rm -rf --one-file-system "$work"' EXIT
say "Making a root of Debian $release ($suite), and two clones in it"
make_root
inside bash -c "$newcomer" newcomer "$@" </dev/null
say "Debian $release: the newcomer is content"
