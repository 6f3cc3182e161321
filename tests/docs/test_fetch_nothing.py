"""The built pages fetch nothing from elsewhere: all that a browser loads lies beside them."""

from pathlib import Path

import pytest

from tests.tools import pages


def test_every_fetched_address_is_a_file_of_the_site(site: Path) -> None:
    found = 0
    for path in pages.html_files(site):
        for address in pages.parse(path).fetched:
            assert pages.is_local(address), f"{path.relative_to(site)} fetches {address}"
            if not address.startswith("data:"):
                file, _ = pages.target(path, address)
                assert file.is_file(), f"{path.relative_to(site)} names {address}, which is missing"
                found += 1
    # Every page has a stylesheet and a script at least.
    assert found >= 2 * len(pages.html_files(site)) > 0


def test_every_address_in_a_stylesheet_is_local(site: Path) -> None:
    for sheet in pages.stylesheets(site):
        for address in pages.css_addresses(sheet.read_text(encoding="utf-8")):
            assert pages.is_local(address), f"{sheet.relative_to(site)} fetches {address}"


@pytest.mark.parametrize(
    "planted",
    [
        '<script src="https://cdn.example.org/x.js"></script>',
        '<script src="//cdn.example.org/x.js"></script>',
        '<link rel="stylesheet" href="http://example.org/x.css">',
        '<link rel="preconnect" href="https://fonts.example.org">',
        '<img srcset="a.png 1x, https://example.org/b.png 2x">',
        '<div style="background: url(https://example.org/b.png)"></div>',
        "<style>@import 'https://example.org/x.css';</style>",
        "<style>@font-face { src: url('https://example.org/f.woff2') }</style>",
        '<iframe src="https://example.org"></iframe>',
    ],
)
def test_a_planted_address_is_seen(planted: str) -> None:
    assert not all(map(pages.is_local, pages.Page(planted).fetched))


def test_a_link_to_follow_is_not_fetched() -> None:
    page = pages.Page('<a href="https://arxiv.org">x</a><link rel="next" href="b.html">')
    assert page.fetched == []
    assert page.links == ["https://arxiv.org"]
