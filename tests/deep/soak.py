r"""Long use: memory does not grow, weights do not drift beyond the bound, nothing is left behind.

**Memory.** ``python -m tests.deep.soak JOB COUNT`` runs a job in a process of its own. What is
resident is read after a tenth of the steps and at the end. What may differ is noise of the
allocator, not of the count: an arena of glibc's is 64 MiB of addresses, but pages are touched as
they are needed, and a step allocates the same sizes each time. The allowance is 1 MiB: at 100,000
steps a leak of 11 bytes a step, less than the smallest Python object (16).

**Drift.** On a quadratic :math:`\tfrac12(w-w^*)^TH(w-w^*)` with diagonal H, each exact step is
:math:`w^+ = w-\eta M^{-1}H(w-w^*)`, a contraction in the norm of M: its factor is
:math:`q = \max_i|1-\eta\mu_i|` with the eigenvalues μ of :math:`M^{-1/2}HM^{-1/2}`, and one step
of the machine adds an error e of its own. So :math:`\|\delta_{t}\|_M\le q\|\delta_{t-1}\|_M+
\|e_t\|_M`, hence :math:`\|\delta_t\|_M\le\max_s\|e_s\|_M/(1-q)`, however many steps. With unit
roundoff u of the weights' type, :math:`|e|` is at most, entry by entry,

* u|w−w*| for the difference and u|g| for the product g = H(w−w*), both through ηM⁻¹,
* theorem 7's bound for k = M⁻¹g, the rounding to the weights' type included, times η,
* u|ηk| for the product and u|w⁺| for the difference; with a fused multiply-add, one of the two.

They are evaluated at every state of the weights that is visited. The reference is computed with
200 digits by mpmath.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import weakref
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

import mpmath
import numpy as np
import torch
from torch import nn

import cdg_torch
from cdg_theory import Metric, discrete
from cdg_theory.discrete.sweeps import _sweep_factors
from cdg_theory.rounding.bounds import forward_error_bound
from cdg_theory.rounding.functionals import functional_error_bound
from tests.deep.figures import Figure, Report, elsewhere, judged, timed
from tests.tools.exact_oracle import exact_gram

STEPS, ROUNDS = 100_000, 10_000
METRIC, RATE = Metric(1.0, 0.5, 0.02), 0.25
Say = Callable[[int], None]
"""What a job is handed to say how many steps it has done."""

ALLOWED = 1 << 20
# Blocks of Python's allocator: frames and weak references come and go, a leak of one object at
# every hundredth step would be a thousand.
BLOCKS = 500


def resident() -> int:
    """Return the bytes of this process that lie in main memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _hooks(optimizer: torch.optim.Optimizer, model: nn.Module) -> int:
    own = len(optimizer._optimizer_step_pre_hooks) + len(optimizer._optimizer_step_post_hooks)
    parameters = sum(len(p._backward_hooks or {}) for p in model.parameters())
    return own + parameters + sum(len(m._forward_hooks) for m in model.modules())


def _now() -> tuple[int, int]:
    gc.collect()
    return resident(), sys.getallocatedblocks()


