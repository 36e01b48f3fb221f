#!/usr/bin/env bash
# Builds the container image with LibreOffice of one release of Debian from the Dockerfile as it is,
# and the image with the programs alone, and runs image_test.py with both.
#
# usage: image.sh [12|13] [TEST...]
#
# It needs root and podman, which it installs, and the archives of Debian. The base images are made
# from those, under the names that the Dockerfile has for them, if there are none. They, and the last
# images of each release, localhost/tcplock-test, are kept so that the next run is quick: for a week,
# and then whoever comes first removes them all. Whatever is made of such a base has its label.
set -eu

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$top/build/image
release=${1:-12}
[ $# -eq 0 ] || shift

packages=(
    podman runc mmdebstrap iproute2 binutils
    python3 python3-yaml prometheus docker-compose
)
build_limit=5400 # seconds; most of it is the compiler's
label=tcplock-test
kept_for=168h
revision=of-the-test

say() { printf '\n== %s\n' "$*"; }
fail() {
    printf '\nimage.sh: %s\n' "$*" >&2
    exit 1
}

podman=(podman --runtime runc)
# No limit above this machine's own, which runc may not set; and the machine's network, since there
# may be no bridge.
limits=(--ulimit nofile=1024:1024 --ulimit nproc=1000:1000 --network host)

# As Debian's own image: the smallest system, without manual pages and translations.
make_base_archive() {
    local suite=$1
    cat >"$work/debian.sources" <<END
Types: deb
URIs: http://deb.debian.org/debian
Suites: $suite $suite-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: $suite-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
    # Both are smaller with the package that says so of a merged /usr than with the one that merges.
    mmdebstrap --quiet --format=tar --variant=minbase --include=usr-is-merged --aptopt="$work/apt.conf" \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --customize-hook='rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"' \
        --customize-hook='cd "$1/etc/apt/sources.list.d" && mv 0000* debian.sources' \
        "$suite" "$work/debian-$suite-slim.tar" "$work/debian.sources"
}

# Of those with the label, unless a container has it.
prune() { "${podman[@]}" image prune --force --filter "label=$label" "$@" >/dev/null; }

finish() {
    prune || echo "image.sh: podman keeps images that were made here; see podman ps --all --external" >&2
}

# A base image of ours is as old as the rest: Debian has had security updates since.
remove_if_old() {
    local old
    old=$("${podman[@]}" image list --quiet --filter "label=$label" --filter "until=$kept_for")
    [ -n "$old" ] || return 0
    say "Removing the images of earlier runs, which are older than $kept_for"
    prune --all
}

# Under the name that the Dockerfile has for it. One that is here already, Debian's own perhaps, is
# taken as it is.
have_base_image() {
    local suite=$1 name=docker.io/library/debian:$1-slim
    ! "${podman[@]}" image exists "$name" || return 0
    say "Making a base image $name"
    make_base_archive "$suite"
    "${podman[@]}" import --quiet --change "LABEL $label=yes" "$work/debian-$suite-slim.tar" "$name"
    rm "$work/debian-$suite-slim.tar"
}

# The format is Docker's, since the other has no health check.
build() {
    local tag=$1
    shift
    timeout "$build_limit" "${podman[@]}" build --format docker --pull=never "${limits[@]}" \
        --volume "$work/apt.conf:/etc/apt/apt.conf.d/99host:ro" \
        --file "$top/packaging/docker/Dockerfile" --tag "localhost/tcplock-test:$tag" \
        --label "$label=yes" "$@" "$top" >>"$log" 2>&1 ||
        { tail -n 40 "$log" >&2; fail "the build of \"$tag\" failed; all of it is in $log"; }
}

case $release in
12) suite=bookworm ;;
13) suite=trixie ;;
*) fail "unknown release \"$release\"; it is 12 or 13" ;;
esac

[ "$(id -u)" -eq 0 ] || fail "images are built and run by root: try sudo $0"
command -v apt-get >/dev/null || fail "there is no apt-get; this script is for Debian"

say "Installing what is missing"
"$top/packaging/quickstart/install-missing.sh" "${packages[@]}"

mkdir -p "$work"
# One that prunes would take from another what that is about to use.
exec 9>/run/lock/tcplock-test-image
flock -n 9 || fail "another one builds or tests images on this machine; wait for its end"
# Only the last image of each name, and what that is made of, outlives this.
trap finish EXIT
remove_if_old
"$top/packaging/apt-settings.sh" >"$work/apt.conf" # The Dockerfile knows nothing of it.
have_base_image bookworm # where the programs are built
have_base_image "$suite"

say "Building the image, Debian $release ($suite)"
log=$work/build-$release.log
: >"$log"
build libraries --target libraries # by name, or they would not be kept
build "program-$suite" --target program
build "client-$suite" --target client --build-arg "DEBIAN=$suite"
build "$suite" --build-arg "DEBIAN=$suite" --build-arg "REVISION=$revision"

say "Testing it, Debian $release"
# The Python that has Debian's modules is the system's own.
SUITE=$suite REVISION=$revision /usr/bin/python3 "$top/packaging/tests/image_test.py" --verbose "$@"
