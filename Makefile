# Two commands set up everything: `make demo` and `make test`. See README.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
LABEL_STUDIO := .venv-label-studio
LABEL_STUDIO_VERSION := 1.23.2
export UV_LINK_MODE ?= hardlink
# PyTorch takes seconds to import where nothing keeps its bytecode, as in CI; each server pays for it.
export UV_COMPILE_BYTECODE ?= 1

# Which extras to install: those that are named, else those of the last time and what pyproject.toml has
# got since then (a new backend's), else all. $(VENV)/installed says what was chosen, and in its second
# line what there was to choose from. Naming others installs them, too.
comma := ,
space := $() $()
CHOSEN := $(shell sed -n 1p $(VENV)/installed 2>/dev/null)
OFFERED := $(shell sed -n '/^\[project.optional-dependencies\]/,/^\[/s/^\([A-Za-z0-9_-]*\) *=.*/\1/p' pyproject.toml)
KNOWN := $(shell sed -n 2p $(VENV)/installed 2>/dev/null)
ADDED := $(if $(KNOWN),$(filter-out $(KNOWN),$(OFFERED)))
ifneq ($(filter-out $(CHOSEN),$(EXTRAS)),)
.PHONY: $(VENV)/installed
endif
EXTRAS ?= $(if $(filter-out all,$(CHOSEN)),$(subst $(space),$(comma),$(strip $(CHOSEN) $(ADDED))),all)

# GHSA-55g9-6c2x-gf8q (CVE-2025-5173): the YOLO example of label-studio-ml unpickles any weights. It is
# not ours: weights are loaded from MODEL_DIR alone. No release mends it.
AUDIT_EXCEPTIONS := GHSA-55g9-6c2x-gf8q

.PHONY: audit bench bench-files bench-ocr docs help install demo serve test e2e e2e-install picture check format lock expected clean

help: ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(VENV)/installed ## Make .venv, with .venv/bin/prelabel (EXTRAS=ocr for one backend, TORCH_BACKEND=cpu)

# uv is the installer: it reads the overrides that free label-studio-ml of its pins.
$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "uv>=0.8"

$(VENV)/installed: pyproject.toml requirements.lock | $(UV)
	$(UV) pip install --python $(BIN)/python --constraints requirements.lock \
		$(if $(TORCH_BACKEND),--torch-backend $(TORCH_BACKEND)) \
		$(if $(filter all,$(EXTRAS)),--requirements pyproject.toml --all-extras --editable .,\
		--editable ".[label-studio-ml,$(EXTRAS)]")
	@echo $(EXTRAS) >$@
	@echo $(OFFERED) >>$@

demo: install ## Start the server, predict the examples, show what was found (ONCE=1 to stop then)
	$(BIN)/prelabel demo

serve: install ## Serve all installed backends
	$(BIN)/prelabel serve

test: install e2e-install ## All tests, those against a real Label Studio included
	$(BIN)/python -m pytest

e2e: install e2e-install ## Only the tests against a real Label Studio
	$(BIN)/python -m pytest tests/e2e

picture: install e2e-install ## Take the picture of the README
	$(BIN)/python -m tests.e2e.picture

e2e-install: $(LABEL_STUDIO)/installed

$(LABEL_STUDIO)/installed: | $(UV)
	$(UV) venv --quiet --clear --python $(BIN)/python $(LABEL_STUDIO)
	$(UV) pip install --python $(LABEL_STUDIO)/bin/python "label-studio==$(LABEL_STUDIO_VERSION)"
	@touch $@

check: install ## ruff and mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: install ## Build the documentation as a site in build/site, its generated pages first
	$(BIN)/python -m tests.documents
	$(BIN)/zensical build --clean --strict

format: install ## Let ruff format and mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: | $(UV) ## Renew requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.10 --all-extras --upgrade \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		pyproject.toml --output-file requirements.lock

audit: | $(UV) ## Ask pip-audit about every version in requirements.lock (needs the registry's JSON API)
	$(UV) tool run pip-audit --requirement requirements.lock --no-deps --disable-pip --strict \
		$(foreach id,$(AUDIT_EXCEPTIONS),--ignore-vuln $(id))

expected: install ## Predict the examples anew and write each expected.json (BACKENDS=ocr for one)
	$(BIN)/prelabel expected $(BACKENDS)

clean: ## Remove the environments and what was made
	rm -rf $(VENV) $(LABEL_STUDIO) build demo .mypy_cache .pytest_cache .ruff_cache

bench: install ## Ours beside others in one table, in turns (ARGS="--quick ocr" for some of it)
	$(BIN)/python -m tests.bench $(ARGS)

bench-files: install ## Time and memory of validate and predict, up to 1,000,000 tasks
	$(BIN)/python -m tests.bench.files

bench-ocr: install ## Error rates of the OCR engines, and pages/s beside RapidOCR by itself
	$(BIN)/python -m tests.bench.ocr
