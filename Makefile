# make demo: install into .venv and run the main job.   make test: install and run the whole fast gate.
# make appendix: every table for a paper, with the records it is printed from, into appendix/ (docs/tables.md).
# make check: run the proof step by step (its fast profile is part of make test).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two cores: one thread a worker, or two torch processes slow each other down badly.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test lint slow gpu check bench docs appendix clean

demo: $(VENV)/installed
	$(BIN)/python -m uat construct --target f --eps 1e-2 --n 3,256

test: $(VENV)/installed-dev lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m slow

# On a machine with a GPU: the tests that need one, then what it is worth beside two threads (six minutes).
gpu: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m gpu
	$(BIN)/python -m tests.benchmarks.gpu

check: $(VENV)/installed
	$(BIN)/python -m uat check

bench: $(VENV)/installed-dev
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m uat bench --profile full --out build/bench.json

docs: $(VENV)/installed-dev
	$(BIN)/python -m mkdocs build --strict

appendix: $(VENV)/installed
	$(BIN)/python -m uat tables --all --profile fast --out appendix

clean:
	rm -rf $(VENV) runs build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# What is imported is compiled when it is: all of torch and sympy takes 45 seconds, most of it for nothing.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(INSTALL) .
	touch $@

$(VENV)/installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(INSTALL) '.[dev]'
	touch $(VENV)/installed $@
