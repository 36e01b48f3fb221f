#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing, and says so before it does.
#
# usage: install-missing.sh PACKAGE[|ALTERNATIVE]...
#
# "libboost1.83-dev|libboost1.81-dev": either will do, as in a package's dependencies. If neither is
# there, the first that the package lists know is installed.
#
# Nothing is upgraded or removed. The package lists are fetched only if they do not know a package,
# or if they are so old that what they name is no longer on the server.
set -eu

is_installed() {
    local state
    state=$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null || true)
    [ "$state" = installed ]
}
is_known() { apt-cache show --no-all-versions "$1" >/dev/null 2>&1; }

# The first of "A|B" of which the command given before it is true.
first_that() {
    local alternative
    for alternative in ${2//|/ }; do
        if "$1" "$alternative"; then
            echo "$alternative"
            return
        fi
    done
    return 1
}

wanted=()
for package in "$@"; do
    first_that is_installed "$package" >/dev/null || wanted+=("$package")
done
if [ ${#wanted[@]} -eq 0 ]; then
    echo "Packages: everything needed is installed."
    exit 0
fi

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif command -v sudo >/dev/null; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        echo "Installing packages needs root, and there is no sudo. Run this as root:" >&2
        echo "    $0 ${wanted[*]@Q}" >&2
        exit 1
    fi
}

update() { as_root apt-get -q update; }
install() {
    as_root apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "${missing[@]}"
}
# What to install, in "missing". One by one, since apt-cache is content if it knows any of several.
choose() {
    local package
    missing=()
    for package in "${wanted[@]}"; do
        missing+=("$(first_that is_known "$package")") || return 1
    done
}

if ! choose; then
    update
    if ! choose; then
        echo "This system's package lists do not know all of these: ${wanted[*]}" >&2
        echo "They are names of Debian 12 and 13." >&2
        echo "Is this one of them, with its \"main\" archive in /etc/apt?" >&2
        exit 1
    fi
fi
echo "Packages to install with apt-get, and what they depend on:"
printf '    %s\n' "${missing[@]}"
if ! install; then
    echo "That failed, perhaps because the package lists are old: fetching them and trying again."
    update
    install
fi
echo "Packages: installed."
