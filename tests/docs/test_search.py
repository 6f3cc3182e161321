"""The search of the site names first what is asked for; internals come last."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tools import browser

FIRST = """
const done = arguments[0];
const look = () => {
  const links = [...document.querySelectorAll('#search-results li a')];
  const summary = document.querySelector('.search-summary');
  if (summary && summary.innerText.includes('finished')) done(links.map((link) => link.href));
  else setTimeout(look, 50);
};
look();
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser.chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("install", "#install"),
        ("attach", "api/generated/attaching.html#cdg_torch.attach"),
        ("riemannian_gradients_", "api/generated/gradients.html#cdg_torch.riemannian_gradients_"),
        ("certify", "api/generated/certificates.html#cdg_theory.certify"),
    ],
)
def test_what_comes_first(site: Path, driver: Any, words: str, place: str) -> None:
    driver.get(f"{(site / 'search.html').as_uri()}?q={words}")
    links = driver.execute_async_script(FIRST)
    assert links[0].endswith(place)


def test_internals_come_last(site: Path, driver: Any) -> None:
    # A function of the library has this very name.
    driver.get(f"{(site / 'search.html').as_uri()}?q=install")
    links = driver.execute_async_script(FIRST)
    inner = ["/internals/" in link for link in links]
    assert any(inner)
    assert inner == sorted(inner)
