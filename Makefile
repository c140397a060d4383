# Two commands do all the set-up on a fresh machine with Python 3.10+ and make: `make demo`, `make test`.
PYTHON ?= python3
# Of the files, every tenth is judged: minutes instead of hours.
EVERY ?= 10
# The part of the load matrix: scikit-learn, catboost (2.5 GB) or torch (6 GB).
PART ?= scikit-learn
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python

.PHONY: help demo test lint bench truth matrix incidents docs clean
help:
	@echo 'make demo   train a small model, audit two serving environments, show what is found'
	@echo 'make test   run the tests (those that need a Docker Engine skip where there is none)'
	@echo 'make lint   ruff and mypy --strict'
	@echo 'make bench  speed and memory, as ratios against peers in the same run'
	@echo 'make truth  how often predictions are right: against what happened in real environments (8 GB in .truth)'
	@echo 'make matrix load every file in every environment again, beside what is recorded (half an hour)'
	@echo 'make incidents  what is said of real failures from the public record, beside what happens (7 GB in .truth)'
	@echo 'make docs   generate docs/rules from the rules'

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo 'envaudit needs Python 3.10 or newer: make PYTHON=/path/to/python3.12 ...' >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo 'this Python has no venv module (on Debian: apt-get install python3-venv)' >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.core: $(BIN)/uv pyproject.toml
	@$(UV) -e .
	@$(BIN)/python -m compileall -q envaudit
	@touch $@

$(VENV)/.test: $(VENV)/.core
	@$(UV) --group test -e .
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	@$(UV) --group lint
	@touch $@

demo: $(VENV)/.core
	@$(BIN)/python fixtures/demo/demo.py

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --dist loadgroup $(PYTEST_ARGS)

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks

truth: $(VENV)/.test
	$(BIN)/python -m tests.truth prepare --part $(PART)
	$(BIN)/python -m tests.truth show --part $(PART)
	$(BIN)/python -m tests.truth.accuracy --part $(PART) --held-out --every $(EVERY)

matrix: $(VENV)/.test
	$(BIN)/python -m tests.truth build

incidents: $(VENV)/.test
	$(BIN)/python -m tests.incidents

docs: $(VENV)/.core
	$(BIN)/python -m envaudit.explain docs/rules

clean:
	rm -rf $(VENV) .demo .bench .pytest_cache .mypy_cache .ruff_cache .hypothesis
