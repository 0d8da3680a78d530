PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed

.PHONY: test check browser run clean

test: check browser ## all checks, then all tests
	$(BIN)/python -m pytest

check: $(INSTALLED) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

browser: $(INSTALLED) ## a Chromium for the browser tests; one that is already there is used
	$(BIN)/python -m benchmarks.chromium

run: $(INSTALLED) ## the app
	$(BIN)/streamlit run app.py

# Installed again only when the requirements have changed.
$(INSTALLED): requirements.txt requirements-dev.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed." if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	touch $(INSTALLED)

clean: ## what can be made again; runs/ stays
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
