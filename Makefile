# Two commands set up everything: `make demo` and `make test`. See README.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
LABEL_STUDIO := .venv-label-studio
LABEL_STUDIO_VERSION := 1.23.2
# Each has a Label Studio of its own for the tests that need one: about 1 GB.
TEST_PROCESSES ?= 2
export UV_LINK_MODE ?= hardlink
# Without bytecode, which CI does not keep, PyTorch takes seconds to import, at the start of each server.
export UV_COMPILE_BYTECODE ?= 1

# Extras to install: those in EXTRAS; otherwise those of the last time and any that pyproject.toml has gained
# since (a new backend's); the first time, all. $(VENV)/installed holds the choice, and in its second line what
# there was to choose from. Naming further extras adds them.
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

# GHSA-55g9-6c2x-gf8q (CVE-2025-5173): the YOLO example of label-studio-ml unpickles any weights. That code is
# not used here: weights are loaded from MODEL_DIR only. No release fixes it.
AUDIT_EXCEPTIONS := GHSA-55g9-6c2x-gf8q

.PHONY: audit bench bench-files bench-ocr docs help install demo demo-training serve test e2e e2e-install picture check format lock expected clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(VENV)/installed ## Create .venv with .venv/bin/prelabel (EXTRAS=ocr for one backend, TORCH_BACKEND=cpu)

# uv installs everything: it applies the overrides that free label-studio-ml from its pins.
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

demo: install ## Start the server, predict the examples, show the predictions (ONCE=1 to stop afterwards)
	$(BIN)/prelabel demo

demo-training: install e2e-install ## Annotated pictures become a model in a real Label Studio (ONCE=1 to stop afterwards)
	$(BIN)/python -m tests.e2e.demo_training

serve: install ## Serve all installed backends
	$(BIN)/prelabel serve

test: install e2e-install ## Run all tests, including those against a real Label Studio (TEST_PROCESSES=4 for more at once)
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 \
		--durations 10

e2e: install e2e-install ## Run the tests against a real Label Studio only
	$(BIN)/python -m pytest tests/e2e

picture: install e2e-install ## Take the pictures of the README and of docs/training-loop.md
	$(BIN)/python -m tests.e2e.picture
	$(BIN)/python -m tests.e2e.demo_training --pictures

e2e-install: $(LABEL_STUDIO)/installed

$(LABEL_STUDIO)/installed: | $(UV)
	$(UV) venv --quiet --clear --python $(BIN)/python $(LABEL_STUDIO)
	$(UV) pip install --python $(LABEL_STUDIO)/bin/python "label-studio==$(LABEL_STUDIO_VERSION)"
	@touch $@

check: install ## Run ruff and mypy, and check the import order
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: install ## Build the documentation as a site in build/site, its generated pages first
	$(BIN)/python -m tests.documents
	$(BIN)/zensical build --clean --strict

format: install ## Format and fix with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: | $(UV) ## Renew requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.10 --all-extras --upgrade \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		pyproject.toml --output-file requirements.lock

audit: | $(UV) ## Check every version in requirements.lock with pip-audit (needs the registry's JSON API)
	$(UV) tool run pip-audit --requirement requirements.lock --no-deps --disable-pip --strict \
		$(foreach id,$(AUDIT_EXCEPTIONS),--ignore-vuln $(id))

expected: install ## Predict the examples and rewrite each expected.json (BACKENDS=ocr for one)
	$(BIN)/prelabel expected $(BACKENDS)

clean: ## Remove the environments and everything that was built
	rm -rf $(VENV) $(LABEL_STUDIO) build demo .mypy_cache .pytest_cache .ruff_cache

bench: install ## Compare with others in one table (ARGS="--quick ocr" for a part, "--page" to keep the rows)
	$(BIN)/python -m tests.bench $(ARGS)

bench-files: install ## Measure time and memory of validate, predict and evaluate, up to 1,000,000 tasks
	$(BIN)/python -m tests.bench.files

bench-ocr: install ## Measure error rates of the OCR engines, and pages/s beside RapidOCR alone
	$(BIN)/python -m tests.bench.ocr
