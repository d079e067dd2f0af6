# Needs Python 3.11 or later, and make. Everything is installed into .venv, as constraints.txt pins it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ADDRESS ?= 127.0.0.1:8000

# A notice of mkdocs-material on its maintenance, which CONTRIBUTING.md tells.
export NO_MKDOCS_2_WARNING := true

.PHONY: serve book slides lab test check lint dist bench mutants vendor clean

serve: $(VENV)/docs.installed ## read the book at http://127.0.0.1:8000 while its chapters run; edits show at once
	$(BIN)/python -m mkdocs serve --livereload --dev-addr $(ADDRESS)

book: $(VENV)/docs.installed ## build the book into site/, strictly
	$(BIN)/python -m mkdocs build --strict

slides: $(VENV)/docs.installed ## make slides of the chapters and all figures as SVG, in build/slides/
	$(BIN)/python -m book slides

lab: $(VENV)/lab.installed ## open the chapters as notebooks in JupyterLab; saving keeps no outputs
	JUPYTER_CONFIG_PATH=$(CURDIR)/book/lab $(BIN)/python -m jupyterlab docs/chapters

test: $(VENV)/dev.installed ## run the tests that take minutes
	$(BIN)/python -m pytest -n auto -m "not slow and not book" --hypothesis-profile=quick

check: $(VENV)/dev.installed ## run all tests: also those that launch processes, compile, or build the book
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/dev.installed ## check style, imports and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy

dist: $(VENV)/dev.installed ## build wheel and sdist into dist/, look inside, and try the README with the wheel alone
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/python -m tests.release.inside dist
	$(BIN)/python -m tests.release.fresh dist

bench: $(VENV)/dev.installed ## measure everything against the field; some hours
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.page.goals

mutants: $(VENV)/mutation.installed ## change the code, and see whether the tests notice; some hours
	$(BIN)/python -m benchmarks.mutants
	$(BIN)/python -m benchmarks.page.goals

vendor: $(VENV)/docs.installed ## fetch the third-party files that the repository keeps, anew (npm)
	npm ci --prefix book/vendor
	$(BIN)/python -m book.vendor

clean: ## remove what the build made; the next one runs every chapter
	rm -rf .cache build dist site

$(VENV)/%.installed: pyproject.toml constraints.txt
	@echo "Installing into $(VENV); the first time this takes some minutes."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$*]"
	touch $@
