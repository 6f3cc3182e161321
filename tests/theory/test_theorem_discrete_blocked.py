"""Theorem 5, the sweeps in blocks; mutants are refused."""

from dataclasses import replace

from tests.tools.planted import refusals


def _without(field):
    def mutate(right):
        def mutant(*args):
            blocks = right(*args)
            return replace(blocks, **{field: 0 * getattr(blocks, field)})

        return mutant

    return mutate


test_mutant_is_refused = refusals(
    *(
        ("T5.blocked", "sweep_blocks_of", _without(field))
        for field in ("reach", "through", "down", "first", "up", "inner", "second")
    ),
    ("T5.blocked", "sweep_blocks", lambda f: lambda b, s, m: f(b, 0 * s, m)),
    ("T5.blocked", "segment_size", lambda f: lambda n: 2 * f(n)),
)
