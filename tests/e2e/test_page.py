"""The status page, in a real browser before a real supervisor."""

import contextlib
import json
import os
import re
import signal
import socket
import tempfile
import time
import unittest
import urllib.request

from selenium.webdriver.common.keys import Keys

import fake
from browser import Browser
from crowd import Client
from supervisor import reserve_ports, result, run_command, wait_clients, wait_until

STATES = ("good", "rest", "warn", "bad")
SCHEMES = ("light", "dark")
PHONE = (360, 740)

# Every text that is seen, and what a stylesheet adds before it, with the colours that it and the
# nearest ground below it have. Returns those whose contrast is below what is asked for, and how
# many there were.
CONTRAST = """
const wanted = arguments[0];
const rgba = (text) => {
  const [r, g, b, a] = text.match(/[\\d.]+/g).map(Number);
  return [r, g, b, a === undefined ? 1 : a];
};
const over = ([r, g, b, a], below) =>
  [r * a + below[0] * (1 - a), g * a + below[1] * (1 - a), b * a + below[2] * (1 - a), 1];
const channel = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ratio = (a, b) => {
  const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};
const ground = (node) => {
  const above = [];
  for (let one = node; one; one = one.parentElement) {
    const colour = rgba(getComputedStyle(one).backgroundColor);
    above.push(colour);
    if (colour[3] === 1) break;
  }
  return above.reverse().reduce((below, colour) => over(colour, below), [255, 255, 255, 1]);
};
const is_seen = (node) => {
  const box = node.getBoundingClientRect();
  return node.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}) &&
         box.width > 1 && box.height > 1;
};
const low = [];
let count = 0, lowest = 21;
const look = (node, style, text) => {
  const below = ground(node);
  const colour = rgba(node.ownerSVGElement ? style.fill : style.color);
  const found = ratio(over(colour, below), below);
  ++count;
  lowest = Math.min(lowest, found);
  if (found < wanted) low.push([text, node.outerHTML.slice(0, 80), found]);
};
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const node = walk.currentNode.parentElement;
  const text = walk.currentNode.data.trim();
  if (text && is_seen(node)) look(node, getComputedStyle(node), text);
}
for (const node of document.body.querySelectorAll('*')) {
  const style = getComputedStyle(node, '::before');
  if (style.content !== 'none' && style.content !== 'normal' && is_seen(node)) {
    look(node, style, style.content);
  }
}
return {low, count, lowest};
"""

# What has the focus: where it comes in the document, its name for people, how it is ringed.
FOCUSED = """
const node = document.activeElement;
if (node === document.body) return null;
const style = getComputedStyle(node);
return {
  order: [...document.querySelectorAll('*')].indexOf(node),
  what: node.getAttribute('aria-label') || node.textContent,
  outline: style.outlineStyle, width: parseFloat(style.outlineWidth), colour: style.outlineColor,
};
"""

MARKS = """
return [...document.querySelectorAll('.mark')].map((one) => one.getAttribute('aria-label'));
"""


TABLES = """
return [...document.querySelectorAll('table')].map((one) => ({
  caption: one.caption ? one.caption.textContent : '',
  columns: [...one.tHead.rows[0].cells].every((cell) => cell.scope === 'col'),
  rows: [...one.tBodies[0].rows].every((row) => row.cells[0].scope === 'row'),
}));
"""


@contextlib.contextmanager
def shown(*options, browser=None, **sections):
    """A supervisor that serves, and a browser that shows its page."""
    port = reserve_ports()
    sections.setdefault("admin", {"socket": "@DIRECTORY@/admin.sock", "http": f"127.0.0.1:{port}"})
    with fake.supervisor(*options, **sections) as supervisor:
        supervisor.start()
        supervisor.log.wait("backend ready")
        supervisor.page = f"http://127.0.0.1:{port}/"
        with Browser(**(browser or {})) as page:
            page.open(supervisor.page)
            page.wait_text("#state-word", "serving")
            wait_until(lambda: page.run("return document.querySelectorAll('.picture text').length"),
                       20, "the charts are drawn")  # fmt: skip
            yield supervisor, page


