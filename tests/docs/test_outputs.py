"""What notebooks print on the pages is for readers: no address of an object, no wrapped number."""

import re
from pathlib import Path

import pytest

from tests.tools import pages

OUTPUT = re.compile(r'<div class="cell_output docutils container">(.*?)\n</div>\n', re.DOTALL)
MACHINE = re.compile(r"\bat 0x[0-9a-f]+|\bnp\.(?:float|int)\d+\(|\bDerivative\(|\*\*\(")


def machine_talk(html: str) -> list[str]:
    return [found for output in OUTPUT.findall(html) for found in MACHINE.findall(output)]


def test_outputs_are_for_readers(site: Path) -> None:
    outputs = 0
    for path in pages.html_files(site):
        if "_modules" not in path.parts:
            html = path.read_text(encoding="utf-8")
            outputs += len(OUTPUT.findall(html))
            assert machine_talk(html) == [], path.relative_to(site)
    assert outputs > 50


@pytest.mark.parametrize(
    "planted",
    [
        "&lt;matplotlib.legend.Legend at 0x7f12546cd110&gt;",
        "np.float64(0.5)",
        "2**(1/3)*epsilon**(4/3)",
        "h(o)*Derivative(k(o), o)",
    ],
)
def test_planted_machine_talk_is_seen(planted: str) -> None:
    cell = f'<div class="cell_output docutils container">\n<pre>{planted}</pre>\n</div>\n'
    assert machine_talk(cell)
    assert not machine_talk(f"<p>{planted}</p>")
