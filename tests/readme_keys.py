#!/usr/bin/env python3
"""Compares the tables of keys in README.md with what the program knows.

usage: readme_keys.py PROGRAM

Every key that `show-config` prints must be in a table, every key in a table must be printed, and
the defaults must be the same. `show-config` prints what is in force, so it is asked about several
configurations: the default ones of both protocols, and one for each kind of probe that has keys of
its own. What has no default is only looked for.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent

TCP = """
protocol: tcp
listen: [{address: "127.0.0.1:7000"}]
backend: {command: [serve], address: "127.0.0.1:{port}"}
"""
# Configuration: the keys of which the table tells the default.
CONFIGURATIONS = {
    "{}": None,
    TCP + "probe: {kind: greeting, expect: a}": set(),
    TCP + "probe: {kind: exchange, send: a, expect: b}": set(),
    TCP + "probe: {kind: http}": {"probe.path", "probe.status"},
    TCP + "probe: {kind: command, command: [check]}": set(),
    "hooks: {before_admission: {command: [a]}, session_timeout: {command: [a]},"
    " backend_ready: {command: [a]}, backend_stopped: {command: [a]}}": {
        "hooks.before_admission.timeout",
        "hooks.session_timeout.timeout",
        "hooks.backend_ready.timeout",
        "hooks.backend_stopped.timeout",
    },
}
# Where `protocol: tcp` has another default, the table has it in brackets.
OTHER_WITH_TCP = {"gate.half_closed", "probe.kind", "probe.admission"}

ROW = re.compile(r"^\| `([a-z_.\[\]]+)` \| ([^|]*) \|")
DEFAULT = re.compile(r"^(?:`([^`]*)`|([a-z]+))(?: \(`?([^`)]*)`?\))?$")


def fail(sentence):
    sys.exit(f"README.md: {sentence}")


def readme_defaults():
    """Key: (default, default with tcp if it differs); a default without backquotes is prose."""
    found = {}
    is_inside = False
    for line in (TOP / "README.md").read_text(encoding="utf-8").splitlines():
        # Other tables have other first lines, and end as all do: where no row follows.
        is_inside = line.startswith("| key | default |") or (is_inside and line.startswith("|"))
        row = ROW.match(line) if is_inside else None
        if not row:
            continue
        key, cell = row.groups()
        parts = DEFAULT.match(cell)
        if not parts:
            fail(f"{key}: cannot read the default {cell!r}")
        if key in found:
            fail(f"{key} is in two rows")
        found[key] = (parts[1], parts[3])
    return found


def unquoted(text):
    return text[1:-1] if len(text) > 2 and text[0] == text[-1] == '"' else text


def flat(shown):
    """Key: value, from the indented lines that show-config prints; a list of lines has no value."""
    found = {}
    section = ""
    for line in shown.splitlines():
        match = re.match(r"^( *)(- )?([a-z_]+):(?: (.*))?$", line)
        if not match:
            continue  # An item of a list.
        indent, item, name, value = match.groups()
        if not indent:
            if value is None:
                section = name + ("[]" if name == "listen" else "") + "."
            else:
                found[name] = unquoted(value)
        elif value and value.startswith("{") and value != "{}":
            for part in value[1:-1].split(", "):
                inner, content = part.split(": ")
                found[f"{section}{name}.{inner}"] = content
        else:
            found[section + name] = None if value is None else unquoted(value) or value
    return found


def show_config(program, text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text + "\n")
        file.flush()
        shown = subprocess.run(
            [program, "show-config", "-c", file.name], capture_output=True, text=True, check=False
        )
    if shown.returncode != 0:
        sys.exit(f"show-config ended with {shown.returncode}:\n{shown.stderr}")
    return flat(shown.stdout)


def compare(key, said, shown):
    if said is not None and shown is not None and said != shown:
        fail(f"{key}: the table says the default is {said}, show-config says {shown}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    table = readme_defaults()
    known = set()
    for text, with_default in CONFIGURATIONS.items():
        shown = show_config(sys.argv[1], text)
        known |= shown.keys()
        for key in shown.keys() & table.keys():
            if with_default is None or key in with_default:
                compare(key, table[key][0], shown[key])
    with_tcp = show_config(sys.argv[1], TCP)
    for key in OTHER_WITH_TCP:
        compare(key, table[key][1], with_tcp[key])
    for key in sorted(known - table.keys()):
        fail(f"{key} is in no table")
    for key in sorted(table.keys() - known):
        fail(f"{key} is in a table, but show-config does not know it")
    print(f"{len(known)} keys, in the program and in the tables alike")


if __name__ == "__main__":
    main()
