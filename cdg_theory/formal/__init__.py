r"""Proofs that a proof assistant's kernel checks, about a translation of this package's code.

``Statements.v``   what is proved, under the ledger's ids
``Refuted.v``      perturbed claims, proved to be false
``Fields.v``, ``Arrays.v``, ``Definitions.v``   what the statements speak of
``Code.v``         generated from :mod:`cdg_theory.discrete` by ``translate``
(other ``.v``)     the proofs

``translate``      Python to Coq, statement by statement, for a small language (``expressions``)
``values``         drawn cases, computed by Python on fractions and by the kernel
``kernel``         translates, compiles, asks for assumptions, rechecks

``cdg verify --formal`` runs it all; it needs Coq, which nothing else here does.
"""
