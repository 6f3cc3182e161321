"""In a real browser the pages are quiet, show formulas whole, fit every screen, call nobody."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tools import browser, pages

# The pages of modules share one template: these stand for them.
SAMPLES = {"cdg_theory.metric.html", "cdg_theory.discrete.sweeps.html", "cdg_torch.html"}
WIDTHS = {390: 844, 768: 1024, 1280: 900, 1440: 900}

# Text that a reader sees and that looks like TeX. Code and what MathJax keeps for screen readers
# are left out.
RAW_TEX = r"""
const walker = document.createTreeWalker(document.querySelector('article'), NodeFilter.SHOW_TEXT);
const found = [];
while (walker.nextNode()) {
  const node = walker.currentNode;
  if (node.parentElement.closest('pre, code, script, style, mjx-container')) continue;
  if (/\\[a-zA-Z]{2,}|\\\(|\\\[|\$\$/.test(node.data)) found.push(node.data.trim());
}
return found;
"""
FORMULAS = """
const all = [...document.querySelectorAll('.math')];
return {
  wanted: all.length,
  shown: all.filter((e) => e.querySelector('mjx-container mjx-math')).length,
  mathml: document.querySelectorAll('mjx-assistive-mml math').length,
  // What MathJax's parser refuses, and macros that it does not know: these it prints in red.
  errors: document.querySelectorAll('mjx-merror, mjx-mtext[style*="red"]').length,
};
"""
# Text that ends beyond the screen and in no box of its own that scrolls. The theme hides what makes
# the page too wide, or lets its whole content scroll sideways: the page's width does not tell.
CUT_OFF = r"""
const scrolls = (e) => ['auto', 'scroll'].includes(getComputedStyle(e).overflowX);
const found = [];
const walker = document.createTreeWalker(document.querySelector('article'), NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode;
  if (!node.data.trim() || node.parentElement.closest('mjx-assistive-mml, script, style')) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  if (range.getBoundingClientRect().right <= window.innerWidth + 1) continue;
  let box = node.parentElement;
  while (box.tagName !== 'ARTICLE' && !scrolls(box)) box = box.parentElement;
  if (box.tagName === 'ARTICLE') found.push(node.data.trim().slice(0, 60));
}
return found;
"""
# Formulas, outputs and pictures that end beyond their column, even if they can be scrolled there;
# and formulas drawn so small, to fit, that nobody can read them.
CLIPPED = r"""
const article = document.querySelector('article');
const end = Math.min(window.innerWidth, article.getBoundingClientRect().right) + 1;
const found = [];
for (const e of article.querySelectorAll(
    'mjx-math, .cell_output pre, .cell_output table, .cell_output img, img, svg')) {
  const box = e.getBoundingClientRect();
  if (!box.width || e.closest('details:not([open]), .explorer, .scaling-plot')) continue;
  // On a phone a table scrolls, and its formulas with it.
  if (window.innerWidth < 600 && e.closest('.table-wrapper')) continue;
  const inner = e.tagName === 'PRE' ? e.scrollWidth - e.clientWidth : 0;
  const words = `${e.tagName} ${(e.alt || e.textContent).trim().slice(0, 40)}`;
  const over = Math.round(Math.max(box.right - end, inner));
  if (over > 1) found.push(`${words}: ${over}px`);
  if (e.tagName === 'MJX-MATH' && parseFloat(getComputedStyle(e).fontSize) < 6.5) {
    found.push(`${words}: too small`);
  }
}
return found.map((words) => words.replace(/[^ -~]/gu, '?'));
"""
# Boxes that scroll sideways and do not fade where more is to be seen; on a phone, sentences
# squeezed into narrow columns.
SILENT = r"""
const found = [];
for (const e of document.querySelectorAll('article *')) {
  if (e.closest('details:not([open]), .explorer, .scaling-plot, mjx-assistive-mml')) continue;
  const style = getComputedStyle(e);
  const words = `${e.tagName} ${e.textContent.trim().slice(0, 40)}`.replace(/[^ -~]/gu, '?');
  const scrolls = ['auto', 'scroll'].includes(style.overflowX);
  if (scrolls && e.scrollWidth - e.clientWidth > 1 && style.maskImage === 'none') {
    found.push(`${words}: scrolls without a sign`);
  }
  if (window.innerWidth < 600 && style.display === 'table-cell' && e.offsetHeight > 160) {
    found.push(`${words}: a cell of ${e.offsetHeight}px`);
  }
}
return found;
"""
# Pictures without words; a path is none.
NO_ALT = r"""
const named = (e) => e.alt.includes(' ') && !/_images|\.(png|svg)/.test(e.alt);
return [...document.querySelectorAll('article img')].filter((e) => !named(e)).map((e) => e.src);
"""
# An error from MathJax's parser is drawn in its own element; overflow is judged by the page, since
# wide formulas and tables scroll inside their own boxes.
OVERFLOW = "return document.documentElement.scrollWidth - window.innerWidth;"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser.chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


def visited(site: Path) -> list[Path]:
    return [
        path
        for path in pages.html_files(site)
        if "_modules" not in path.parts
        and ("internals" not in path.parts or path.name in SAMPLES)
        and path.name not in {"genindex.html", "py-modindex.html", "search.html"}
    ]


def settled(driver: Any, script: str) -> list[str]:
    """Return what a script finds once the page has settled: it follows a new width in a moment."""
    for _ in range(40):
        found = driver.execute_script(script)
        if not found:
            break
        time.sleep(0.05)
    return found


def test_every_page(site: Path, driver: Any) -> None:
    paths = visited(site)
    assert len(paths) >= 80
    assert formulas_of_sound(paths, site, driver) >= 500


def formulas_of_sound(paths: list[Path], site: Path, driver: Any) -> int:
    """Look for every fault of the pages; return how many formulas were seen."""
    formulas = 0
    faults = []
    for path in paths:
        name = path.relative_to(site).as_posix()
        browser.set_width(driver, 1280, WIDTHS[1280])
        browser.open_page(driver, path)
        counts = driver.execute_script(FORMULAS)
        assert counts["shown"] == counts["wanted"], f"{name}: {counts}"
        assert counts["mathml"] >= counts["wanted"], f"{name}: {counts}"
        assert counts["errors"] == 0, f"{name}: MathJax marks an error"
        assert driver.execute_script(RAW_TEX) == [], name
        formulas += counts["wanted"]
        for width, height in WIDTHS.items():
            browser.set_width(driver, width, height)
            assert driver.execute_script(OVERFLOW) <= 0, f"{name} is wider than {width} px"
            for script in (CUT_OFF, CLIPPED, SILENT):
                faults += [f"{name} at {width} px: {found}" for found in settled(driver, script)]
        faults += [f"{name}: no words for {found}" for found in driver.execute_script(NO_ALT)]
        assert browser.complaints(driver) == [], name
        strangers = [
            url for url in browser.requests(driver) if not url.startswith(("file:", "data:"))
        ]
        assert strangers == [], name
    assert faults == []
    return formulas


@pytest.mark.parametrize(
    ("planted", "script", "healthy"),
    [
        (r"<article>so \frac{1}{2} it is</article>", RAW_TEX, []),
        ("<article><p style='width: 5000px'>wide</p></article>", OVERFLOW, 0),
        (
            "<article style='overflow: hidden'><p style='margin-left: 5000px'>cut</p></article>",
            CUT_OFF,
            [],
        ),
        (
            "<article><div class='cell_output' style='overflow: auto; width: 300px'>"
            "<pre style='width: 200px; overflow: auto'>"
            + "verdict " * 90
            + "</pre></div></article>",
            CLIPPED,
            [],
        ),
        (
            "<article style='width: 300px'><mjx-math style='font-size: 4px'>x</mjx-math></article>",
            CLIPPED,
            [],
        ),
        (
            "<article><pre style='width: 200px; overflow: auto'>"
            + "wide " * 90
            + "</pre></article>",
            SILENT,
            [],
        ),
        (
            "<meta name='viewport' content='width=device-width'><article><table><tr><td>"
            "<p style='width: 60px'>" + "sentence " * 30 + "</p></td></tr></table></article>",
            SILENT,
            [],
        ),
        ("<article><img src='data:,' alt=''></article>", NO_ALT, []),
    ],
    ids=[
        "raw TeX",
        "too wide",
        "cut off",
        "clipped",
        "too small",
        "no sign",
        "squeezed",
        "no words",
    ],
)
def test_a_planted_fault_is_seen(
    driver: Any, tmp_path: Path, planted: str, script: str, healthy: object
) -> None:
    page = tmp_path / "planted.html"
    page.write_text(f"<!doctype html><title>x</title><body>{planted}</body>", encoding="utf-8")
    browser.set_width(driver, 390, WIDTHS[390])
    browser.open_page(driver, page)
    seen = driver.execute_script(script)
    assert seen != healthy
    assert not isinstance(seen, int) or seen > 0


def test_planted_noise_and_requests_are_seen(driver: Any, tmp_path: Path) -> None:
    page = tmp_path / "planted.html"
    page.write_text(
        "<!doctype html><title>x</title><body><script>console.error('oh')</script>"
        "<img src='http://127.0.0.1:9/x.png'></body>",
        encoding="utf-8",
    )
    browser.requests(driver)
    browser.open_page(driver, page)
    assert any("oh" in line for line in browser.complaints(driver))
    assert any(url.startswith("http:") for url in browser.requests(driver))
