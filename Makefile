# matinee. The first screen is `make` itself: it says what there is.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
INSTALLED := $(VENV)/.installed
TESTING := $(VENV)/.installed-test
BENCHING := $(VENV)/.installed-bench

.PHONY: help demo test check docs pictures bench bench-service soak
help:
	@echo "make demo    virtual environment, install, then a trained model, a list and a running service"
	@echo "make test    virtual environment with the test extras, then the whole suite"
	@echo "make check   ruff, mypy strict, import-linter, generated documentation"
	@echo "make docs    write the generated pages docs/cli.md and docs/settings.md again"
	@echo "make pictures  the pictures of docs/images again, of the web app as it is (needs Chromium)"
	@echo "make bench   matinee beside its peers (QUICK=1: five minutes)"
	@echo "make bench-service  only the service under load (four minutes)"
	@echo "make soak    kills, fuzz and changes of model for some minutes (HOURS=8: kills for so long)"
	@echo "PYTHON=python3.12 chooses the interpreter (3.11 or newer), VENV=dir the environment"

demo: $(INSTALLED)
	@$(BIN)/matinee demo || [ $$? -eq 130 ]

test: $(TESTING)
	$(BIN)/pytest -n 2 --dist loadgroup  # the Spark tests share one session

check: $(TESTING)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

docs: $(TESTING)
	$(BIN)/python docs/generate.py

pictures: $(TESTING)
	PYTHONPATH=. $(BIN)/python docs/pictures.py

bench: $(BENCHING)
	$(BIN)/python -m bench $(if $(QUICK),--quick)
	$(BIN)/python -m bench.page

bench-service: $(TESTING)
	$(BIN)/python -m bench $(if $(QUICK),--quick) service
	$(BIN)/python -m bench.page

soak: $(TESTING)
	SOAK_HOURS=$(HOURS) $(BIN)/pytest -m soak --timeout=0

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "matinee needs Python 3.11 or newer and $(PYTHON) is" \
	    "$$($(PYTHON) --version 2>/dev/null || echo 'not there'): install one and run make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) lacks its venv module: apt install python3-venv (or your system's equal), then make $(MAKECMDGOALS)" \
	    >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing matinee into $(VENV) ..."
	@$(PIP) --editable .
	@touch $@

$(TESTING): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing matinee and its test extras into $(VENV) ..."
	@$(PIP) --editable '.[test]'
	@touch $@ $(INSTALLED)

$(BENCHING): $(TESTING)
	@echo "installing the bench peers into $(VENV) ..."
	@$(PIP) --editable '.[bench]'
	@touch $@
