# matinee. The first screen is `make` itself: it says what there is.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: help
help:
	@echo "make demo    virtual environment, install, then a trained model, a list and a running service"
	@echo "make test    virtual environment with the test extras, then the whole suite"
	@echo "make check   ruff, mypy strict, import-linter, documentation"
	@echo "make bench   matinee beside its peers (QUICK=1: five minutes)"
	@echo "make soak    the tests that take long"
