"""The theorems of the continuum: definiteness, gradients, kernels, spectra, noise, symmetries."""
