"""The manual pages: that they say what the program does, and are well-formed.

Run in this directory, with TCPLOCK_BINARY and TCPLOCK_COMMAND. mandoc and groff come with Debian's
packages mandoc and groff-base.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests"))

import readme_keys  # noqa: E402
import usage  # noqa: E402

SUPERVISOR = os.environ.get("TCPLOCK_BINARY", "")
TCPLOCK = os.environ.get("TCPLOCK_COMMAND", "")
MANUAL = TOP / "packaging" / "man"
PAGES = ["tcplock.1", "tcplock.yaml.5", "tcplock-supervisor.8"]


def source(page):
    return (MANUAL / page).read_text(encoding="utf-8")


def plain(text):
    """What roff's escapes stand for."""
    return text.replace(r"\-", "-").replace(r"\(dq", '"').replace(r"\&", "").replace(r"\e", "\\")


def part(page, title):
    """Of a page, one section or subsection."""
    end = r"(?=^\.Sh |^\.\1 |\Z)"
    found = re.search(rf"^\.(S[hs]) {title}\n(.*?){end}", source(page), re.M | re.S)
    if not found:
        raise AssertionError(f"{page} has no part {title}")
    return found[2]


def options_named(text):
    return {"-" + plain(name) for name in re.findall(r"(?<=[ .])Fl (\S+)", text)}


def tagged(text, macro):
    """What a list explains, in order: the first words after `.It` and the macro."""
    return [plain(word) for word in re.findall(rf"^\.It {macro} (\S+)", text, re.M)]


def keys_of_manual():
    """Key: (default, default with tcp); None where it has none."""
    found = {}
    listed = part("tcplock.yaml.5", "KEYS")
    for key, about in re.findall(r"^\.It Ic (\S+)\n\.Pq (.*)$", listed, re.M):
        default = re.search(r"; No default (?:Cm (\S+)|soffice)(?: , No with tcp Cm (\S+))?", about)
        if not default and not about.endswith("; No no default"):
            raise AssertionError(f"tcplock.yaml.5: {key}: cannot read the default in {about!r}")
        if key in found:
            raise AssertionError(f"tcplock.yaml.5: {key} stands there twice")
        values = default.groups() if default else (None, None)
        found[key] = [value and plain(value) for value in values]
    if len(found) != len(re.findall(r"^\.It Ic ", listed, re.M)):
        raise AssertionError("tcplock.yaml.5: a key does not say what is possible")
    return found


def examples(page):
    texts = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", source(page), re.M | re.S)
    return [plain(text) for text in texts]


def configurations(page):
    return [text for text in examples(page) if not text.startswith(("$ ", "# "))]


def rows_of_readme(first_line):
    """The cells of a table."""
    text = (TOP / "README.md").read_text(encoding="utf-8")
    table = text.split(f"\n{first_line}\n", 1)[1].split("\n\n")[0]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[1:]]


def run(*command):
    if not shutil.which(command[0]):
        raise AssertionError(f"{command[0]} is missing: tests/run.sh names the package")
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class Keys(unittest.TestCase):
    def setUp(self):
        self.manual = keys_of_manual()

    def test_are_those_of_the_program(self):
        known = set()
        for text in readme_keys.CONFIGURATIONS:
            known |= readme_keys.show_config(SUPERVISOR, text).keys()
        self.assertEqual(sorted(self.manual), sorted(known))

    def test_have_the_defaults_of_the_program(self):
        compared = set()
        for text, with_default in readme_keys.CONFIGURATIONS.items():
            shown = readme_keys.show_config(SUPERVISOR, text)
            for key in shown if with_default is None else with_default:
                if shown[key] is not None:  # a list of lines
                    self.assertEqual(self.manual[key][0], shown[key], key)
                    compared.add(key)
        # They have none, or, ports, are shown with the other protocol alone.
        without = {"probe.send", "probe.expect", "backend.ports"}
        without |= {key for key in self.manual if key.endswith(".command")}
        self.assertEqual(compared, self.manual.keys() - without)

    def test_have_the_defaults_of_the_other_protocol(self):
        written = {"protocol", "listen[].address", "backend.command", "backend.address"}
        shown = readme_keys.show_config(SUPERVISOR, readme_keys.TCP)
        for key in shown.keys() - written:
            default, with_tcp = self.manual[key]
            self.assertEqual(with_tcp or default, shown[key], key)
        self.assertGreater(len(shown), 40)


