#!/usr/bin/env bash
# Builds the Debian package, for Debian 12 or 13, in a fresh root of that release and with nothing
# of what is installed here; then again, in other circumstances, and compares the two bit by bit.
# Then lintian, systemd's opinion of the units, and the hashes.
#
# usage: packaging/deb.sh [12|13|--all] [--once]
#
# Without a release: 12. --once leaves out the second build. It runs as root on Debian 12 or 13, and
# installs what it needs. The packages are put in build/deb/debian12/ or build/deb/debian13/, with
# the output of each step beside them. The root with the compiler in it is kept for a week.
set -eu -o pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$top/build/deb
debian=$top/packaging/debian
mirror=http://deb.debian.org/debian
security=http://deb.debian.org/debian-security
exposure_max=15 # tenths

usage() {
    echo "usage: packaging/deb.sh [12|13|--all] [--once]" >&2
    exit 2
}
say() { printf '\n== %s\n' "$*"; }
fail() {
    printf '\ndeb: %s\n' "$*" >&2
    exit 1
}
# Something whose output is long: that is kept in a file, and its end is shown if it fails.
quietly() {
    log=$1
    shift
    "$@" >"$log" 2>&1
    log=
}
# However it ends, the root is not left behind.
finish() {
    [ -z "$log" ] || {
        tail -n 60 "$log" >&2
        printf '\ndeb: that failed, see %s\n' "$log" >&2
    }
    rm -rf "$root"
}

choose_release() {
    case $1 in
        12) codename=bookworm ;;
        13) codename=trixie ;;
    esac
    results=$work/debian$1
    root_tar=$work/debian$1-root.tar.zst
    # A version that sorts below that of the same package in the archive, and below a later release's.
    version=$(dpkg-parsechangelog --file "$debian/changelog" --show-field Version)~deb$1
    upstream=${version%-*}
    grep -q "project(tcplock-supervisor VERSION $upstream " "$top/CMakeLists.txt" ||
        fail "CMakeLists.txt is not of version $upstream, which packaging/debian/changelog begins with"
    package=tcplock-supervisor_${version}_$(dpkg --print-architecture).deb
}

# What it is to be built with, and looked at: the compiler, what the package names, lintian, systemd.
make_root() {
    local new=$work/new-root.tar.zst lines=(
        "deb $mirror $codename main"
        "deb $mirror $codename-updates main"
        "deb $security $codename-security main"
    )
    if [ -n "$(find "$root_tar" -newer "$debian/control" -mtime -7 2>/dev/null)" ]; then
        echo "Kept from before: $root_tar"
        return
    fi
    "$top/packaging/apt-settings.sh" >"$results/apt.conf"
    quietly "$results/root.log" mmdebstrap --variant=buildd --aptopt="$results/apt.conf" \
        --include=lintian,systemd --dpkgopt=force-unsafe-io --aptopt='Acquire::Languages "none"' \
        --customize-hook='mkdir -p "$1/build/debian"' \
        --customize-hook="copy-in $debian/control /build/debian" \
        --customize-hook='chroot "$1" apt-get -q -y --no-install-recommends build-dep /build' \
        --customize-hook='rm -r "$1/build"' \
        "$codename" "$new" "${lines[@]}"
    mv "$new" "$root_tar"
}

# Runs in the root, with no network; what it starts ends when it does. Where there are no namespaces
# the root is all that it has of its own.
inside() { "${separate[@]}" chroot "$root" "$@"; }

# What git knows of, as it is now, or in a copy without git all but build/.
list_sources() {
    local git=(git -c "safe.directory=$top" -C "$top")
    if "${git[@]}" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        "${git[@]}" ls-files -z
    else
        (cd "$top" && find . \( -path ./build -o -path ./.git \) -prune -o -type f -printf '%P\0' | sort -z)
    fi
}

# The sources as one archive, the same wherever it is made.
pack_sources() {
    local when
    when=$(dpkg-parsechangelog --file "$debian/changelog" --show-field Timestamp)
    list_sources | tar --directory "$top" --create --null --files-from=- \
        --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$when" \
        --transform="s,^,tcplock-supervisor-$upstream/," | gzip -n -9 >"$1"
}

# Puts the sources where they are to be built, as somebody would who has been given them.
unpack_sources() {
    local place=$1 tree=$root$1/tcplock-supervisor-$upstream
    mkdir -p "$root$place"
    pack_sources "$root$place/tcplock-supervisor_$upstream.orig.tar.gz"
    tar --directory "$root$place" -xf "$root$place/tcplock-supervisor_$upstream.orig.tar.gz"
    cp -r "$tree/packaging/debian" "$tree/debian"
    sed -i "1s/([^)]*) [a-z]*;/($version) $codename;/" "$tree/debian/changelog"
}

