#!/usr/bin/env python3
"""Checks what `tcplock-supervisor schema` prints with a JSON Schema validator of others.

usage: schema_test.py PROGRAM CONFIG_TEST

The schema must be valid itself, and find nothing wrong with the samples and with what
`show-config` prints of them. Of the wrong configurations in wrong_configuration_test.cpp, which
CONFIG_TEST tells, it must find every problem, at its key, but those that are named in BEYOND; and
it must not find those.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import jsonschema
import yaml

SAMPLES = sorted((pathlib.Path(__file__).resolve().parents[2] / "config").glob("*.yaml"))

# Why no schema finds it, and the message it is.
BEYOND = [
    ("the text is no YAML, so there is nothing to validate", "not valid YAML"),
    ("of a key that is written twice a parser keeps one", "written twice"),
    ("two keys must agree", "among the backend's own ports"),
    ("two keys must agree", "the gate itself listens on"),
    ("two keys must agree", "is where clients connect"),
    ("two keys must agree", "are in part the same"),
    ("bytes, which are not characters", r"is too long by \d+ bytes"),
    ("two keys must agree", "has no effect without backend.command"),
    ("two keys must agree", "which there is not without backend.command"),
    ("two keys must agree", r"backends at once \(instances \+ standby\)"),
    ("two keys must agree", "is not possible with protocol uno: an office has one main lock"),
    ("two keys must agree", r"expected \{port\} in backend.address"),
    ("two keys must agree", "the first pause is longer than the longest"),
    ("two keys must agree", "the soft limit is larger than the hard one"),
    ("two ways to write one address", "the same address twice"),
    ("a pattern does not fill in placeholders", "once filled in .* is too long by"),
    ("bits of an address", "has bits set beyond its prefix"),
    ("a pattern does not compare numbers", '"400d" is too long'),
    ("a pattern does not compare numbers", '"office:70000" has no possible port'),
    ("a pattern does not compare numbers", '"61 3 .*minute: "61" is not possible'),
    ("the parts of an address", '"127.0.0:1" is not the address of a service'),
    ("a calendar", "never comes"),
    ("bytes, which base64 makes more of", "expected at most 4096 bytes"),
    ("by the older rules of YAML `no` and `off` are one", '^"no" is not a duration'),
    ("the environment", "the environment variable .* is not set"),
    ("a default of a variable is not looked into", '"many" is not a whole number, expected a '
     "number from 1 to 1000000$"),
]  # fmt: skip


class Loader(yaml.SafeLoader):
    """What JSON has no type for is a text."""


def as_written(loader, node):
    return node.value


Loader.add_constructor("tag:yaml.org,2002:binary", as_written)
Loader.add_constructor("tag:yaml.org,2002:timestamp", as_written)


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def load(text):
    return yaml.load(text, Loader)


def path_of(key):
    """As a validator has it: "listen[0].allow" is ("listen", 0, "allow")."""
    parts = re.findall(r"\[(\d+)\]|([^.\[\]]+)", key)
    return tuple(int(number) if number else name for number, name in parts)


def is_at(error, key):
    """Whether an error of the validator is what the reader says of this key."""
    place = tuple(error.absolute_path)
    if place in (key, key + (0,)):
        return True
    if place != key[: len(place)]:
        return False
    # Of a key that may not be there at all, jsonschema 4.19 tells only the mapping around it.
    if error.validator is None and error.schema_path[-1] == "properties":
        return place == key[:-1]
    # A key that is missing or that there is not is an error of the mapping around it.
    name = key[len(place)]
    if error.validator in ("required", "additionalProperties"):
        return repr(name) in error.message
    return "propertyNames" in error.schema_path and error.instance == name


def reason_beyond(message):
    return next((reason for reason, words in BEYOND if re.search(words, message)), None)


class SchemaTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.schema = json.loads(run(PROGRAM, "schema"))
        cls.validator = jsonschema.validators.validator_for(cls.schema)(cls.schema)

    def errors(self, document):
        return list(self.validator.iter_errors(document))

    def test_it_is_a_schema(self):
        self.assertIs(type(self.validator), jsonschema.Draft7Validator)
        type(self.validator).check_schema(self.schema)

    def test_every_sample_is_valid_as_it_is_and_as_it_is_shown(self):
        self.assertGreater(len(SAMPLES), 1)
        for sample in SAMPLES:
            shown = run(PROGRAM, "show-config", "-c", sample)
            for text in (sample.read_text(encoding="utf-8"), shown):
                with self.subTest(sample.name):
                    self.assertEqual(self.errors(load(text)), [])
        print(f"RESULT schema_samples: samples={len(SAMPLES)} shown={len(SAMPLES)}")

    def test_what_the_reader_takes_is_valid(self):
        for text in [
            "", "gate:\n", "backend: {environment: }", "gate: {queue_limit: '7'}",
            "gate: {queue_limit: '${LIMIT}'}", "gate: {queue_limit: '${LIMIT:-7}'}",
            "recycle: {max_age: off, max_jobs: 'off'}", "backend: {ports: 2150}",
            "backend: {command: [soffice, 7, -1.5, true, '{{x}}', '${A:-{port}}', $$5]}",
            "backend: {environment: {A: 1, B: off, C: ''}, user: 1000, stop_signal: SIGINT}",
            "backend: {limits: {core: 0, address_space: '${SPACE}', open_files: off}}",
            "backend: {address: '127.0.0.{instance}:{port}', state_directory: '${S:-/x}'}",
            "backend: {address: '[::1]:{port}', stop_grace: 0s}",
            "listen: [{address: '[0:0::1]:2002'}, {address: '${ADDRESS}'}]",
            "listen: [{address: '[::]:2002', allow: [fd00::/8, '::1', 10.0.0.0/8, '${N}']}]",
            "listen: [{address: 0.0.0.0:2002, allow: [any]}]",
            "listen: [{address: systemd}, {address: 127.0.0.1:2003}]",
            "probe: {kind: exchange, send: !!binary AAECAw==, expect: 220}",
            "probe: {kind: '${KIND}', path: /}", "probe: {kind: connect, admission: off}",
            "recycle: {schedule: ['*/5 0-6,22 * jan-mar mon']}", "log: {level: '${LEVEL:-warn}'}",
            "protocol: '${PROTOCOL:-tcp}'",
        ]:  # fmt: skip
            with self.subTest(text):
                self.assertEqual(self.errors(load(text)), [])

    def test_it_finds_what_is_wrong_but_what_is_beyond_a_schema(self):
        counts = {"configurations": 0, "found": 0, "problems": 0, "at_their_key": 0, "beyond": 0}
        missed, too_clever, used = [], [], set()
        for case in wrong_configurations():
            try:
                errors = self.errors(load(case["text"]))
            except yaml.YAMLError:
                errors = []
            beyond = [reason_beyond(problem["message"]) for problem in case["problems"]]
            counts["configurations"] += 1
            counts["found"] += bool(errors)
            if errors and all(beyond):
                too_clever.append((case["text"], [error.message for error in errors]))
            for problem, reason in zip(case["problems"], beyond):
                counts["problems"] += 1
                if reason:
                    counts["beyond"] += 1
                    used |= {words for _, words in BEYOND if re.search(words, problem["message"])}
                    print(f"  beyond a schema: {problem['key'] or 'file'}: "
                          f"{problem['message'][:70]} ({reason})")  # fmt: skip
                elif any(is_at(error, path_of(problem["key"])) for error in errors):
                    counts["at_their_key"] += 1
                else:
                    missed.append((case["text"], problem, [list(e.absolute_path) for e in errors]))
        print("RESULT schema_wrong: " + " ".join(f"{k}={v}" for k, v in counts.items()))
        self.assertGreater(counts["configurations"], 50)
        self.assertEqual(missed, [], "\n" + "\n".join(map(str, missed)))
        self.assertEqual(too_clever, [])
        self.assertEqual({words for _, words in BEYOND} - used, set(), "never needed")


def wrong_configurations():
    with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
        told = {**os.environ, "TCPLOCK_TELL_WRONG_CONFIGURATIONS": file.name}
        run(CONFIG_TEST, "--gtest_filter=WrongConfiguration.*", env=told)
        return [json.loads(line) for line in file]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    PROGRAM, CONFIG_TEST = sys.argv[1:]
    unittest.main(argv=sys.argv[:1], verbosity=2)
