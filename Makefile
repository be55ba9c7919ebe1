# make help lists the targets. All of them create .venv when it is missing or older than requirements.lock.
# Paths are relative on purpose: the project may live in a folder whose name has spaces.

PYTHON ?=
PROFILE ?= quick
DATA ?= phantom
CORES ?= 2
PYTEST_ARGS ?=
RELEASE_ARGS ?=

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help book pdf release test test-fast lab app status bench soak notebooks lint clean distclean

VENV := .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# Two tests run at a time: a network that takes both cores for itself would slow down both.
ONE_CORE := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE TF_NUM_INTRAOP_THREADS=1

# The stamp is written last, so an installation that failed half-way is taken up again by the next call.
$(STAMP): requirements.lock pyproject.toml
	@rm -f $(STAMP)
	@set -e; python="$(PYTHON)"; python="$${python:-$$(command -v python3.11 || command -v python3 || true)}"; \
	if [ -z "$$python" ] || ! "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; then \
	  echo "make: Python 3.11, 3.12 or 3.13 is needed, found: $${python:-none}. Install one, or name it: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; \
	fi; \
	if ! $(BIN)/python -c 'import pip' 2>/dev/null; then "$$python" -m venv --clear $(VENV); fi
	@echo "installing requirements.lock into $(VENV) (minutes the first time)"
	@$(PIP) install -r requirements.lock
	@$(PIP) install --no-deps -e .
	@$(BIN)/python -m compileall -q fetal_lib fetal_phantoms fetal_book  # as pip does for what it copies
	@date -u +%Y-%m-%dT%H:%M:%SZ > $(STAMP)

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo "  variables: PROFILE=smoke|quick|full (now $(PROFILE)), DATA=phantom|NAME|FOLDER (now $(DATA)), CORES=$(CORES)"

book: $(STAMP)  ## run the chapters that changed, then build the site into book/_build/html
	@$(BIN)/fetal-lib book build --profile "$(PROFILE)" --data "$(DATA)" --cores $(CORES)

pdf: $(STAMP)  ## print the built book into book/_build/compendium.pdf (needs Chromium or Chrome)
	@$(BIN)/fetal-lib book pdf

release: $(STAMP)  ## pack the built site with manifest, sums and metadata into dist/
	@$(BIN)/fetal-lib book release $(RELEASE_ARGS)

test: $(STAMP)  ## all tests, the fast tier first
	@$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile $(PYTEST_ARGS)
	@$(ONE_CORE) $(BIN)/python -m pytest -m "slow" -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-fast: $(STAMP)  ## the tests that take a minute or two together
	@$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile $(PYTEST_ARGS)

lab: $(STAMP)  ## open the chapters in JupyterLab
	@$(BIN)/python -m jupyter lab --notebook-dir . --LabApp.default_url /lab/tree/notebooks

app: $(STAMP)  ## open the trained models as a page in the browser
	@$(BIN)/fetal-lib app

status: $(STAMP)  ## the runs of every chapter that stand, what failed since, and sweeps
	@$(BIN)/fetal-lib status

bench: $(STAMP)  ## measure this computer, for book/speed.jsonl: imports, networks, predictions, the app
	@FETAL_BENCH="$(CURDIR)/book/speed.jsonl" $(BIN)/python -m pytest -m "slow" -k "bench" -s $(PYTEST_ARGS)

soak: $(STAMP)  ## break things on purpose, many times, for hours: what was tried goes to book/reliability.jsonl
	@FETAL_SOAK="$(CURDIR)/book/reliability.jsonl" $(BIN)/python -m pytest -k "soak or fuzz" --timeout 7200 $(PYTEST_ARGS)

notebooks: $(STAMP)  ## write the clean .ipynb beside every chapter's .py
	@$(BIN)/fetal-lib notebooks sync

lint: $(STAMP)  ## ruff over the code, and the notebook pairs
	@$(BIN)/python -m ruff check .
	@$(BIN)/fetal-lib notebooks check

clean:  ## remove the site and the book's runs; your own runs, cached fits and .venv stay
	@rm -rf book/_build book/notebooks book/generated book/runs runs/book .snakemake .pytest_cache .ruff_cache

distclean: clean  ## also remove the runs, the releases, the cache of fits and phantoms, and .venv
	@rm -rf runs dist .cache $(VENV) *.egg-info
