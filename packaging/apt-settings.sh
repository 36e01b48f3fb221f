#!/usr/bin/env bash
# Prints how this machine reaches Debian's archives (proxies, retries, what is believed of their
# dates), as lines of an apt.conf, for the apt of a root that is made here. Nothing if by no special way.
set -eu -o pipefail

apt-config dump | sed -nE '/^Acquire::(https?|Check-[A-Za-z-]+|Retries)\b/p'
