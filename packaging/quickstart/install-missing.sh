#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing, and says so before it does.
#
# usage: install-missing.sh PACKAGE...
#
# Nothing is upgraded or removed. The package lists are fetched only if they do not know a package,
# or if they are so old that what they name is no longer on the server.
set -eu

missing=()
for package in "$@"; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "Packages: everything needed is installed."
    exit 0
fi

echo "Packages to install with apt-get, and what they depend on:"
printf '    %s\n' "${missing[@]}"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif command -v sudo >/dev/null; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        echo "Installing packages needs root, and there is no sudo. Run this as root:" >&2
        echo "    apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
}

update() { as_root apt-get -q update; }
install() {
    as_root apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "${missing[@]}"
}
# One by one, since apt-cache is content if it knows any of several.
all_known() {
    local package
    for package in "${missing[@]}"; do
        apt-cache show --no-all-versions "$package" >/dev/null 2>&1 || return 1
    done
}

if ! all_known; then
    update
    if ! all_known; then
        echo "This system's package lists do not know all of them. They are Debian 12's names;" >&2
        echo "is this Debian 12, with its \"main\" archive in /etc/apt?" >&2
        exit 1
    fi
    install
elif ! install; then
    echo "That failed, perhaps because the package lists are old: fetching them and trying again."
    update
    install
fi
echo "Packages: installed."
