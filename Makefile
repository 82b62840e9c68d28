# The two commands that do everything on a fresh machine: `make demo` and `make test`.
# What is needed: git, make, Python 3.11 or newer with venv. Everything else goes into .venv, by hash.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help

help: ## this text
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: .venv/stamp ## make .venv with the command .venv/bin/dicom-gateway

.venv/stamp: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; say make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv is missing (Debian: apt-get install python3-venv)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --no-index -e .
	@touch .venv/stamp

demo: setup ## the main job on a small study, end to end, with what it did and where it lies
	$(BIN)/python examples/demo/run.py

test: setup ## the tests (a minute or two); what needs a missing program is skipped and said
	$(BIN)/python -m pytest -n 2 -m "not slow and not peers"

test-peers: setup ## the tests against programs that nobody here wrote (dcmtk, Orthanc, dicom3tools, jing)
	$(BIN)/python -m pytest -n 2 -m "peers and not slow"

nightly: setup ## everything, the long fuzzing and kill runs too
	$(BIN)/python -m pytest -n 2

check: setup ## style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## ratios against peers, measured side by side; takes long (BENCH=--quick: minutes)
	$(BIN)/python -m benchmarks $(BENCH)

# UV=uvx\ uv where uv is not installed but pipx's or uv's runner is. Nothing of the index stands in the lock.
UV ?= uv
lock: ## renew requirements.lock (needs uv)
	$(UV) pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --universal \
		--python-version 3.11 --extra dev --extra ocr --extra codecs --extra hsm pyproject.toml -o requirements.lock

clean: ## remove .venv and what runs have made
	rm -rf .venv demo-out benchmarks/out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.PHONY: help setup clean demo test test-peers nightly check bench lock