def train(steps: int, say: Say) -> dict[str, float]:
    """Train a small convolutional network, and return what has grown since a tenth of it."""
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 1, groups=2), nn.ReLU())
    model = nn.Sequential(*layers, nn.ConvTranspose2d(8, 4, 2), nn.Flatten(), nn.Linear(100, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3)
    handle = cdg_torch.attach(optimizer, model, Metric.sobolev(1.0))
    # Another metric at every step, for half of the steps: caches are bounded.
    schedule = cdg_torch.LinearMetric(handle, steps=max(300, steps // 2))
    x, y = torch.randn(4, 1, 6, 6), torch.tensor([0, 1, 2, 0])
    start, hooks = (0, 0), 0
    # No cache that metrics go into holds more than 256: all are full by then.
    warm = max(steps // 10, min(steps // 2, 1000))
    for step in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        schedule.step()
        if step == warm:
            start, hooks = _now(), _hooks(optimizer, model)
        if step % 1000 == 0:
            say(step)
    end = _now()
    return {
        "growth": end[0] - start[0],
        "blocks": end[1] - start[1],
        "hooks": _hooks(optimizer, model) - hooks,
        "caches": _sweep_factors.cache_info().currsize,
        "finite": all(bool(p.isfinite().all()) for p in model.parameters()),
    }


def attach(rounds: int, say: Say) -> dict[str, float]:
    """Attach, step and detach again and again; and drop whole optimizers that are attached."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 2, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    optimizer.step()
    attributes = len(vars(optimizer))
    alive: weakref.WeakSet[cdg_torch.Handle] = weakref.WeakSet()
    start, warm = (0, 0), max(rounds // 10, min(rounds // 2, 300))
    for done in range(rounds):
        handle = cdg_torch.attach(optimizer, model, Metric.sobolev(1.0), stats=done % 3 == 0)
        optimizer.step()
        handle.detach()
        alive.add(handle)
        dropped = cdg_torch.SGD(model, lr=1e-3, metric=Metric.reweighted_h0(3.0))
        dropped.step()
        alive.add(dropped.handle)
        del handle, dropped
        if done == warm:
            start = _now()
        if done % 100 == 0:
            say(done)
    end = _now()
    return {
        "growth": end[0] - start[0],
        "blocks": end[1] - start[1],
        "hooks": _hooks(optimizer, model),
        "attributes": len(vars(optimizer)) - attributes,
        "handles": len(alive),
    }


def descend(steps: int, say: Say) -> dict[str, float]:
    """Descend on a quadratic with the library, and beside it with 200 digits.

    Both columns of the weights are one vector here, row by row, in the norm of both together.
    """
    n, columns = 6, 2
    rng = np.random.default_rng(0)
    # Numbers of few bits: both types hold them, and the products with the rate are exact.
    h = rng.integers(1, 5, (n, columns)) / 4.0
    goal = rng.integers(-64, 65, (n, columns)) / 32.0
    gram = np.kron(discrete.gram_matrix(METRIC, n), np.eye(columns))
    root = np.linalg.cholesky(gram)
    inner = np.linalg.solve(root, np.linalg.solve(root, np.diag(h.ravel())).T)
    q = float(np.abs(1 - RATE * np.linalg.eigvalsh(inner)).max())
    assert q < 1
    found: dict[str, float] = {}
    for name in ("float64", "float32"):
        visited, errors = _both(steps, h, goal, name, say)
        bound = max(_local(w, h, goal, gram, name) for w in visited) / (1 - q)
        found[name] = max(float(np.sqrt(e @ gram @ e)) for e in errors) / bound
        found |= {f"bound{name[-2:]}": bound, f"states{name[-2:]}": len(visited)}
    return found


def _local(w: np.ndarray, h: np.ndarray, goal: np.ndarray, gram: np.ndarray, name: str) -> float:
    """Return the bound on what one step from w adds, in the norm of M."""
    u = {"float64": 2.0**-53, "float32": 2.0**-24}[name]
    rounding = forward_error_bound if name == "float64" else functional_error_bound
    g = h * (w - goal)
    e = rounding(g, METRIC, dtype=name)
    k = np.abs(e.gradient).ravel()
    step = np.abs(np.linalg.inv(gram)) @ (2 * u * np.abs(g).ravel()) + e.bound.ravel() + u * k
    step = RATE * step + u * (np.abs(w).ravel() + RATE * k)
    # Products of errors, and what NumPy rounds here, are far below a thousandth.
    return 1.001 * float(np.sqrt(step @ np.abs(gram) @ step))


def _both(
    steps: int, h: np.ndarray, goal: np.ndarray, name: str, say: Say
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return every state of the weights that was visited, and at some steps their error.

    A trajectory of floats ends in a fixed point or a short cycle: the states are few.
    """
    (n, columns), dtype = h.shape, getattr(torch, name)
    layer = nn.Conv1d(columns, n, 1, bias=False, dtype=dtype)
    nn.init.zeros_(layer.weight)
    factors, minimum = (torch.from_numpy(a).to(dtype)[:, :, None] for a in (h, goal))
    optimizer = torch.optim.SGD(layer.parameters(), lr=RATE)
    cdg_torch.attach(optimizer, layer, METRIC)
    inverse = exact_gram(METRIC, n, rounded=False).inv()
    with mpmath.workdps(200):
        # The distance to the minimum: w − w* = Tᵗ(0 − w*), with T = 1 − ηM⁻¹H.
        size = n * columns
        power, distance = mpmath.eye(size), -mpmath.matrix(goal.ravel().tolist())
        for a, b in product(range(size), repeat=2):
            x = inverse[a // columns, b // columns]
            if a % columns == b % columns:
                power[a, b] -= RATE * h.flat[b] * (mpmath.mpf(int(x.p)) / int(x.q))
        visited, errors, done = {b"": np.zeros_like(goal)}, [], 0
        # At first every step, then ever fewer: the powers of the map come by squaring.
        times = sorted({*range(50), *(int(steps**x) for x in np.linspace(0.4, 1, 60)), steps})
        for time in times:
            for _ in range(time - done):
                layer.weight.grad = factors * (layer.weight.detach() - minimum)
                optimizer.step()
                w = layer.weight.detach().double().numpy()[:, :, 0]
                visited.setdefault(w.tobytes(), w.copy())
            distance, done = power ** (time - done) * distance, time
            w = layer.weight.detach().double().numpy()[:, :, 0]
            exact = [x + y for x, y in zip(distance, goal.ravel().tolist(), strict=True)]
            errors.append(np.array([float(x - y) for x, y in zip(w.flat, exact, strict=True)]))
            say(time)
    return list(visited.values()), errors


def _too_much(m: dict[str, float], limits: Mapping[str, float]) -> list[str]:
    """Return what grew beyond its limit; where that is 0, what changed at all."""
    wrong = {
        name: m[name] > limit or (limit == 0 and m[name] != 0) for name, limit in limits.items()
    }
    return [f"{m[name]:,.0f} {name}" for name in limits if wrong[name]]


def _memory(effort: float, report: Report) -> Figure:
    steps = max(1000, int(STEPS * effort))
    with timed() as seconds:
        m = elsewhere("soak", "train", str(steps), say=lambda n: report("train", n, steps))
    wrong = _too_much(m, {"growth": ALLOWED, "blocks": BLOCKS, "hooks": 0, "caches": 256})
    return judged(
        "soak",
        f"{STEPS:,} steps of training: after a warm-up, resident memory grows by less than "
        f"{ALLOWED / 1024:,.0f} KiB, no hook is added, and no more than {BLOCKS} small blocks of "
        "memory",
        f"{steps:,} steps: {m['growth'] / 1024:,.0f} KiB, {m['hooks']:+.0f} hooks, "
        f"{m['blocks']:+.0f} small blocks, {m['caches']:.0f} entries in the cache of factors",
        wrong + ["weights that are not finite"] * (not m["finite"]),
        seconds(),
    )


def _drift(effort: float, report: Report) -> Figure:
    steps = max(200, int(STEPS * effort))
    with timed() as seconds:
        m = descend(steps, lambda done: report("descend", done, steps))
    return judged(
        "soak",
        "As many steps of descent on a quadratic, float32 and float64: the weights stay within "
        "the derived bound of the trajectory in exact steps of 200 digits",
        f"{steps:,} steps: float32 {m['float32']:.3f} of the bound, float64 {m['float64']:.3f}; "
        f"the bound is {m['bound32']:.2g} and {m['bound64']:.2g} for weights of order 1; "
        f"{m['states32']:.0f} and {m['states64']:.0f} states visited",
        [f"{name} beyond the bound" for name in ("float32", "float64") if not m[name] <= 1],
        seconds(),
    )


def _rounds(effort: float, report: Report) -> Figure:
    rounds = max(200, int(ROUNDS * effort))
    with timed() as seconds:
        m = elsewhere("soak", "attach", str(rounds), say=lambda n: report("attach", n, rounds))
    limits = {"growth": ALLOWED, "blocks": BLOCKS, "hooks": 0, "attributes": 0, "handles": 0}
    return judged(
        "soak",
        f"{ROUNDS:,} times attached, used and detached, and as often made and dropped: no hook, "
        f"attribute or handle is left, memory grows by less than {ALLOWED / 1024:,.0f} KiB",
        f"{rounds:,} rounds: {m['growth'] / 1024:,.0f} KiB, {m['hooks']:+.0f} hooks, "
        f"{m['attributes']:+.0f} attributes, {m['blocks']:+.0f} small blocks, "
        f"{m['handles']:.0f} handles alive",
        _too_much(m, limits),
        seconds(),
    )


def run(*, effort: float, report: Report) -> list[Figure]:
    """Train long, descend long, attach and detach often."""
    return [part(effort, report) for part in (_memory, _drift, _rounds)]


if __name__ == "__main__":
    job = {"train": train, "attach": attach}[sys.argv[1]]
    found = job(int(sys.argv[2]), lambda done: print(done, flush=True))  # noqa: T201
    print(json.dumps(found))  # noqa: T201
