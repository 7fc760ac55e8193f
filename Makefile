# `make demo`, `make test` and `make check` do all the set-up on a machine with Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check

# Tests start hundreds of processes: what is compiled is kept, wherever the environment says not to.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test check test-vllm clean

demo: $(VENV)/.installed
	$(VENV)/bin/arena demo

# What every commit must pass, in five minutes.
test: $(VENV)/.installed-for-tests
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/python -m tests.chromium
	$(VENV)/bin/python -m pytest

# That, then types, slow tests, the wheel, other Pythons and kills, in half an hour.
check: $(VENV)/.installed-for-tests
	$(VENV)/bin/python -m tests.chromium
	$(VENV)/bin/python -m tests.check

# The vllm/ lane against a real vLLM server on this machine's processors: 3.5 GB and three minutes
# the first time, and no part of the others.
test-vllm: $(VENV)/.installed-for-tests
	$(VENV)/bin/python -m tests.vllm.check

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[view]'
	touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed constraints.txt
	$(PIP) -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) .vllm demo.duckdb demo.duckdb.journal
