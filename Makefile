# Two commands do everything on a bare machine: `make demo` and `make test`.
# Both make their own virtual environment in .venv and install the tested versions into it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What is imported is compiled then, and kept, since many processes import the same; compiling all
# that is installed takes a minute and a half.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt

.PHONY: demo test full deep lint types docs verify bench format clean

demo: $(VENV)/.installed-demo
	$(BIN)/cdg demo

test: lint types
	$(BIN)/python -m pytest -n 2

# The tests that take a minute or more each, and those of the built site: its notebooks executed, its
# pages checked in a browser.
full: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m slow

# What takes too long for any test run: under an hour on 2 cores. The figures go into the docs.
deep: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python tests/deep --json docs/reference/deep.json

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W -n --keep-going -b html docs docs/_build/html

verify: $(VENV)/.installed-demo
	$(BIN)/cdg verify

bench: $(VENV)/.installed-demo
	$(BIN)/cdg bench

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# torch goes first and by its exact version, so that no other package's requirement picks a
# different build.
$(VENV)/.torch: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	$(PIP) torch
	touch $@

$(VENV)/.installed-demo: $(VENV)/.torch pyproject.toml
	$(PIP) --editable '.[fast,experiments]'
	touch $@

$(VENV)/.installed-docs: $(VENV)/.torch pyproject.toml
	$(PIP) --editable '.[docs]'
	touch $@

# timm asks for torchvision, whose wheels do not fit every torch; its optimizers do without.
$(VENV)/.installed-test: $(VENV)/.torch pyproject.toml
	$(PIP) --editable '.[test]'
	$(PIP) --no-deps timm
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .nox build *.egg-info docs/_build
