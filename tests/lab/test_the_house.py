"""The house: arrows point down, the core knows no lab, and a name stands for one thing."""

import ast
from collections import defaultdict
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.tools.commands import python

ROOT = Path(__file__).parents[2]
# Rooms (files and folders) by layer, bottom first: each may import those of earlier lines only.
LAYERS = """
cdg_theory.checks cdg_theory.display
cdg_theory.metric cdg_theory.theorem
cdg_theory.continuum cdg_theory.discrete
cdg_theory.rounding cdg_theory.fit cdg_theory.formal
cdg_theory.certificates
cdg_theory.ledger
cdg_theory.proofs
cdg_theory
cdg_torch.devices cdg_torch.likeness cdg_torch.notices
cdg_torch.checks cdg_torch.checkpoints cdg_torch.extras cdg_torch.layers cdg_torch.placements
cdg_torch.correlation cdg_torch.solve
cdg_torch.operators
cdg_torch.gradient
cdg_torch.geometry cdg_torch.sharded
cdg_torch.initialisation
cdg_torch.attachment
cdg_torch.diagnosis cdg_torch.optimizers cdg_torch.recipe cdg_torch.schedules
cdg_torch.lab cdg_torch.lab.baselines cdg_torch.lab.files cdg_torch.lab.output
cdg_torch.lab.drawing
cdg_torch
cdg_torch.lab.notebooks cdg_torch.lab.train cdg_torch.lab.verify
cdg_torch.lab.bench
cdg_torch.lab.cli
"""
LAYER = {room: i for i, line in enumerate(LAYERS.split("\n")) for room in line.split()}
# The face offers the baselines, and loads them when they are asked for; the ledger walks a folder.
EXCEPTIONS = {
    ("cdg_torch", "cdg_torch.lab"),
    ("cdg_torch", "cdg_torch.lab.baselines"),
    ("cdg_theory.ledger", "cdg_theory.proofs"),
}
# Folders whose files answer each other: one name, the same thing in another setting.
MIRRORS = {"continuum": "form", "discrete": "form", "cpu": "device", "gpu": "device", "proofs": ""}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("cdg_theory", "cdg_torch")
    for path in sorted((ROOT / package).rglob("*.py"))
}
CORE = {name: path for name, path in MODULES.items() if not name.startswith("cdg_torch.lab")}
by_package = pytest.mark.parametrize("package", ["cdg_theory", "cdg_torch"])


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def imports(module: str) -> list[str]:
    """Return what a module imports of both packages, wherever in the file it does."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relative to itself"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & MODULES.keys()) or {str(node.module)}
    known = (found & MODULES.keys()) - {module}
    return sorted(name for name in known if (module, name) not in EXCEPTIONS)


def room_of(module: str) -> str:
    return ".".join(module.split(".")[: 3 if module.startswith("cdg_torch.lab") else 2])


def test_every_room_has_its_layer() -> None:
    assert {room_of(module) for module in MODULES} == LAYER.keys()


@pytest.mark.parametrize("room", LAYER)
def test_arrows_point_down(room) -> None:
    own = [module for module in MODULES if room_of(module) == room]
    arrows = [(module, other, room_of(other)) for module in own for other in imports(module)]
    assert not [arrow for arrow in arrows if arrow[2] != room and LAYER[arrow[2]] >= LAYER[room]]


def test_no_import_goes_round_in_a_circle() -> None:
    # CycleError names the circle.
    assert [*TopologicalSorter({module: imports(module) for module in MODULES}).static_order()]


def test_the_core_does_not_know_the_lab() -> None:
    found = [(module, other) for module in CORE for other in imports(module)]
    assert not [(module, other) for module, other in found if other.startswith("cdg_torch.lab")]


def test_an_attached_step_loads_nothing_of_the_lab() -> None:
    program = """
import sys, torch, cdg_torch
model = torch.nn.Conv2d(2, 4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
cdg_torch.attach(optimizer, model, cdg_torch.Metric.sobolev(1.0))
model(torch.ones(1, 2, 5, 5)).sum().backward()
optimizer.step()
print([name for name in sys.modules if name.startswith("cdg_torch.lab")])
"""
    assert python("-c", program) == "[]\n"


def test_no_file_of_the_core_is_longer_than_500_lines() -> None:
    lengths = {module: len(path.read_bytes().splitlines()) for module, path in CORE.items()}
    assert not {module: length for module, length in lengths.items() if length > 500}


def mirrored(module: str) -> str:
    """Return the folder of a module, the same for folders that answer each other."""
    folder = MODULES[module].relative_to(ROOT).parent.parts
    return "/".join(filter(None, (MIRRORS.get(part, part) for part in folder)))


@by_package
def test_a_file_name_stands_once_in_the_core(package) -> None:
    places = defaultdict(set)
    for module, path in CORE.items():
        if module.startswith(package) and path.name != "__init__.py":
            places[path.name].add(mirrored(module))
    assert not {name: found for name, found in places.items() if len(found) > 1}


@by_package
def test_a_public_name_stands_for_one_thing(package) -> None:
    places = defaultdict(list)
    for module in MODULES:
        for node in tree(module).body if module.startswith(package) else ():
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name[0] != "_":
                places[node.name].append(module)
    for name, found in places.items():
        folders = {mirrored(module) for module in found}
        same_thing = len(folders) == 1 and {"form", "device"} & set(folders.pop().split("/"))
        assert len(found) == 1 or same_thing, f"{name} in {found}"


def test_only_faces_say_what_is_public() -> None:
    for module, path in MODULES.items():
        if path.name != "__init__.py" and module != "cdg_torch.lab.baselines":
            names = {node.id for node in ast.walk(tree(module)) if isinstance(node, ast.Name)}
            assert "__all__" not in names, module
