"""Theorem 5, the inverse as three products; mutants are refused."""

from dataclasses import replace

from tests.tools.planted import refusals


def _without(field):
    def mutate(right):
        def mutant(plan):
            products = right(plan)
            matrix = getattr(products, field)
            return products if matrix is None else replace(products, **{field: 0 * matrix})

        return mutant

    return mutate


test_mutant_is_refused = refusals(
    *(("T5.blocked", "products_of", _without(field)) for field in ("sums", "ends", "rows")),
    ("T5.blocked", "segment_size", lambda f: lambda n: 2 * f(n)),
)
