# The two commands of the README are `make demo` and `make test`. Each makes its environment first:
# once, and again when pyproject.toml or the locked versions change.
#
#   PYTHON=python3.12   the interpreter to make the environment with (3.11 or newer)
#   VENV=folder         where the environment lives
#   LOCK=file           the versions to install (pip's constraints); /dev/null for the newest
#   TESTS='-k cut'      what to add to the pytest command line
#   MINUTES=30          how long `make fuzz` runs
#   GRAPHPRUNE_ZOO=dir  the folder of exported graphs that the sweeps of `make zoo` and `make bench` read

VENV ?= .venv
LOCK ?= .ci/constraints.txt
TESTS ?=
MINUTES ?= 30

# The first of these that runs and is new enough. A shim of a version manager may exist and not run.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

BIN := $(VENV)/bin
READY := $(VENV)/.installed
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --constraint $(LOCK)

.PHONY: help demo test test-newest test-oldest lock lint format pytest engines model-explorer zoo fuzz bench coverage clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | sort | expand -t 20

demo: $(READY) ## prune a pretrained model, verify it, and time it against the original
	$(BIN)/python -m models.demo

test: lint pytest ## every check that a change must pass

test-newest: ## the tests with the newest versions of everything that the package index has
	rm -rf $(VENV)-newest
	$(MAKE) pytest VENV=$(VENV)-newest LOCK=/dev/null

test-oldest: ## the tests with the oldest versions that pyproject.toml allows
	$(MAKE) pytest VENV=$(VENV)-oldest LOCK=.ci/oldest.txt

lock: ## write the locked versions anew, from the newest
	rm -rf $(VENV)-lock
	$(MAKE) $(VENV)-lock/.installed VENV=$(VENV)-lock LOCK=/dev/null
	{ sed '/^[^#]/d' .ci/constraints.txt; $(VENV)-lock/bin/python -m pip freeze --all --exclude-editable; } > $(VENV)-lock/lock
	mv $(VENV)-lock/lock .ci/constraints.txt

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

fuzz: $(READY) ## mutated files and random networks, for MINUTES=30; what fails is kept in build/fuzz
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

bench: bench-cold-start bench-shared-bias bench-light ## the quick benchmarks; `make help` lists the others

coverage: $(READY) engines model-explorer ## line and branch coverage of the quick tests
	$(BIN)/python -m coverage run -m pytest -q -m "not slow and not zoo" $(TESTS)
	$(BIN)/python -m coverage report

clean: ## remove the environment, caches and build outputs
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage build dist *.egg-info

$(READY): pyproject.toml $(filter-out /dev/null,$(LOCK))
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer was found"; \
		echo "hint: install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 4; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) pip setuptools
	@# setuptools comes from the lock, so the build is not isolated; it warns at every editable install that
	@# folders here shadow installed packages: they should
	PYTHONWARNINGS=ignore $(INSTALL) --no-build-isolation --editable ".[dev]"
	@touch $@

-include benchmarks/Makefile
