"""Lines in figures are told apart by their dashes, and by colour whatever colours one can see."""

from itertools import combinations

import numpy as np
import pytest

from cdg_theory.display import FIGURES, LINES, figure_style

# Linear RGB as dichromats see it (Viénot, Brettel and Mollon 1999): red-blind, green-blind.
SEEN = {
    "all": np.eye(3),
    "protan": np.array([[0.1124, 0.8876, 0], [0.1124, 0.8876, 0], [0.0040, -0.0040, 1]]),
    "deutan": np.array([[0.2927, 0.7073, 0], [0.2927, 0.7073, 0], [-0.0223, 0.0223, 1]]),
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
# Of CIE 1976's differences, 2.3 is just noticed; four times that is seen without looking twice.
APART = 4 * 2.3


def lab(colour: str, seen: np.ndarray) -> np.ndarray:
    """Return CIE Lab coordinates of a colour as somebody sees it."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(XYZ @ np.clip(seen @ linear, 0, 1) / XYZ.sum(axis=1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def nearest(colours: list[str], seen: np.ndarray) -> float:
    places = [lab(colour, seen) for colour in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(places, 2))


@pytest.mark.parametrize("seen", SEEN)
def test_colours_are_told_apart(seen) -> None:
    assert nearest([*LINES, "#ffffff"], SEEN[seen]) > APART


def test_colours_that_are_confused_are_noticed() -> None:
    assert nearest(["#d1495b", "#8a7a2f"], SEEN["all"]) > APART
    assert nearest(["#3a7d44", "#7d6a46"], SEEN["deutan"]) < APART


def test_every_line_has_dashes_of_its_own() -> None:
    assert len(set(LINES.values())) == len(LINES)


def test_the_style_is_that_of_the_pages() -> None:
    mpl = pytest.importorskip("matplotlib")
    with mpl.rc_context():
        figure_style()
        cycle = [*mpl.rcParams["axes.prop_cycle"]]
        assert [entry["color"] for entry in cycle] == [*LINES]
        assert [entry["linestyle"] for entry in cycle] == [*LINES.values()]
        assert mpl.rcParams["svg.hashsalt"] == FIGURES["svg.hashsalt"]
