"""What the programs' own --help names, to hold manual pages and completions against."""

import re
import subprocess

# Beside the short or long name that --help tells there is another one.
OTHER_NAMES = {"-c": "--config", "-s": "--socket", "--help": "-h"}


def help_of(program):
    return subprocess.run(
        [program, "--help"], capture_output=True, text=True, timeout=20, check=True
    ).stdout


def commands_of_supervisor(program):
    """Each command, in order, with all its options; under "" those that need no command."""
    text = help_of(program)
    found = {}
    for line in re.findall(r"^(?:usage:| {6}) tcplock-supervisor (.*)$", text, re.M):
        synopsis = re.split(r" {2,}", line)[0]
        options = re.findall(r"(?<![\w-])--?[a-z]+", synopsis)
        for command in re.findall(r"(?<![\w-])[a-z][a-z-]+", synopsis) or [""]:
            found.setdefault(command, set()).update(options)
    of_running = text.split("found by -s")[1]
    for command, options in found.items():
        if command and re.search(rf"\b{command}\b", of_running):
            options.add("-s")
        options.update([OTHER_NAMES[name] for name in options & OTHER_NAMES.keys()])
    return found


def options_of_tcplock(program):
    text = help_of(program)
    return set(re.findall(r"^  (-[a-z]) ", text, re.M) + re.findall(r"(?<=\s)--[a-z]+", text))
