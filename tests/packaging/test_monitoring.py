"""The alert rules and the dashboard: that they hold, and speak of what the supervisor exposes.

Run in this directory, with TCPLOCK_BINARY and FAKE_BACKEND as for the tests in ../e2e. promtool
comes with Debian's package prometheus.
"""

import copy
import http.client
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "e2e"))

import fake  # noqa: E402
from crowd import Client  # noqa: E402
from promql import labels_named, selectors  # noqa: E402
from supervisor import reserve_ports, result, run_command, wait_until  # noqa: E402

PROMETHEUS = TOP / "packaging" / "prometheus"
DASHBOARD = TOP / "packaging" / "grafana" / "tcplock-supervisor.json"

# What Prometheus itself adds to what it scrapes, or makes of it.
OF_PROMETHEUS = {"up", "ALERTS"}
OF_THE_TARGET = {"job", "instance"}


def promtool(*arguments, directory=PROMETHEUS, text=""):
    if not shutil.which("promtool"):
        raise AssertionError("promtool is missing: it comes with the package prometheus")
    return subprocess.run(
        ["promtool", *arguments],
        cwd=directory,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def read_rules():
    return yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text())


def read_cases():
    return yaml.safe_load((PROMETHEUS / "alerts_test.yaml").read_text())


def alerts(rules):
    return [rule for group in rules["groups"] for rule in group["rules"]]


# ---- The rules ---------------------------------------------------------------------------------


def loosened(found):
    """A threshold that a little less reaches."""
    comparison, number = found.groups()
    if comparison == ">=" and number.isdigit():
        return f">= {int(number) - 1}"
    return f"{comparison} {float(number) * 0.9:g}"


def slips(rule):
    """(what a tired person might have got wrong, the rule as it would be then)."""
    expression = rule["expr"]
    if "for" in rule:
        yield "no `for`", {key: value for key, value in rule.items() if key != "for"}
    for found in re.finditer(r"(>=?) (\d[\d.]*)", expression):
        if float(found[2]) > 0:
            wrong = expression[: found.start()] + loosened(found) + expression[found.end() :]
            yield f"{loosened(found)} for {found[0]}", {**rule, "expr": wrong}
    for found in re.finditer(r"\{[^}]*\}", expression):
        wrong = expression[: found.start()] + expression[found.end() :]
        yield f"without {found[0]}", {**rule, "expr": wrong}
    for found in re.finditer(r"\s(and|or|unless)\s", expression):
        yield f"nothing from `{found[1]}` on", {**rule, "expr": expression[: found.start()]}


