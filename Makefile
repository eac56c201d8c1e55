# Everything a person can do here; `make help` lists it.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
DATA ?= sample
USE_CASE ?= housing
SERVICE ?=
ARGS ?=
BENCH ?= ingest search
FORCE ?=
ID ?=
AT ?=
TO ?=
REASON ?=
STAGE ?= train
SET ?=
NAME ?=
DAYS ?=
SCENARIO ?= sudden
SEED ?=
OUT ?=

# Tasks import heavy libraries, which takes twice as long without bytecode.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONHOME

VENV := .venv
STAMP := $(VENV)/.installed
RUN := $(VENV)/bin/python
STACK := PYTHONPATH=include:plugins $(RUN) -m local
KEYS := PYTHONPATH=include:plugins $(RUN) -m local.keys

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): requirements.txt
	@sh include/local/install.sh "$(PYTHON)" requirements.txt $(STAMP)

.PHONY: venv
venv: $(STAMP) ## Make .venv from the lock (PYTHON=/path/to/python3.11 chooses the Python)
	@echo "$(VENV) is ready"

.PHONY: demo
demo: $(STAMP) ## Start the stack and carry a use case from a CSV to a live answer (DATA=real, USE_CASE=<name> or all)
	@$(STACK) demo --data $(DATA) $(if $(USE_CASE),--use-case $(USE_CASE))

.PHONY: up
up: $(STAMP) ## Start the local stack, or what of it does not run
	@$(STACK) up

.PHONY: down
down: ## Stop the local stack; its data stays
	@if [ -x $(RUN) ]; then $(STACK) down; else echo "the stack was down"; fi

.PHONY: status
status: $(STAMP) ## Show what runs, since when, and where
	@$(STACK) status

.PHONY: logs
logs: $(STAMP) ## Follow the logs of the stack (SERVICE=scheduler follows one)
	@$(STACK) logs $(SERVICE)

.PHONY: run
run: $(STAMP) ## Run one stage by itself (USE_CASE=housing STAGE=train SET='snapshot=<id> again=true')
	@$(STACK) run $(USE_CASE) $(STAGE) $(call quoted,$(value SET))

.PHONY: served
served: $(STAMP) ## Show what serves and why, or what did at a moment (USE_CASE=housing AT='2026-11-20 12:00', in UTC)
	@$(STACK) served $(USE_CASE) $(if $(AT),--at $(call quoted,$(value AT)))

.PHONY: rollback
rollback: $(STAMP) ## Go back to what served before, or to one version (USE_CASE=housing REASON='wrong prices' TO=3)
	@$(STACK) rollback $(USE_CASE) --reason $(call quoted,$(value REASON)) $(if $(TO),--to $(call quoted,$(value TO)))

.PHONY: lineage
lineage: $(STAMP) ## Show every source file behind a prediction (ID=<prediction_id>)
	@$(STACK) lineage $(ID)

.PHONY: api-key
api-key: $(STAMP) ## Make a key for the model servers and print it once (NAME=alice DAYS=90; SLUICE_API_KEYS names the file)
	@$(KEYS) make $(if $(DAYS),--days $(call quoted,$(value DAYS))) -- $(call quoted,$(value NAME))

.PHONY: api-keys
api-keys: $(STAMP) ## Show whose keys there are, since when, and until when they open
	@$(KEYS) list

.PHONY: revoke-key
revoke-key: $(STAMP) ## Take a key back; running servers refuse it within a second (NAME=alice)
	@$(KEYS) revoke -- $(call quoted,$(value NAME))

# A value as one word of the shell, whatever is in it.
quoted = '$(subst ','\'',$(1))'

.PHONY: new-use-case
new-use-case: $(STAMP) ## Draft a use case from any CSV (NAME=wine CSV=wine.csv TARGET=quality; TASK and POSITIVE overrule)
	@PYTHONPATH=include:plugins $(RUN) -m local.new_use_case --name $(call quoted,$(value NAME)) \
	  --csv $(call quoted,$(value CSV)) --target $(call quoted,$(value TARGET)) \
	  --task $(call quoted,$(value TASK)) --positive $(call quoted,$(value POSITIVE))

.PHONY: test
test: $(STAMP) ## Run all tests, in two processes (ARGS='-k gate' chooses, ARGS='-n 0' takes one; real data needs ../shared/data or SLUICE_REAL_DATA)
	@OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: replay
replay: $(STAMP) ## Carry a use case through simulated days and draw what was noticed (USE_CASE=housing DAYS=60 SCENARIO=slow SEED=1 OUT=folder)
	@PYTHONPATH=include:plugins OMP_NUM_THREADS=1 $(RUN) -m local.replay --use-case $(call quoted,$(value USE_CASE)) \
	  --scenario $(call quoted,$(value SCENARIO)) $(if $(DAYS),--days $(call quoted,$(value DAYS))) \
	  $(if $(SEED),--seed $(call quoted,$(value SEED))) $(if $(OUT),--out $(call quoted,$(value OUT)))

.PHONY: soak
soak: $(STAMP) ## Run the tests that take many minutes: 200 canaries, ten replays, and serving while everything around it goes down
	@$(RUN) -m pytest -m soak -s $(ARGS)

.PHONY: bench
bench: $(STAMP) ## Print the benchmarks' ratios; ingest needs the running stack (BENCH=upload chooses, also rollout; ARGS='--rows 10000')
	@set -e; for name in $(BENCH); do \
	  [ "$$name" != ingest ] || export SLUICE_WAREHOUSE_DSN=$$($(RUN) -c "import json; print(json.load(open('$${SLUICE_VAR:-var}/endpoints.json'))['warehouse'])"); \
	  PYTHONPATH=include:plugins:bentos:. $(RUN) benchmarks/$$name.py $(ARGS); \
	done

.PHONY: bench-models
bench-models: $(STAMP) ## Measure the shipped models on the public data, nested, and write docs/models.md
	@PYTHONPATH=include:plugins $(RUN) benchmarks/models.py --write docs/models.md $(ARGS)

.PHONY: bench-serving
bench-serving: $(STAMP) ## Measure serving against FastAPI, MLflow and plain BentoML, and write docs/benchmarks.md (ARGS=--quick)
	@PYTHONPATH=include:plugins:bentos:. $(RUN) benchmarks/serving.py --write docs/benchmarks.md $(ARGS)

.PHONY: check
check: $(STAMP) ## Lint, type-check, and check the layers, the SQL and the use cases' specs
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy --strict plugins bentos include/local include/watcher
	$(RUN) -m sqlfluff lint include/sql
	PYTHONPATH=plugins:bentos:include $(RUN) -c "from importlinter.cli import lint_imports_command as run; run()"
	$(RUN) -m yamllint --strict .github/workflows
	PYTHONPATH=plugins $(RUN) -m sluice.registry

.PHONY: format
format: $(STAMP) ## Format the code
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .
	$(RUN) -m sqlfluff fix include/sql

.PHONY: schema
schema: $(STAMP) ## Write the JSON schemas of the specs and of the release contract anew
	PYTHONPATH=plugins $(RUN) -m sluice.schemas

.PHONY: lock
lock: $(STAMP) ## Resolve pyproject.toml into requirements.txt
	$(RUN) -m uv pip compile --universal --generate-hashes --all-extras --no-header pyproject.toml -o requirements.txt

.PHONY: clean
clean: ## Stop the stack and remove all of its data (asks first, unless FORCE=1)
	@if [ -x $(RUN) ]; then $(STACK) clean $(if $(FORCE),--force); else echo "there is nothing to remove"; fi
