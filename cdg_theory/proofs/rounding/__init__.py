"""Theorem 7: rounding errors lie under their bounds, and the bounds are not vacuous."""
