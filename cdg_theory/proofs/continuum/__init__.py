"""The continuum's theorems: definiteness, gradients, Green's functions, spectra, noise, symmetries."""
