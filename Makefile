# For a machine with Python 3.11 or newer, make and git. The first target that needs it makes the environment, once.
#   make demo       build the bundled sample, with a picture, into ./demo
#   make test       the tests, in a few minutes         make test-all  the slow ones too
#   make check      lint, format, types, floors, doctests, documentation
#   make bench      speed, memory and start-up time     make docs      everything in docs/ that code writes
# Variables: PYTHON=python3.12 (which Python), VENV=.venv (where the environment lies), JOBS=2 (tests at a time).

VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
RUN := $(BIN)/.stamp-run
DEV := $(BIN)/.stamp-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check lint types floors doctest docs-check docs docs-figures bench environment clean
.DELETE_ON_ERROR:

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

# $(RUN): the environment with citygen in it, made anew when pyproject.toml changes. tools/find_python says what is missing.
$(RUN): pyproject.toml
	@test -x $(BIN)/python || { python=$$(sh tools/find_python.sh $(PYTHON)) && echo "making $(VENV) with $$python" && "$$python" -m venv $(VENV); }
	$(PIP) install --quiet --editable .
	@touch $@

# $(DEV): what the tests and checks need too.
$(DEV): pyproject.toml | $(RUN)
	$(PIP) install --quiet --editable '.[dev]'
	@touch $(RUN) $@

environment: $(DEV)

demo: $(RUN)
	@echo "building the sample; the first build on a machine compiles its kernels, which takes a minute or two"
	$(BIN)/citygen build --config data/sample/citygen.toml --out demo --preview --allow-rejected --overwrite
	@echo
	@echo "The result:  $(CURDIR)/demo/tileset.json   (3D Tiles 1.1; one GLB a map tile in demo/tiles)"
	@echo "The table:   $(CURDIR)/demo/buildings.parquet   (one row a footprint)"
	@echo "The picture: $(CURDIR)/demo/preview.png"

test: $(DEV)
	$(PYTEST) -n $(JOBS) --dist worksteal -m 'not slow'

test-all: $(DEV)
	$(PYTEST) -n $(JOBS) --dist worksteal

check: lint types floors doctest docs-check

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy

floors: $(DEV)
	$(BIN)/lint-imports

doctest: $(DEV)
	$(PYTEST) -q citygen

docs-check: $(DEV)
	$(BIN)/python docs/make.py --check
	$(PYTEST) -q tests/test_docs.py

# What code writes in docs/: the help, the tables; with `docs-figures` the pictures too.
docs: $(DEV)
	$(BIN)/python docs/make.py

docs-figures: $(DEV)
	$(BIN)/python docs/make.py --figures

bench: $(DEV)
	$(BIN)/python benchmarks/bench_import.py
	$(BIN)/python benchmarks/bench_build.py --cold
	$(BIN)/python benchmarks/bench_roofs.py
	$(BIN)/python benchmarks/bench_terrain.py --size 4000
	$(BIN)/python benchmarks/bench_sources.py

clean:
	rm -rf $(VENV) demo out build dist tests/tools/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find citygen tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +
