"""A browser without a window (Debian: chromium-driver, python3-selenium).

A Browser keeps what the page asked for and what the console said, and ends with the `with` block,
whatever happens in it: the driver and every process that it started.
"""

import contextlib
import json
import os
import shutil
import signal
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from supervisor import processes, read_proc, wait_until

DRIVER = shutil.which("chromedriver") or "/usr/bin/chromedriver"
QUIET = ("no-first-run", "disable-background-networking", "disable-component-update",
         "disable-default-apps", "disable-sync", "no-default-browser-check")  # fmt: skip


class Browser:
    """Starts in `with`; `driver` is selenium's own, for what has no word here."""

    def __init__(self, width=1280, height=900):
        self.size = (width, height)
        self.directory = tempfile.mkdtemp(prefix="tcplock-browser-")
        self.driver = None
        self.console = []  # entries with level and message
        self.requested = []  # addresses, in order
        self._service = None

    def __enter__(self):
        options = Options()
        for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", *QUIET):
            options.add_argument(f"--{flag}")
        options.add_argument("--window-size={},{}".format(*self.size))
        options.add_argument(f"--user-data-dir={self.directory}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        try:
            self._service = Service(DRIVER)
            self.driver = webdriver.Chrome(service=self._service, options=options)
            self.driver.set_page_load_timeout(30)
            self.resize(*self.size)
            # What the browser's own first page has asked for is nobody's business.
            self.open("about:blank")
            self.collect()
            self.console, self.requested = [], []
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind, value, trace):
        self._end()
        return False

    def _end(self):
        try:
            if self.driver:
                self.driver.quit()
        finally:
            if self._service and self._service.process:
                self._service.stop()
            self._kill_what_is_left()
            shutil.rmtree(self.directory, ignore_errors=True)

    def _kill_what_is_left(self):
        """Those whose command line names our directory, which is nobody else's."""
        for pid in self._left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self._left(), 10, "the browser's processes are gone")

    def _left(self):
        mark = self.directory.encode()
        return [
            pid
            for pid, state, _, _ in processes()
            if state not in "ZX" and mark in read_proc(f"/proc/{pid}/cmdline")
        ]

    def open(self, address):
        self.driver.get(address)

    def resize(self, width, height):
        """Of the page itself: a window cannot be made as narrow as a phone."""
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=1, mobile=False)  # fmt: skip

    def prefer(self, **features):
        """prefer(color_scheme="dark") is what the system would say."""
        listed = [
            {"name": "prefers-" + name.replace("_", "-"), "value": value}
            for name, value in features.items()
        ]
        self.command("Emulation.setEmulatedMedia", features=listed)

    def command(self, name, **arguments):
        """One of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, arguments)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, selector="body"):
        """As it is shown, or "" where nothing is."""
        return self.run(
            "const node = document.querySelector(arguments[0]);"
            "return node && node.checkVisibility() ? node.innerText : ''",
            selector,
        )

    def wait_text(self, selector, words, timeout=20):
        def shown():
            return words in self.text(selector)

        try:
            wait_until(shown, timeout, f"{selector} says {words!r}", pause=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says {self.text(selector)!r}") from None

    def wait_no_text(self, selector, words, timeout=20):
        def hidden():
            return words not in self.text(selector)

        wait_until(hidden, timeout, f"{selector} no longer says {words!r}", pause=0.1)

    def press(self, key):
        self.driver.switch_to.active_element.send_keys(key)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def collect(self):
        """What was said and asked for since the last time, added to console and requested."""
        self.console += self.driver.get_log("browser")
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])

    def save_screenshot(self, path, whole_page=True):
        """The whole page, however long; the view itself where that is enough."""
        height = self.run("return document.documentElement.scrollHeight")
        if whole_page:
            width = self.run("return window.innerWidth")
            before = self.run("return window.innerHeight")
            self.resize(width, max(height, before))
        try:
            if not self.driver.save_screenshot(path):
                raise AssertionError(f"no screenshot could be written to {path}")
        finally:
            if whole_page:
                self.resize(width, before)
