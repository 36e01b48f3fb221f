#!/usr/bin/env bash
# Prints how this machine reaches Debian's archives (proxies, retries, what is believed of their
# dates), as lines of an apt.conf, for the apt of a root that is made here. Nothing if by no special way.
set -eu

apt-config dump | grep -E '^Acquire::(https?|Check-[A-Za-z-]+|Retries)\b' || true
