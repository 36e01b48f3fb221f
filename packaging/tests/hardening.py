"""Whether a program was compiled and linked as Debian hardens its own; told by readelf."""

import os
import re
import subprocess

# What readelf prints of a program that has it.
SIGNS = {
    "PIE": r"Type: +DYN \(Position-Independent Executable",
    "RELRO": r"^ +GNU_RELRO ",
    "BIND_NOW": r"\(FLAGS\) +.*\bBIND_NOW\b",
    "no executable stack": r"^ +GNU_STACK .* RW +0x",
    "stack protector": r" UND __stack_chk_fail\b",
    "fortify": r" UND __(?!stack)\w+_chk\b",
}


def missing(path):
    """What of it this program does not have."""
    asked = ["--file-header", "--program-headers", "--dynamic", "--dyn-syms"]
    told = subprocess.run(
        ["readelf", "--wide", *asked, path],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout
    return [name for name, sign in SIGNS.items() if not re.search(sign, told, re.M)]
