"""Picture quality as numbers: pure functions on arrays, used by conversion, training and evaluation alike."""
