"""The interactive figure reacts to its controls, and computes what the library computes."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdg_theory import Metric, discrete
from tests.tools import browser

SET = """
const form = document.getElementById('explorer');
for (const [name, value] of Object.entries(arguments[0])) {
  form.elements.namedItem(name).value = value;
}
form.dispatchEvent(new Event('input', { bubbles: true }));
return Explorer.current;
"""
DRAWN = """
const lines = (name) => document.querySelectorAll(`#explorer-${name} .scatterlayer path.js-line`);
return ['gradient', 'kernel', 'spectrum'].map((name) =>
  [...lines(name)].map((line) => line.getAttribute('d')));
"""
KINDS = ("h0", "sobolev", "ordinary", "biharmonic", "spline", "general", "curved", "l2")
MEMBERS = [*itertools.product(KINDS, ("natural", "periodic"), ("normalized", "unit"))]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory, site: Path) -> Iterator[Any]:
    with browser.chromium(tmp_path_factory.mktemp("chromium")) as found:
        browser.set_width(found, 1280, 900)
        browser.open_page(found, site / "reference" / "explore.html")
        yield found


@pytest.mark.parametrize(("metric", "boundary", "spacing"), MEMBERS, ids=map("-".join, MEMBERS))
def test_numbers_are_the_library_s(driver: Any, metric: str, boundary: str, spacing: str) -> None:
    for exponent, log_n in itertools.product((-3, 0.5, 3), (0, 1, 1.6, 5, 9)):
        setting = {"metric": metric, "boundary": boundary, "spacing": spacing}
        setting |= {"lam": exponent, "beta": -1.5, "curvature": -2}
        setting |= {"n": log_n, "channel": 0.7, "noise": 1}
        drawn = driver.execute_script(SET, setting)
        n = drawn["setting"]["n"]
        member = Metric(*drawn["weights"], boundary=boundary, spacing=spacing)  # type: ignore[arg-type]
        inverse = discrete.inverse_matrix(member, n)
        impulse = np.eye(n)[drawn["setting"]["channel"]]
        # Both sides are float64. A sweep of n steps with carries at most 1 loses at most n eps of
        # the sum of what went in; there are two sweeps, and the result is |M⁻¹||g| at most.
        eps = np.finfo(float).eps
        for given, got in ((drawn["gradient"], drawn["smoothed"]), (impulse, drawn["kernel"])):
            tolerance = 8 * n * eps * (np.abs(inverse) @ np.abs(given)).max()
            assert np.abs(inverse @ given - got).max() <= tolerance
        kept = np.trace(inverse @ inverse) / n
        assert drawn["kept"] == pytest.approx(kept, rel=8 * n * eps)


def test_spectrum_is_the_library_s(driver: Any) -> None:
    for boundary in ("natural", "periodic"):
        drawn = driver.execute_script(
            SET, {"metric": "ordinary", "boundary": boundary, "n": 4, "lam": -1}
        )
        member = Metric(*drawn["weights"], boundary=boundary, spacing=drawn["setting"]["spacing"])
        wanted = np.unique(np.linalg.eigvalsh(discrete.gram_matrix(member, 16)).round(9))
        assert np.allclose(np.sort(1 / np.array(drawn["left"])), wanted, rtol=1e-9, atol=0)


def test_the_figure_follows_the_slider(driver: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    start = {"metric": "sobolev", "boundary": "natural", "spacing": "normalized"}
    driver.execute_script(SET, start | {"n": 6, "lam": -0.7, "noise": 0.6})
    before, value = driver.execute_script(DRAWN), driver.execute_script("return Explorer.current")
    assert [len(lines) for lines in before] == [2, 1, 1]
    driver.find_element(By.NAME, "lam").send_keys(Keys.ARROW_RIGHT * 5)
    after, moved = driver.execute_script(DRAWN), driver.execute_script("return Explorer.current")
    assert moved["setting"]["lam"] > value["setting"]["lam"]
    assert np.ptp(moved["smoothed"]) < np.ptp(value["smoothed"])
    # The raw gradient stays as it was drawn, the smoothed one is redrawn.
    assert before[0][0] == after[0][0]
    assert before[0][1] != after[0][1]
    assert moved["left"] != value["left"]
    assert browser.complaints(driver) == []


def test_controls_without_a_meaning_are_off(driver: Any) -> None:
    disabled = (
        "return [...document.querySelectorAll('select:disabled, input:disabled')]"
        ".map((control) => control.name);"
    )
    driver.execute_script(SET, {"metric": "l2"})
    assert driver.execute_script(disabled) == ["boundary", "spacing", "lam"]
    driver.execute_script(SET, {"metric": "sobolev"})
    assert driver.execute_script(disabled) == []