def said(supervisor, *arguments):
    done = run_command(*arguments, "-s", supervisor.admin_socket)
    if done.returncode != 0:
        raise AssertionError(f"{arguments}: {done.returncode} {done.stderr}")


def status(supervisor):
    with urllib.request.urlopen(supervisor.page + "v1/status", timeout=20) as reply:
        return json.load(reply)


def recycle(supervisor, page, times=1):
    """One after the other, and the page shows them all in its chart."""
    before = len(page.run(MARKS))
    for nth in range(times):
        ready = supervisor.log.count("backend ready")
        said(supervisor, "recycle")
        supervisor.log.wait("backend ready", nth=ready + 1)
    wait_until(lambda: len(page.run(MARKS)) == before + times, 20, f"{times} recycles are marked")


def timed(condition):
    begin = time.monotonic()
    condition()
    return f"{time.monotonic() - begin:.1f}s"


def one_inside(supervisor, waiting=0):
    """One that is inside until it is closed, and so many behind it."""
    inside = Client(supervisor.port, "1")
    inside.answer()
    behind = [Client(supervisor.port, number) for number in range(2, 2 + waiting)]
    wait_clients(supervisor.port, 1 + waiting)
    return inside, behind


class LiveTest(unittest.TestCase):
    def test_clients_come_and_go_before_our_eyes(self):
        with shown() as (supervisor, page):
            page.wait_text("#holder", "Nobody is inside. Nobody waits.")
            inside, behind = one_inside(supervisor, waiting=3)
            appear = timed(lambda: page.wait_text("#holder", f"({inside.name}) holds the line"))
            told = status(supervisor)
            number = told["sessions"][0]["client"]
            page.wait_text("#holder", f"Client {number} ")
            page.wait_text("#holder", "3 clients wait")
            self.assertRegex(page.text("#holder"), r"instance 0 since \d\d:\d\d:\d\d, for ")
            self.assertIn(f"tcplock-supervisor cut {number}", page.text("#commands"))
            for client in behind:
                page.wait_text("#clients", client.name)
            page.wait_text("#doors", f"client {number}")
            behind[1].reset()
            vanish = timed(lambda: page.wait_no_text("#clients", behind[1].name))
            self.assertIn(behind[0].name, page.text("#clients"))
            inside.close()
            page.wait_text("#holder", f"({behind[0].name}) holds the line")
            for client in (behind[0], behind[2]):
                client.close()
            page.wait_text("#holder", "Nobody is inside. Nobody waits.")
            result("page_live", appear=appear, vanish=vanish)
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_time_that_is_told_is_that_of_the_one_inside(self):
        with shown() as (supervisor, page):
            inside, _ = one_inside(supervisor)
            page.wait_text("#holder", inside.name)
            since = re.search(r"since (\d\d:\d\d:\d\d)", page.text("#holder"))[1]
            told = page.run("const [h, m, s] = arguments[0].split(':'); const day = new Date();"
                            "return day.setHours(h, m, s, 0) / 1000", since)  # fmt: skip
            inside.close()
            closed = supervisor.log.wait("session closed")
            wrong_by = abs(told - (closed.when() - closed.seconds("lasted")))
            result("page_since", told=since, wrong_by=f"{wrong_by:.1f}s", limit="5s")
            self.assertLess(wrong_by, 5)  # Another zone's would be an hour off.
            self.assertEqual(supervisor.terminate(), 0)

    def test_more_than_can_be_listed_are_counted(self):
        with shown() as (supervisor, page):
            inside, behind = one_inside(supervisor, waiting=150)
            page.wait_text("#more-wait", "140 more wait")
            rows = page.run("return document.querySelectorAll('#clients tbody tr').length")
            self.assertEqual(rows, 11)
            self.assertIn("and 20 more", page.text("#waiting"))
            for client in [*behind, inside]:
                client.reset()
            page.wait_text("#waiting", "nobody waits")
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_recycle_is_marked_and_says_why(self):
        with shown("--hold", "40") as (supervisor, page):
            said(supervisor, "recycle")
            words = "requested: an operator asked for it"
            listed = timed(lambda: page.wait_text("#recycles", words))
            marked = timed(lambda: wait_until(lambda: page.run(MARKS), 20, "it is marked"))
            self.assertIn(words, page.run(MARKS)[0])
            self.assertIn(words, page.text("#last-recycle"))
            self.assertEqual(page.text("#tip"), "")
            box = page.run("const mark = document.querySelector('.mark');"
                           "mark.scrollIntoView({block: 'center'});"
                           "const box = mark.getBoundingClientRect();"
                           "return [box.left + 8, box.top + 8]")  # fmt: skip
            page.command("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
            page.wait_text("#tip", words)
            page.press(Keys.ESCAPE)
            page.wait_no_text("#tip", words)
            result("page_recycle", listed=listed, marked_after_that=marked)
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_pause_is_told_with_what_ends_it(self):
        with shown() as (supervisor, page):
            said(supervisor, "pause")
            page.wait_text("#announced", "paused")
            page.wait_text("#commands", "tcplock-supervisor resume")
            said(supervisor, "resume")
            page.wait_text("#announced", "serving")
            page.wait_no_text("#commands", "tcplock-supervisor resume")
            self.assertEqual(supervisor.terminate(), 0)


class AnswerTest(unittest.TestCase):
    def requests(self, page):
        """How often it has asked so far, answered or not."""
        page.collect()
        return sum(url.endswith("/v1/status") for url in page.requested)

    def test_an_end_is_told_with_since_when(self):
        with shown() as (supervisor, page):
            inside, _ = one_inside(supervisor)
            page.wait_text("#holder", inside.name)
            inside.close()
            page.wait_text("#holder", "Nobody is inside")
            self.assertEqual(supervisor.terminate(), 0)
            took = timed(lambda: page.wait_text("#announced", "no answer since ", timeout=10))
            announced = page.text("#announced")
            since = re.search(r"since (\d\d:\d\d:\d\d)", announced)[1]
            self.assertIn(f"no answer since {since}", page.text("#freshness"))
            self.assertIn(f"no answer since {since}", page.driver.title)
            headings = page.run("return [...document.querySelectorAll('.as-of')]"
                                ".map((one) => one.textContent)")  # fmt: skip
            self.assertEqual(set(headings), {f"as of {since}"})
            self.assertNotIn("live", page.text("#freshness"))
            result("page_end", told_after=took, limit="10s", said=repr(announced))

    def test_one_that_is_frozen_is_not_asked_again_and_again(self):
        with shown() as (supervisor, page):
            supervisor.signal(signal.SIGSTOP)
            try:
                before = self.requests(page)
                took = timed(lambda: page.wait_text("#announced", "no answer since ", timeout=10))
                self.assertIn("nothing came within 4.0 s", page.text("#announced"))
                asked = self.requests(page) - before
            finally:
                supervisor.signal(signal.SIGCONT)
            page.wait_text("#announced", "serving")
            page.wait_text("#freshness", "live")
            self.assertEqual(page.run("return document.querySelector('.as-of').textContent"), "")
            result("page_frozen", told_after=took, limit="10s", asked=asked)
            self.assertLessEqual(asked, 3)
            self.assertEqual(supervisor.terminate(), 0)

    def test_nothing_is_asked_while_nobody_looks(self):
        with shown() as (supervisor, page):
            first = page.driver.current_window_handle
            page.driver.switch_to.new_window("tab")
            other = page.driver.current_window_handle
            page.driver.switch_to.window(first)
            page.command("Target.activateTarget", targetId=other)
            wait_until(lambda: page.run("return document.hidden"), 10, "the page is hidden")
            before = self.requests(page)
            time.sleep(4)  # a span that is measured: four times as long as between two questions
            hidden = self.requests(page) - before
            page.command("Target.activateTarget", targetId=first)
            wait_until(lambda: self.requests(page) > before + 2, 10, "it asks again")
            result("page_hidden", span="4s", asked=hidden)
            self.assertLessEqual(hidden, 1)  # the one that was under way
            self.assertEqual(supervisor.terminate(), 0)


class PolicyTest(unittest.TestCase):
    def test_nothing_is_asked_for_elsewhere_and_nothing_is_complained_of(self):
        with shown() as (supervisor, page):
            inside, behind = one_inside(supervisor, waiting=2)
            page.wait_text("#clients", behind[-1].name)
            for client in [inside, *behind]:
                client.close()
            page.wait_text("#more-wait", "Nobody is inside, and nobody waits.")
            recycle(supervisor, page)
            page.collect()
            elsewhere = [url for url in page.requested
                         if not url.startswith((supervisor.page, "data:"))]  # fmt: skip
            result("page_requests", all=len(page.requested), elsewhere=len(elsewhere),
                   console=len(page.console))  # fmt: skip
            self.assertIn(supervisor.page + "v1/history", page.requested)
            self.assertEqual(elsewhere, [])
            self.assertEqual(page.console, [])
            self.assertEqual(supervisor.terminate(), 0)

    def test_what_somebody_writes_into_it_is_not_run(self):
        with shown() as (supervisor, page), socket.socket() as outside:
            outside.bind(("127.0.0.1", 0))
            outside.listen()
            address = "http://127.0.0.1:{}/".format(outside.getsockname()[1])
            page.run(
                """
                window.violations = [];
                document.addEventListener('securitypolicyviolation',
                    (event) => window.violations.push(event.effectiveDirective));
                const add = (name, set) => {
                    const node = document.createElement(name);
                    set(node);
                    document.body.append(node);
                };
                add('script', (node) => { node.textContent = 'window.intruded = true'; });
                add('script', (node) => { node.src = arguments[0] + 'x.js'; });
                add('img', (node) => { node.src = arguments[0] + 'x.png'; });
                add('p', (node) => { node.setAttribute('style', 'color: red'); });
                fetch(arguments[0]).catch(() => {});
                """,
                address,
            )
            wanted = {"script-src-elem", "img-src", "style-src-attr", "connect-src"}
            wait_until(lambda: wanted <= set(page.run("return window.violations")), 10,
                       "all of it is blocked")  # fmt: skip
            outside.setblocking(False)
            with self.assertRaises(BlockingIOError):
                outside.accept()
            self.assertIsNone(page.run("return window.intruded"))
            result("page_policy", blocked=sorted(page.run("return window.violations")))
            self.assertEqual(supervisor.terminate(), 0)

    def test_foreign_text_stays_text(self):
        with shown() as (supervisor, page):
            page.run(
                """
                const real = window.fetch;
                window.fetch = async (path, options) => {
                    const reply = await real(path, options);
                    if (!path.endsWith('status')) return reply;
                    const told = await reply.json();
                    const evil = '<img src=x onerror="window.intruded = true">';
                    told.why = evil;
                    told.line.waiting = 1;
                    told.line.oldest_wait_ms = 1;
                    told.line.first = [{client: 7, peer: evil, state: 'waiting', waited_ms: 1}];
                    told.recycles = [{at: told.now, instance: evil, generation: 1, reason: evil,
                                      jobs: 0, age_ms: 1, memory_bytes: null}];
                    return new Response(JSON.stringify(told));
                };
                """
            )
            for place in ("#state-why", "#clients", "#recycles", "#last-recycle"):
                page.wait_text(place, "<img src=x onerror=")
            self.assertEqual(page.run("return document.images.length"), 0)
            self.assertIsNone(page.run("return window.intruded"))
            self.assertEqual(supervisor.terminate(), 0)


class AccessTest(unittest.TestCase):
    """For those who use a keyboard, a screen reader, a dark room, or a phone."""

    def open_all(self, page):
        page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        wait_until(lambda: page.run("return [...document.querySelectorAll('details tbody')]"
                                    ".every((one) => one.rows.length)"),
                   20, "every chart has its figures")  # fmt: skip

    def nodes(self, page):
        page.command("Accessibility.enable")
        tree = page.command("Accessibility.getFullAXTree")["nodes"]
        return [node for node in tree if not node["ignored"]]

    def test_everything_has_a_name_and_its_place(self):
        with shown("--hold", "40") as (supervisor, page):
            inside, behind = one_inside(supervisor, waiting=2)
            for client in [inside, *behind]:
                client.close()
            recycle(supervisor, page)
            inside, behind = one_inside(supervisor, waiting=2)
            page.wait_text("#clients", behind[-1].name)
            self.open_all(page)
            nodes = self.nodes(page)

            def of(*roles):
                return [node for node in nodes if node["role"]["value"] in roles]

            def name(node):
                return node.get("name", {}).get("value", "").strip()

            focusable = [node for node in nodes
                         if any(one["name"] == "focusable" and one["value"].get("value")
                                for one in node.get("properties", []))]  # fmt: skip
            for node in focusable + of("table", "image", "img", "region", "group"):
                self.assertTrue(name(node) or node["role"]["value"] == "group", node)
            for role in ("banner", "main", "contentinfo", "status"):
                self.assertEqual(len(of(role)), 1, role)
            pictures = [name(node) for node in of("image", "img")]
            self.assertGreaterEqual(sum("The figures are in a table" in one for one in pictures), 4)
            tables = page.run(TABLES)
            self.assertEqual(len(tables), 7)
            for table in tables:
                self.assertTrue(all(table.values()), table)
            self.assertEqual(len(of("table")), 7)
            self.assertEqual(page.run("return document.documentElement.lang"), "en")
            levels = page.run("return [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')]"
                              ".map((one) => Number(one.tagName[1]))")  # fmt: skip
            self.assertEqual(levels.count(1), 1)
            self.assertEqual(levels[0], 1)
            self.assertTrue(all(b <= a + 1 for a, b in zip(levels, levels[1:])), levels)
            result("page_names", focusable=len(focusable), tables=len(tables), headings=len(levels))
            for client in [*behind, inside]:
                client.reset()
            self.assertEqual(supervisor.terminate(), 0)

    def test_the_tab_key_goes_through_it_in_order(self):
        with shown("--hold", "40") as (supervisor, page):
            recycle(supervisor, page)  # drawn before the others come
            recycle(supervisor, page, times=2)
            stops = []
            for _ in range(40):
                page.press(Keys.TAB)
                focused = page.run(FOCUSED)
                if focused is None or (stops and focused["order"] == stops[0]["order"]):
                    break
                stops.append(focused)
                if focused["what"].count("generation"):
                    page.wait_text("#tip", "requested")
                    self.go_along_the_marks(page)
            orders = [stop["order"] for stop in stops]
            self.assertEqual(orders, sorted(orders))
            self.assertEqual(len(set(orders)), len(orders))
            self.assertGreaterEqual(len(stops), 5, stops)
            for stop in stops:
                self.assertNotEqual(stop["outline"], "none", stop)
                self.assertGreaterEqual(stop["width"], 2, stop)
            result("page_tab", stops=len(stops))
            self.assertEqual(supervisor.terminate(), 0)

    def go_along_the_marks(self, page):
        """One stop for all three: from the newest to the oldest and back, whatever comes in."""
        names = page.run(MARKS)

        def focused():
            return page.run(FOCUSED)["what"]

        self.assertEqual(focused(), names[2])
        page.press(Keys.ARROW_LEFT)
        self.assertEqual(focused(), names[1])
        page.press(Keys.HOME)
        self.assertEqual(focused(), names[0])
        page.wait_text("#tip", names[0])
        page.press(Keys.END)
        self.assertEqual(focused(), names[2])

    def test_the_focus_outlives_the_next_figures(self):
        with shown("--hold", "40") as (supervisor, page):
            recycle(supervisor, page, times=2)
            page.run("document.querySelector('.mark').focus()")
            focused = page.run(FOCUSED)["what"]
            recycle(supervisor, page)
            self.assertEqual(page.run(FOCUSED)["what"], focused)
            self.assertEqual(len(page.run(MARKS)), 3)
            self.assertEqual(supervisor.terminate(), 0)

    def test_every_text_stands_out_from_its_ground(self):
        with shown("--hold", "40", browser={"height": 3000}) as (supervisor, page):
            recycle(supervisor, page)
            inside, behind = one_inside(supervisor, waiting=140)
            page.wait_text("#more-wait", "130 more wait")
            self.open_all(page)
            page.run("document.querySelector('.mark').focus()")
            page.wait_text("#tip", "requested")
            for width in (1280, PHONE[0]):
                page.resize(width, 3000)
                for scheme in SCHEMES:
                    page.prefer(color_scheme=scheme)
                    self.check_contrast(page, scheme, width)
            for client in [*behind, inside]:
                client.reset()
            self.assertEqual(supervisor.terminate(), 0)
            page.wait_text("#announced", "no answer since ", timeout=10)
            for scheme in SCHEMES:
                page.prefer(color_scheme=scheme)
                self.check_contrast(page, f"{scheme}_old", PHONE[0], states=("bad",))

    def check_contrast(self, page, name, width, states=STATES):
        for state in states:
            # In one go, before the next answer says what the state is.
            found = page.run(
                f"document.getElementById('state').className = '{state}';" + CONTRAST, 4.5
            )
            self.assertEqual(found["low"], [], (name, state))
            self.assertGreater(found["count"], 100)
        result("page_contrast", scheme=name, width=width, texts=found["count"],
               lowest=f"{found['lowest']:.2f}", wanted=4.5)  # fmt: skip

    def test_on_a_phone_nothing_scrolls_sideways(self):
        phone = {"width": PHONE[0], "height": PHONE[1]}
        places = {"instances": 2, "standby": 1}
        with shown("--hold", "40", backend=places, browser=phone) as (supervisor, page):
            supervisor.log.wait("backend ready", nth=3)
            said(supervisor, "recycle", "0")
            wait_until(lambda: page.run(MARKS), 20, "a recycle is marked")
            inside, behind = one_inside(supervisor, waiting=60)
            page.wait_text("#clients", inside.name)
            self.open_all(page)
            self.assertEqual(page.run("return window.innerWidth"), PHONE[0])
            wide, room = page.run("const all = document.scrollingElement;"
                                  "return [all.scrollWidth, all.clientWidth]")  # fmt: skip
            beyond = page.run(
                """return [...document.body.querySelectorAll('*')]
                    .filter((one) => !one.closest('.scroll') && !one.closest('#tip') &&
                                     one.getBoundingClientRect().right > innerWidth + 0.5)
                    .map((one) => one.outerHTML.slice(0, 120))"""
            )
            result("page_phone", width=PHONE[0], content=wide)
            self.assertLessEqual(wide, room)
            self.assertEqual(beyond, [])
            for client in [*behind, inside]:
                client.reset()
            self.assertEqual(supervisor.terminate(), 0)

    def test_without_motion_nothing_moves(self):
        with shown() as (supervisor, page):
            moving = "return document.getAnimations().length"
            page.prefer(reduced_motion="no-preference")
            wait_until(lambda: page.run(moving) > 0, 10, "something moves where it may")
            page.prefer(reduced_motion="reduce")
            wait_until(lambda: page.run(moving) == 0, 10, "nothing moves")
            self.assertEqual(supervisor.terminate(), 0)


class PicturesTest(unittest.TestCase):
    def test_how_it_looks(self):
        folder = os.environ.get("TCPLOCK_ARTIFACTS") or tempfile.mkdtemp(prefix="tcplock-page-")
        os.makedirs(folder, exist_ok=True)
        with shown("--hold", "40", backend={"instances": 2, "standby": 1}) as (supervisor, page):
            supervisor.log.wait("backend ready", nth=3)
            said(supervisor, "recycle", "1")
            wait_until(lambda: page.run(MARKS), 20, "a recycle is marked")
            clients = [Client(supervisor.port, f"{number} linger for-ever") for number in range(40)]
            clients[0].answer()
            page.wait_text("#more-wait", "more wait")
            for name, scheme, size in [
                ("light", "light", (1280, 900)),
                ("dark", "dark", (1280, 900)),
                ("phone", "light", PHONE),
            ]:
                page.prefer(color_scheme=scheme)
                page.resize(*size)
                path = os.path.join(folder, f"page-{name}.png")
                page.save_screenshot(path)
                with open(path, "rb") as file:
                    self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")
            for client in clients:
                client.reset()
            self.assertEqual(supervisor.terminate(), 0)
            page.wait_text("#announced", "no answer since ", timeout=10)
            page.resize(1280, 900)
            page.save_screenshot(os.path.join(folder, "page-no-answer.png"))
        result("page_screenshots", folder=folder)


if __name__ == "__main__":
    unittest.main()
