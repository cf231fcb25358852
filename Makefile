# make up    start everything on this machine
# make test  run the whole test suite
# Needs only python3 (3.11 or newer, with venv), git and make.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DEV    := $(VENV)/.installed-dev

.PHONY: up test check bench engines soak dist lock docs clean
.DEFAULT_GOAL := up

$(BIN)/python:
	@$(PYTHON) -c '' 2>/dev/null || \
	  { echo "Pinfold needs Python 3.11 or newer; '$(PYTHON)' cannot be run. Try: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Pinfold needs Python 3.11 or newer; '$(PYTHON)' is older. Try: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "python3 cannot make a virtual environment. On Debian or Ubuntu: apt install python3-venv"; exit 1; }

$(STAMP): $(BIN)/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(STAMP) requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

up: $(STAMP)
	@exec $(BIN)/pinfold up

test: $(DEV)
	$(BIN)/python -m pytest

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# make bench ARGS="add-1g --runs 3", ARGS=--help says what there is
# (Kubo must be there; the others are brought where they can be)
bench: $(DEV)
	$(BIN)/python -m engines.install kubo
	-$(BIN)/python -m engines.install postgresql redis cluster
	$(BIN)/python -m bench $(ARGS)

engines: $(DEV)
	$(BIN)/python -m engines.install

soak: $(DEV)
	$(BIN)/python -m pytest -m soak -n 2

dist: $(DEV)
	rm -rf dist
	$(BIN)/python -m build --no-isolation --wheel
	@ls dist

docs: $(DEV)
	$(BIN)/python -m tests.support.docs

lock: $(DEV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	$(BIN)/uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-header --upgrade --group dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-header --constraint requirements-dev.lock pyproject.toml build-requirements.in -o requirements.lock

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache
