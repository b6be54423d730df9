"""A real browser: Debian's Chromium, driven by the WebDriver protocol (w3.org/TR/webdriver2).

With REGULARS_BROWSER=required, as in CI, a test without a browser fails; elsewhere it is skipped.
"""

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from local.processes import free_port

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name of a reference
_WAIT_SECONDS = 40  # a function of the local cloud starts slowly on a busy machine
_QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=420,900",
)


class Browser:
    """One window."""

    def __init__(self, driver: str, session: str) -> None:
        self._base = f"{driver}/session/{session}"

    def open(self, url: str) -> None:
        """Goes to an address."""
        _call("POST", f"{self._base}/url", {"url": url})

    def type(self, selector: str, text: str) -> None:
        """Types into a field."""
        _call("POST", f"{self._element(selector)}/value", {"text": text})

    def click(self, selector: str) -> None:
        """Clicks on something."""
        _call("POST", f"{self._element(selector)}/click", {})

    def text(self, selector: str) -> str:
        """What something shows; nothing where it is not there."""
        quoted = json.dumps(selector)
        return str(self.run(f"return document.querySelector({quoted})?.innerText ?? ''"))

    def run(self, script: str) -> Any:
        """The value of a script."""
        return _call("POST", f"{self._base}/execute/sync", {"script": script, "args": []})

    def see(self, selector: str, text: str) -> None:
        """Waits until something shows a text."""
        self.until(lambda: text in self.text(selector), f"{selector} never showed {text}")

    def until(self, true: Callable[[], bool], otherwise: str) -> None:
        """Waits until something is true."""
        end = time.monotonic() + _WAIT_SECONDS
        while not true():
            assert time.monotonic() < end, otherwise
            time.sleep(0.05)

    def screenshot(self, file: Path) -> None:
        """Keeps what is seen."""
        file.write_bytes(base64.b64decode(_call("GET", f"{self._base}/screenshot")))

    def _element(self, selector: str) -> str:
        wanted = {"using": "css selector", "value": selector}
        found = _call("POST", f"{self._base}/element", wanted)
        return f"{self._base}/element/{found[_ELEMENT]}"


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser with an empty profile."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        assert os.environ.get("REGULARS_BROWSER") != "required", "there is no chromium"
        pytest.skip("chromium and chromium-driver are not installed")
    port = free_port()
    process = subprocess.Popen(
        [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with TemporaryDirectory() as profile:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address)
            arguments = [*_QUIET, f"--user-data-dir={profile}"]
            options = {"binary": chromium, "args": arguments}
            wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
            session = _call("POST", f"{address}/session", wanted)["sessionId"]
            try:
                yield Browser(address, session)
            finally:
                _call("DELETE", f"{address}/session/{session}")
        finally:
            process.terminate()
            process.wait()


def _wait_for(address: str) -> None:
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            _call("GET", f"{address}/status")
        except OSError:
            assert time.monotonic() < end, "chromedriver does not answer"
            time.sleep(0.05)
        else:
            return


def _call(method: str, url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {url}: {error.read().decode()[:500]}") from None