class RulesTest(unittest.TestCase):
    def test_promtool_accepts_the_rules_and_the_sample_configuration(self):
        for kind, file in (("rules", "alerts.yaml"), ("config", "prometheus.yaml")):
            done = promtool("check", kind, file)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_case_holds(self):
        done = promtool("test", "rules", "alerts_test.yaml")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_alert_has_a_case_in_which_it_fires_and_a_near_miss(self):
        fires, is_silent = set(), set()
        for case in read_cases()["tests"]:
            for check in case["alert_rule_test"]:
                kind = fires if check["exp_alerts"] else is_silent
                kind.add(check["alertname"])
                for alert in check["exp_alerts"]:
                    self.assertEqual(set(alert["exp_annotations"]), {"summary", "description"})
        names = [rule["alert"] for rule in alerts(read_rules())]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(fires, set(names))
        self.assertEqual(is_silent, set(names))

    def test_the_misses_are_near(self):
        """A rule that is a little wrong fails a case of its own."""
        rules, cases = read_rules(), read_cases()
        planted = 0
        for rule in alerts(rules):
            for what, wrong in slips(rule):
                with self.subTest(alert=rule["alert"], slip=what):
                    done = self.run_cases_of(wrong, cases)
                    self.assertIn(f"alertname: {rule['alert']}", done.stdout + done.stderr)
                planted += 1
        result("slips", planted=planted)

    def run_cases_of(self, rule, cases):
        own = copy.deepcopy(cases)
        own["tests"] = [
            case
            for case in own["tests"]
            if any(check["alertname"] == rule["alert"] for check in case["alert_rule_test"])
        ]
        with tempfile.TemporaryDirectory() as directory:
            folder = pathlib.Path(directory)
            rules = {"groups": [{"name": "one", "rules": [rule]}]}
            (folder / "alerts.yaml").write_text(yaml.safe_dump(rules))
            (folder / "alerts_test.yaml").write_text(yaml.safe_dump(own))
            return promtool("test", "rules", "alerts_test.yaml", directory=folder)

    def test_every_alert_says_what_to_do(self):
        commands = set(re.findall(r"tcplock-supervisor ([a-z]+)", run_command("--help").stdout))
        commands |= {"resume"}  # which stands as "pause | resume" there
        readme = (TOP / "README.md").read_text()
        keys = set(re.findall(r"^\| `([a-z_.]+)` \|", readme, re.MULTILINE))
        sections = "admin|backend|gate|hooks|log|probe|recycle"
        for rule in alerts(read_rules()):
            with self.subTest(alert=rule["alert"]):
                self.assertRegex(rule["alert"], r"^Tcplock[A-Z]")
                self.assertIn(rule["labels"]["severity"], ("critical", "warning"))
                text = rule["annotations"]["description"]
                self.assertIn("$labels.instance", rule["annotations"]["summary"])
                named = set(re.findall(r"`tcplock-supervisor ([a-z-]+)", text))
                self.assertTrue(named)
                self.assertLessEqual(named, commands)
                self.assertLessEqual(set(re.findall(rf"\b(?:{sections})\.[a-z_]+", text)), keys)


# ---- The dashboard -----------------------------------------------------------------------------


def read_dashboard():
    return json.loads(DASHBOARD.read_text())