# build_in PLACE UMASK USER TIMEZONE LOCALE AT_ONCE WERROR
build_in() {
    unpack_sources "$1"
    inside chown -R "$3:" "$1"
    (umask "$2" && inside setpriv --reuid="$3" --regid="$3" --clear-groups --reset-env /usr/bin/env \
        HOME="$1" TZ="$4" LC_ALL="$5" DEB_BUILD_OPTIONS="parallel=$6" TCPLOCK_WERROR="$7" \
        sh -c 'cd "$0" && exec dpkg-buildpackage -us -uc' "$1/tcplock-supervisor-$upstream")
}

# That the log is read right is seen by there being files in it.
count_compiled() {
    local files warnings
    files=$(grep -cE '^\[[0-9]+/[0-9]+\] .* -c .*\.cpp$' "$results/build.log" || true)
    warnings=$(grep -cE 'warning: .*\[-W' "$results/build.log" || true)
    [ "$files" -gt 0 ] || fail "$results/build.log has no line of a compiled file that looks as it did"
    [ "$warnings" -eq 0 ] || fail "$warnings warnings, see $results/build.log"
    echo "$files files compiled, no warning"
}

compare() {
    local file differs=0
    for file in "$root$1"/*.deb "$root$1"/*.dsc "$root$1"/*.tar.*; do
        if cmp "$file" "$root$2/${file##*/}"; then
            echo "the same twice: ${file##*/}"
        else
            cp "$root$2/${file##*/}" "$results/${file##*/}.second"
            differs=1
        fi
    done
    [ "$differs" -eq 0 ] || fail "the two builds differ; both are in $results (diffoscope says where)"
}

look_with_lintian() {
    inside sh -c "cd '$1' && lintian --version && \
        lintian --allow-root --fail-on error,warning --tag-display-limit 0 *.changes" \
        >"$results/lintian.log" 2>&1 || {
        cat "$results/lintian.log"
        fail "lintian complains"
    }
    cat "$results/lintian.log"
    echo "lintian: no error and no warning"
}

# With the package installed, since systemd looks whether there is a program to start.
look_with_systemd() {
    local unit found
    quietly "$results/install.log" inside dpkg -i "$1/$package"
    inside systemd-analyze --version | sed -n 1p
    found=$(inside systemd-analyze verify --man=no tcplock-supervisor.service \
        tcplock-supervisor@other.service tcplock-supervisor.socket 2>&1) || true
    [ -z "$found" ] || fail "systemd finds something wrong with a unit: $found"
    echo "systemd-analyze verify: nothing wrong with the units"
    for unit in tcplock-supervisor.service tcplock-supervisor@.service; do
        inside env SYSTEMD_COLORS=0 SYSTEMD_URLIFY=0 systemd-analyze security --no-pager \
            --offline=true --threshold="$exposure_max" \
            "$(inside dpkg -L tcplock-supervisor | grep "/$unit\$")" >"$results/$unit.security" ||
            fail "$unit is more exposed than $exposure_max tenths, see $results/$unit.security"
        grep 'Overall exposure level' "$results/$unit.security"
    done
}

build_release() {
    choose_release "$1"
    say "Debian $1: a root to build in"
    rm -rf "$results"
    mkdir -p "$results"
    make_root
    rm -rf "$root"
    mkdir -p "$root"
    tar --directory "$root" -xf "$root_tar"

    say "Debian $1: building $package, held to no warning"
    quietly "$results/build.log" build_in /build/here 022 root UTC C.UTF-8 "$(nproc)" ON
    inside cc --version | sed -n 1p
    count_compiled
    if [ "$once" = no ]; then
        say "Debian $1: building it again, elsewhere, as somebody else would"
        quietly "$results/build-again.log" \
            build_in /srv/somewhere/else 0002 games XXX-13 C "$(($(nproc) + 1))" OFF
        compare /build/here /srv/somewhere/else
    fi

    say "Debian $1: lintian"
    look_with_lintian /build/here
    say "Debian $1: systemd's opinion"
    look_with_systemd /build/here

    say "Debian $1: the packages are in $results"
    (cd "$root/build/here" && cp -- *.deb *.dsc *.tar.* *.changes *.buildinfo "$results/")
    (cd "$results" && sha256sum -- *.deb *.dsc *.tar.* | tee SHA256SUMS)
    rm -rf "$root"
}

releases=(12)
once=no
for argument in "$@"; do
    case $argument in
        12 | 13) releases=("$argument") ;;
        --all) releases=(12 13) ;;
        --once) once=yes ;;
        *) usage ;;
    esac
done
[ "$(id -u)" -eq 0 ] || fail "this needs root, for the roots that it builds in: try sudo $0 $*"
export LC_ALL=C.UTF-8
umask 022
mkdir -p "$work"
exec 9>"$work/lock"
flock -n 9 || fail "another one builds in $work; wait for its end"
root=$work/root
log=
trap finish EXIT
separate=(unshare --mount --net --pid --fork --kill-child)
if "${separate[@]}" true 2>/dev/null; then
    separate+=("--mount-proc=$root/proc")
else
    separate=()
fi

say "Installing what is missing"
"$top/packaging/quickstart/install-missing.sh" mmdebstrap dpkg-dev zstd
for release in "${releases[@]}"; do
    build_release "$release"
done
