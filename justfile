# Commands of this repository; `just` alone lists them. CI runs `just check`.

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments

_default:
    @just --list --unsorted

# everything that has to pass before a commit
check: format-check lint types layers test

# rewrite the code in the house format and fix what can be fixed
format:
    ruff format
    ruff check --fix

# the format, unchanged
format-check:
    ruff format --check

lint:
    ruff check

types:
    mypy

# who may import whom (the contracts in pyproject.toml)
layers:
    lint-imports

# fast tests; arguments go to pytest: just test -k paste
test *arguments:
    pytest "$@"

# slow tests too, and those on the GPU where there is one
test-all *arguments:
    pytest -m "" "$@"

# the wheel, in dist/
build:
    pip wheel --no-deps --wheel-dir dist .
