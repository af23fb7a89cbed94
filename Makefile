# Every target works in a fresh clone: it makes .venv and installs what it needs on first use.
# Only GNU make and a Python from 3.11 on are expected. Another one: make PYTHON=/path/to/python3.13 …

SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check
JOBS ?= 2
N ?= 50
SEED ?= 0
PYTEST := $(PY) -m pytest -n $(JOBS)

# One stamp for each set of packages. All go into one environment, so two installs must never run at once.
RUN := $(VENV)/.stamp-run
DEV := $(VENV)/.stamp-dev
LAB := $(VENV)/.stamp-lab
BENCH := $(VENV)/.stamp-bench
BOOK := $(VENV)/.stamp-book
LITE := $(VENV)/.stamp-lite
BROWSER := $(VENV)/.stamp-browser
AXE := tests/browser/node_modules/.package-lock.json
.NOTPARALLEL:
.PHONY: help demo test test-slow test-all lint format bench lab book read lite pictures test-browser conformance-live clean
.DEFAULT_GOAL := help

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

demo: $(RUN)  ## ten requests that each take five seconds, told and drawn in the terminal
	@$(VENV)/bin/dosim run ten-by-five

test: $(DEV)  ## the tests, less those marked slow
	$(PYTEST) -m 'not slow and not browser'

test-slow: $(DEV)  ## only the tests marked slow
	@$(PY) -m pytest --collect-only -qq -m 'slow and not browser' >/dev/null; \
	if [ $$? -eq 5 ]; then echo 'No test is marked slow.'; else set -x; $(PYTEST) -m 'slow and not browser'; fi

test-browser: $(BROWSER) $(AXE) book  ## the book, lessons in JupyterLab and the player, in the Chromium that is there
	$(PYTEST) --dist loadgroup -m browser

test-all: test test-slow test-browser  ## every test

conformance-live: $(DEV)  ## recorded cases and N=50 random programs on workerd and on dosim (needs npm)
	$(PY) tests/conformance/live/run.py --random $(N) --seed $(SEED)

lint: $(DEV)  ## style, format, types, and which layer may import which
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

format: $(DEV)  ## mend what ruff can mend
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(BENCH)  ## the speed benchmark, beside SimPy in one run
	$(PY) benchmarks/run.py

lab: $(LAB)  ## open the first notebook in JupyterLab (which refuses root unless told)
	$(VENV)/bin/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks/01-ten-requests.ipynb

book: $(BOOK)  ## build the book into book/_build/html (with npm: formulas, diagrams, programs that run in the page)
	$(PY) book/vendor.py
	$(PY) -m sphinx -W --keep-going -q -b html book book/_build/html
	@echo 'The book is in book/_build/html; make read shows it.'

lite: $(LITE)  ## build a JupyterLite site into _output: a notebook with dosim in the browser (needs npm)
	$(PY) book/lite.py

pictures: $(RUN)  ## draw the README's pictures anew, into docs/
	$(PY) docs/pictures.py

read: $(PY)  ## serve the built book at http://localhost:8000
	$(PY) -m http.server --bind localhost --directory book/_build/html 8000

clean:  ## remove .venv and what the tools left behind
	rm -rf $(VENV) build dist book/_build book/_generated book/course book/_static/vendor book/node_modules tests/browser/node_modules tests/conformance/live/node_modules _output .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(RUN): pyproject.toml $(PY)
	$(PIP_INSTALL) --editable .
	@touch $@

$(DEV): pyproject.toml $(PY)
	$(PIP_INSTALL) --editable '.[dev]'
	@touch $(RUN) $@

$(LAB): pyproject.toml $(PY)
	$(PIP_INSTALL) --editable '.[lab]'
	@touch $(RUN) $@

$(BROWSER): pyproject.toml $(PY)
	$(PIP_INSTALL) --editable '.[dev,lab,browser]'
	@touch $(RUN) $(DEV) $(LAB) $@

$(BENCH): pyproject.toml $(PY)
	$(PIP_INSTALL) --editable '.[bench]'
	@touch $(RUN) $@

$(LITE): pyproject.toml $(PY)
	$(PIP_INSTALL) --editable '.[lite]'
	@touch $(RUN) $@

$(BOOK): pyproject.toml $(PY)
	$(PIP_INSTALL) --editable '.[book]'
	@touch $(RUN) $@

# axe-core, which one test needs: left out, and said, where npm is missing.
$(AXE): tests/browser/package-lock.json
	@if command -v npm >/dev/null; then \
	  cd $(<D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && touch node_modules/$(@F); \
	else echo 'npm was not found: the test with axe-core is left out.' >&2; fi

# The first of these interpreters that is new enough and can make an environment.
CANDIDATES := $(if $(PYTHON),"$(PYTHON)",python3 python3.14 python3.13 python3.12 python3.11)

$(PY):
	@old=; bare=; \
	for python in $(CANDIDATES); do \
	  "$$python" -c '' 2>/dev/null || continue; \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { old="$$old $$python"; continue; }; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { bare="$$bare $$python"; continue; }; \
	  echo "Making $(VENV) with $$python ($$("$$python" --version))"; \
	  exec "$$python" -m venv --clear $(VENV); \
	done; \
	if [ -n "$$bare" ]; then \
	  echo "Cannot make $(VENV):$$bare has no venv with pip. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	elif [ -n "$$old" ]; then \
	  echo "dosim needs Python 3.11 or newer; too old here:$$old. Install a newer one, or name it:" \
	    "make PYTHON=/path/to/python3.12 ..." >&2; \
	else \
	  echo "dosim needs Python 3.11 or newer; none was found (tried:" $(CANDIDATES)")." \
	    "Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; \
	fi; exit 1
