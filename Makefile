# A fresh machine needs Python 3.11 or newer and make; everything else lands in .venv and var.
.PHONY: run test check bench fmt lock clean
.DELETE_ON_ERROR:

# The newest Python that works: a launcher that only prints an error does not count.
ifndef PYTHON
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
endif

VENV := .venv
PY := $(VENV)/bin/python
MADE := $(VENV)/made.stamp
PIP := $(PY) -m pip --disable-pip-version-check -qq

# A virtual environment whose Python was upgraded away is made anew.
$(shell [ -x $(PY) ] || rm -f $(VENV)/*.stamp)

run: $(VENV)/runtime.stamp
	@exec $(PY) -m core.cli run --with-parent

test: $(VENV)/dev.stamp
	$(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile

check: $(VENV)/dev.stamp
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy .
	$(MAKE) test

bench: $(VENV)/dev.stamp
	$(PY) -m bench

fmt: $(VENV)/dev.stamp
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

# Lock again after a change in pyproject.toml; delete a lock first to take newer versions.
lock: $(MADE)
	@set -e; tool=$$(mktemp -d); trap 'rm -rf "$$tool"' EXIT; \
	$(PY) -m venv "$$tool"; "$$tool/bin/python" -m pip install --disable-pip-version-check --quiet uv; \
	compile="$$tool/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		pyproject.toml --group build"; \
	$$compile -o requirements.lock; \
	$$compile --group dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './var/*' -prune -exec rm -rf {} +

$(MADE):
	@[ -n "$(PYTHON)" ] || { echo "Huilin needs Python 3.11 or newer, and found none; \
	install one or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "Huilin needs Python 3.11 or newer, and $(PYTHON) is $$("$(PYTHON)" --version 2>&1 | tail -n 1)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "Huilin needs Python's venv module; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "huilin: $$("$(PYTHON)" --version) in $(VENV)"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@touch $@

$(VENV)/runtime.stamp: $(MADE) requirements.lock pyproject.toml
	@echo "huilin: installing the locked packages (the first time takes a minute or two)"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(MADE) requirements-dev.lock requirements.lock pyproject.toml
	@echo "huilin: installing the locked packages and the tools (the first time takes a minute or two)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $(VENV)/runtime.stamp $@
