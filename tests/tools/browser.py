"""A headless Chromium for the tests, or the plain statement that there is none."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromedriver")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Set when MathJax, if the page loads it, has finished.
READY = """
const done = arguments[0];
const mathjax = document.querySelector('script[src*="mathjax"]');
if (!mathjax) { done(true); return; }
const wait = () => (window.MathJax && MathJax.startup && MathJax.startup.promise)
  ? MathJax.startup.promise.then(() => done(true)) : setTimeout(wait, 20);
wait();
"""


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """Yield a Selenium driver that logs the console and every request."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(
            f"NOT RUN: the browser test needs {' and '.join(missing)} "
            "(Debian: apt-get install chromium chromium-driver)"
        )
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_script_timeout(120)  # a busy machine is no fault of a page
    driver.get("about:blank")
    requests(driver)  # those of the browser's own start page
    try:
        yield driver
    finally:
        driver.quit()


def open_page(driver: Any, path: Path) -> None:
    """Load a page and wait for its formulas."""
    driver.get(path.as_uri())
    assert driver.execute_async_script(READY)


def set_width(driver: Any, width: int, height: int) -> None:
    """Give the page the width of a screen; a phone's below 600."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    time.sleep(0.05)  # one frame: the page lays itself out anew


def complaints(driver: Any) -> list[str]:
    """Return what the console has said since the last call."""
    return [entry["message"] for entry in driver.get_log("browser")]


def requests(driver: Any) -> list[str]:
    """Return the addresses requested since the last call."""
    found = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return found
