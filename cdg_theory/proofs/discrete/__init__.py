"""The theorems on n channels: spectra, inverses, linear-time sweeps, blocks, consistency, noise."""
