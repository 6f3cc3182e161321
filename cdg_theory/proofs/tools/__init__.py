"""What proofs use and is no proof: exact algebra, drawn matrices."""
