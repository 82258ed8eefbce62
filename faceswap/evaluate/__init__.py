"""Picture quality as numbers: small pure functions, each relative to the untouched input."""
