# DocuChat's commands. `make` prints them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run demo test check format protos bench eval clean

# uv keeps the environment; where it is missing, pip puts it below .tools, which needs python3 with pip and nothing else.
UV := $(shell command -v uv || echo .tools/bin/uv)
RUN := $(UV) run --no-sync
SYNCED := .venv/.synced
# One more than the processors of a small machine: half of the time tests wait for processes to start and stop.
WORKERS := 3
SOURCES := libs services gateway deploy tests conftest.py

help: ## Print this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: $(SYNCED) ## Install everything the project needs into .venv (the other targets do it by themselves)

.tools/bin/uv:
	python3 -m pip install --quiet --target .tools uv

$(SYNCED): pyproject.toml uv.lock $(wildcard libs/*/pyproject.toml services/*/pyproject.toml gateway/pyproject.toml deploy/local/pyproject.toml) | $(filter .tools/bin/uv,$(UV))
	$(UV) sync --locked --all-packages --quiet
	@touch $@

run: $(SYNCED) ## Start the whole stack on this machine: http://127.0.0.1:8080 (DOCUCHAT_PORT, DOCUCHAT_HOME)
	$(RUN) python -m launcher

demo: $(SYNCED) ## Upload two small documents to a running stack and ask about them
	DOCUCHAT_URL=$${DOCUCHAT_URL:-$$($(RUN) python -m launcher url)} $(RUN) docuchat demo

test: $(SYNCED) ## Run every test, with coverage (WORKERS, ARGS="-p randomly" for a random order)
	$(RUN) coverage erase
	$(RUN) coverage run -m pytest -q -n $(WORKERS) $(ARGS)
	$(RUN) coverage combine --quiet
	$(RUN) coverage report --fail-under=90 --skip-covered

check: $(SYNCED) ## Check formats, lints, types, layers, protos and generated code
	$(RUN) ruff format --check $(SOURCES)
	$(RUN) ruff check $(SOURCES)
	$(RUN) mypy $(wildcard libs/language/src libs/servicekit/src libs/testkit/src libs/client/src services/*/src gateway/src deploy/local/src)
	$(RUN) lint-imports
	$(RUN) python libs/genproto/check.py

format: $(SYNCED) ## Format the code
	$(RUN) ruff format $(SOURCES)
	$(RUN) ruff check --fix $(SOURCES)
	$(RUN) buf format --write protos

protos: $(SYNCED) ## Generate the stubs from protos/
	$(RUN) python libs/genproto/generate.py

bench: $(SYNCED) ## Measure speed on a running stack (DOC=path of a PDF); start it with DOCUCHAT_RATE_LIMIT_CHANGES=0
	DOCUCHAT_URL=$${DOCUCHAT_URL:-$$($(RUN) python -m launcher url)} $(RUN) python tests/load/bench.py $(if $(DOC),--document $(DOC)) $(ARGS)

eval: $(SYNCED) ## Measure retrieval quality (BEIR=folder in BEIR format)
	$(RUN) python tests/evals/measure_retrieval.py $(BEIR)

clean: ## Remove the environment, caches and the local stack's data
	rm -rf .venv .tools .build .docuchat .coverage* .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
