"""The house: arrows point down, the core knows no lab, and a name stands for one thing."""

import ast
import subprocess
import sys
from collections import defaultdict
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Bottom first. A room (a folder or file of a package) may import those of earlier lines only.
LAYERS = {
    "cdg_theory": [
        "checks",
        "metric",
        "continuum discrete",
        "rounding fit",
        "certificates",
        "ledger",
        "proofs",
        "__init__",
    ],
    "cdg_torch": [
        "checks checkpoints extras layers placements",
        "correlation solve",
        "operands",
        "operators",
        "gradient",
        "geometry sharded",
        "attachment",
        "optimizers schedules",
        "lab.__init__ lab.baselines lab.files lab.output",
        "lab.drawing",
        "__init__",
        "lab.train lab.verify",
        "lab.bench",
        "lab.cli",
    ],
}
# The face offers the baselines, and loads them when they are asked for; the ledger walks a folder.
EXCEPTIONS = {
    ("cdg_torch", "cdg_torch.lab.baselines"),
    ("cdg_torch", "cdg_torch.lab"),
    ("cdg_theory.ledger", "cdg_theory.proofs"),
}
# Folders whose files answer each other: one name, the same thing in another setting.
MIRRORS = {"continuum": "form", "discrete": "form", "cpu": "device", "gpu": "device", "proofs": ""}

FILES = {
    package: {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted((ROOT / package).rglob("*.py"))
    }
    for package in LAYERS
}
MODULES = FILES["cdg_theory"] | FILES["cdg_torch"]
CORE = {name: path for name, path in MODULES.items() if not name.startswith("cdg_torch.lab")}
by_package = pytest.mark.parametrize("package", LAYERS)


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def imports(module: str) -> frozenset[str]:
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
    return frozenset(name for name in known if (module, name) not in EXCEPTIONS)


def layer(module: str) -> int:
    package, _, inner = module.partition(".")
    parts = (inner or "__init__").split(".")
    room = ".".join([*parts, "__init__"][:2] if parts[0] == "lab" else parts[:1])
    places = [place for place, rooms in enumerate(LAYERS[package]) if room in rooms.split()]
    assert len(places) == 1, f"{module} stands in no layer: give {room} a line in LAYERS"
    return places[0]


def room_of(module: str) -> str:
    return ".".join(module.split(".")[: 3 if module.startswith("cdg_torch.lab") else 2])


@pytest.mark.parametrize("room", sorted({room_of(module) for module in MODULES}))
def test_arrows_point_down(room) -> None:
    for module in [module for module in MODULES if room_of(module) == room]:
        for other in imports(module):
            if other.partition(".")[0] != module.partition(".")[0]:
                assert module.startswith("cdg_torch"), f"{module} imports {other}"
            elif room_of(other) != room:
                assert layer(other) < layer(module), f"{module} imports {other}"


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
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (found.stdout, found.returncode) == ("[]\n", 0), found.stderr


def test_no_file_of_the_core_is_longer_than_500_lines() -> None:
    lengths = {module: len(path.read_bytes().splitlines()) for module, path in CORE.items()}
    assert not {module: length for module, length in lengths.items() if length > 500}


def mirrored(module: str) -> str:
    """Return the folder of a module, the same for folders that answer each other."""
    folder = MODULES[module].relative_to(ROOT).parent.parts
    return "/".join(filter(None, (MIRRORS.get(part, part) for part in folder)))


@by_package
def test_a_file_name_stands_once_in_the_core(package) -> None:
    places = defaultdict(list)
    for module in FILES[package].keys() & CORE.keys():
        if MODULES[module].name != "__init__.py":
            places[MODULES[module].name].append(mirrored(module))
    assert not {name: found for name, found in places.items() if len(set(found)) > 1}


@by_package
def test_a_public_name_stands_for_one_thing(package) -> None:
    places = defaultdict(list)
    for module in FILES[package]:
        for node in tree(module).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name[0] != "_":
                places[node.name].append(module)
    shared = {name: found for name, found in places.items() if len(found) > 1}
    same_thing = {"form", "device"}
    assert not {
        name: found
        for name, found in shared.items()
        if len({mirrored(module) for module in found}) > 1
        or not same_thing & set(mirrored(found[0]).split("/"))
    }


def test_only_faces_say_what_is_public() -> None:
    for module, path in MODULES.items():
        if path.name != "__init__.py" and module != "cdg_torch.lab.baselines":
            assigned = [node for node in ast.walk(tree(module)) if isinstance(node, ast.Name)]
            assert "__all__" not in {name.id for name in assigned}, module
