"""Helpers of the proofs: exact algebra, drawn matrices."""
