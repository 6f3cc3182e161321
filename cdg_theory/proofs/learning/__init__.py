"""The theorems about descent: step bounds, coordinates, implicit bias, neighbouring methods."""