def queries(dashboard):
    """(where, its query, what its legend or title says) for all that is asked of Prometheus."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"], target["legendFormat"]
    for note in dashboard["annotations"]["list"]:
        if "expr" in note:
            yield note["name"], note["expr"], note["titleFormat"] + note["textFormat"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
            yield variable["name"], asked[1], f"{{{{{asked[2]}}}}}"


class DashboardTest(unittest.TestCase):
    def test_it_can_be_shown_anywhere(self):
        dashboard = read_dashboard()
        self.assertGreaterEqual(dashboard["schemaVersion"], 36)  # Grafana 9
        self.assertIsNone(dashboard["id"])  # of one Grafana's database
        names = {variable["name"]: variable["type"] for variable in dashboard["templating"]["list"]}
        self.assertEqual(names, {"datasource": "datasource", "job": "query", "instance": "query"})
        for panel in dashboard["panels"]:
            for asked in [panel, *panel.get("targets", [])] if panel["type"] != "row" else []:
                self.assertEqual(asked["datasource"]["uid"], "${datasource}", panel["title"])

    def test_no_panel_lies_on_another(self):
        covered = {}
        panels = read_dashboard()["panels"]
        self.assertEqual(len(panels), len({panel["id"] for panel in panels}))
        for panel in panels:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    other = covered.setdefault((x, y), panel["title"])
                    self.assertEqual(other, panel["title"])

    def test_every_query_is_one_and_asks_only_about_what_is_selected(self):
        rules = []
        for number, (where, query, _) in enumerate(queries(read_dashboard())):
            if where not in ("job", "instance"):
                for metric, matchers in selectors(query):
                    self.assertIn(("job", "=~", "$job"), matchers, f"{where}: {metric}")
                    self.assertIn(("instance", "=~", "$instance"), matchers, f"{where}: {metric}")
            whole = query.replace("$__rate_interval", "1m").replace("$__range", "6h")
            rules.append({"record": f"query_{number}", "expr": whole})
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "queries.yaml"
            file.write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": rules}]}))
            done = promtool("check", "rules", str(file))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


# ---- What the supervisor exposes ---------------------------------------------------------------

SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$")


class Exposition:
    """The text of /metrics: its families, and its samples with their labels."""

    def __init__(self, text):
        self.text = text
        self.types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
        self.samples = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels = SAMPLE.match(line).groups()
                pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")
                self.samples.setdefault(name, []).append(dict(pairs))

    def labels_of(self, metric):
        return {label for one in self.samples.get(metric, []) for label in one} | OF_THE_TARGET

    def values_of(self, metric, label):
        return {labels.get(label) for labels in self.samples.get(metric, [])}


def scrape(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/metrics")
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    if reply.status != 200:
        raise AssertionError(f"GET /metrics: {reply.status} {text}")
    return Exposition(text)


def alert_queries():
    return [(rule["alert"], rule["expr"]) for rule in alerts(read_rules())]


class ExposedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """One scrape before anybody came, and one when a client has been served."""
        port = reserve_ports()
        admin = {"http": f"127.0.0.1:{port}", "socket": "@DIRECTORY@/admin.sock"}
        with fake.supervisor(admin=admin) as supervisor:
            supervisor.start()
            supervisor.log.wait("operators may read here")
            cls.fresh = scrape(port)
            client = Client(supervisor.port, 1)
            client.answer()
            client.close()
            supervisor.log.wait("session closed")

            def scrape_what_has_been():
                now = scrape(port)
                seen = {"tcplock_sessions_total", "tcplock_backend_memory_bytes"}
                return now if seen <= set(now.samples) else None

            cls.used = wait_until(scrape_what_has_been, 20, "a session and memory are exposed")
            if supervisor.terminate() != 0:
                raise AssertionError("the supervisor did not end well")

    def test_promtool_has_nothing_to_say_about_it(self):
        for exposition in (self.fresh, self.used):
            done = promtool("check", "metrics", text=exposition.text)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_no_sample_is_there_twice(self):
        for name, labels in self.used.samples.items():
            self.assertEqual(len(labels), len({tuple(sorted(one.items())) for one in labels}), name)

    def test_alerts_and_panels_speak_of_nothing_else(self):
        shown = list(queries(read_dashboard()))
        for where, query, legend in shown + [(*one, "") for one in alert_queries()]:
            ours = [one for one in selectors(query) if one[0] not in OF_PROMETHEUS]
            possible = OF_THE_TARGET if ours else OF_THE_TARGET | {"alertname", "severity"}
            for metric, matchers in ours:
                self.assertIn(metric, self.used.samples, where)
                possible = possible | self.used.labels_of(metric)
                for label, _, _ in matchers:
                    self.assertIn(label, self.used.labels_of(metric), f"{where}: {metric}")
            named = labels_named(query) | set(re.findall(r"\{\{(\w+)\}\}", legend))
            self.assertLessEqual(named, possible, where)

    def test_what_alerts_wait_for_is_there_before_it_happens(self):
        """A counter that appears with its first event has not increased by it."""
        for alert, query in alert_queries():
            for metric, matchers in selectors(query):
                for label, comparison, value in matchers:
                    if label in OF_THE_TARGET:
                        continue
                    values = set(value.split("|") if "~" in comparison else [value])
                    known = self.fresh.values_of(metric, label)
                    self.assertLessEqual(values, known, f"{alert}: {metric}, {label}")

    def test_what_nobody_shows_is_told(self):
        asked = [query for _, query, _ in queries(read_dashboard())]
        asked += [query for _, query in alert_queries()]
        names = {metric for query in asked for metric, _ in selectors(query)}
        families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names} | names
        exposed = {name for name in self.used.types if name.startswith("tcplock_")}
        unseen = ",".join(sorted(exposed - families)) or "none"
        result("metrics", exposed=len(self.used.types), nobody_shows=unseen)
        self.assertTrue(exposed)


if __name__ == "__main__":
    unittest.main()
