"""Machine checks of the theorems, one topic per module, each with a tuple ``THEOREMS``.

:mod:`cdg_theory.ledger` collects and runs them.
"""
