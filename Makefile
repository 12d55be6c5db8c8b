# The two commands of the README are `make demo` and `make test`. Each makes its environment first:
# once, and again when pyproject.toml changes.
#
#   PYTHON=python3.12   the interpreter to make the environment with (3.11 or newer)
#   VENV=folder         where the environment lives
#   TESTS='-k cut'      what to add to the pytest command line
#   GRAPHPRUNE_ZOO=dir  the folder of exported graphs that the sweeps of `make zoo` and `make bench` read

VENV ?= .venv
TESTS ?=

# The first of these that runs and is new enough. A shim of a version manager may exist and not run.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: help demo test lint format pytest engines model-explorer zoo bench coverage clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | sort | expand -t 20

demo: $(READY) ## prune a pretrained model, verify it, and time it against the original
	$(BIN)/python -m models.demo

test: lint pytest ## every check that a change must pass

lint: $(READY) ## ruff, mypy, pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(READY) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pytest: $(READY) engines model-explorer
	$(BIN)/python -m pytest -m "not slow and not zoo" $(TESTS)

engines: $(READY) ## fetch what the tests of engines and of the gate run against (they skip where it cannot be had)
	@$(BIN)/python -m tests.engines.prepare
	@$(BIN)/python -m tests.gate.prepare

model-explorer: $(READY) ## fetch Model Explorer, which tests let read our node data (they skip where it cannot be had)
	@$(BIN)/python -m tests.graph_view.prepare

zoo: $(READY) engines ## the slow tests, and the sweep over every graph of GRAPHPRUNE_ZOO
	$(BIN)/python -m pytest -m "slow or zoo" $(TESTS)
	$(BIN)/python -m benchmarks.zoo --no-write

bench: bench-cold-start bench-shared-bias bench-light ## the quick benchmarks; `make help` lists the others

coverage: $(READY) engines model-explorer ## line and branch coverage of the quick tests
	$(BIN)/python -m coverage run -m pytest -q -m "not slow and not zoo" $(TESTS)
	$(BIN)/python -m coverage report

clean: ## remove the environment, caches and build outputs
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage build dist *.egg-info

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer was found"; \
		echo "hint: install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 4; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@# setuptools warns at every editable install that folders here shadow installed packages: they should
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

-include benchmarks/Makefile