class Commands(unittest.TestCase):
    def test_of_the_supervisor_are_all_there(self):
        commands = usage.commands_of_supervisor(SUPERVISOR)
        page = "tcplock-supervisor.8"
        self.assertEqual(tagged(part(page, "COMMANDS"), "Cm"), [name for name in commands if name])
        self.assertEqual(options_named(part(page, "OPTIONS")), set().union(*commands.values()))

    def test_are_in_the_synopsis_with_their_options(self):
        synopsis = {}
        for form in part("tcplock-supervisor.8", "SYNOPSIS").split(".Nm\n")[1:]:
            command = re.search(r"^\.Cm (\S+)", form, re.M)
            options = options_named(form)
            # `Op Fl -json | -watch` has one macro for both.
            options |= {f"-{word}" for word in re.findall(r"\| (-\S+)", form)}
            synopsis.setdefault(command[1] if command else "", set()).update(options)
        for command, options in usage.commands_of_supervisor(SUPERVISOR).items():
            self.assertEqual(synopsis[command], options - set(usage.OTHER_NAMES.values()), command)

    def test_of_tcplock_are_all_there(self):
        options = usage.options_of_tcplock(TCPLOCK)
        self.assertEqual(options_named(part("tcplock.1", "DESCRIPTION").split(".El")[0]), options)

    def test_options_are_known_to_the_programs(self):
        """Also those that --help does not tell."""
        for program, page, title in [
            (SUPERVISOR, "tcplock-supervisor.8", "OPTIONS"),
            (TCPLOCK, "tcplock.1", "DESCRIPTION"),
        ]:
            self.assertIn("unrecognised option", run(program, "--no-such").stderr)
            for option in options_named(part(page, title)):
                self.assertNotIn("unrecognised option", run(program, option).stderr, option)


class Words(unittest.TestCase):
    def test_ends_are_those_of_the_readme(self):
        codes = [row[1].strip("`") for row in rows_of_readme("| message | end | means |")]
        self.assertGreater(len(codes), 20)
        self.assertEqual(tagged(part("tcplock-supervisor.8", "Ends"), "Cm"), codes)

    def test_reasons_are_those_of_the_readme(self):
        reasons = [row[0].strip("`") for row in rows_of_readme("| reason | why | how it is ended |")]
        self.assertGreater(len(reasons), 15)
        self.assertEqual(tagged(part("tcplock-supervisor.8", "Reasons"), "Cm"), reasons)

    def test_signals_are_those_of_the_readme(self):
        signals = [row[0] for row in rows_of_readme("| signal | what happens |")]
        listed = re.findall(r"^\.It (.+)$", part("tcplock-supervisor.8", "SIGNALS"), re.M)
        self.assertEqual(sorted(names.replace(" ,", ",") for names in listed), sorted(signals))

    def test_exit_codes_are_those_of_the_readme(self):
        codes = [row[0] for row in rows_of_readme("| exit code | means |")]
        found = re.findall(r"^\.It (\d+)$", part("tcplock-supervisor.8", "EXIT STATUS"), re.M)
        self.assertEqual(found, codes)


class Examples(unittest.TestCase):
    def test_load(self):
        texts = [*configurations("tcplock.yaml.5"), *configurations("tcplock.1")]
        self.assertGreater(len(texts), 5)
        for text in texts:
            with self.subTest(text), tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(text)
                file.flush()
                checked = run(SUPERVISOR, "check", "-c", file.name)
                self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_the_default_command_is_that_of_the_program(self):
        text = next(text for text in configurations("tcplock.yaml.5") if "soffice" in text)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as empty:
            shown = run(SUPERVISOR, "show-config", "-c", empty.name)
        command = yaml.safe_load(shown.stdout)["backend"]["command"]
        self.assertEqual(yaml.safe_load(text)["backend"]["command"], command)


class Form(unittest.TestCase):
    def test_mandoc_finds_nothing_wrong(self):
        for page in PAGES:
            linted = run("mandoc", "-T", "lint", "-W", "warning", str(MANUAL / page))
            self.assertEqual((linted.returncode, linted.stdout), (0, ""), linted.stderr)

    def test_groff_finds_nothing_wrong(self):
        for page in PAGES:
            formatted = run("groff", "-m", "mdoc", "-ww", "-z", "-T", "utf8", str(MANUAL / page))
            self.assertEqual((formatted.returncode, formatted.stderr), (0, ""))

    def test_there_are_no_others(self):
        self.assertEqual(sorted(os.listdir(MANUAL)), sorted(PAGES))


if __name__ == "__main__":
    unittest.main()
