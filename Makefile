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
FROM ?=
URL ?=
DAG ?=
RUN_ID ?=
REF ?=
USER_ID ?=
PATIENCE ?=
DEV ?=
ROTATE ?=
BASE ?= python:3.11-slim
WORKERS ?=
SOCKET ?=
VOLUMES ?=

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

.PHONY: trigger
trigger: $(STAMP) ## Start a run of a DAG and wait for its end (DAG=housing_train SET='trials=40'; elsewhere URL=https://airflow.example.com)
	@PYTHONPATH=include:plugins $(RUN) -m local.trigger --url $(call quoted,$(value URL)) \
	  --run-id $(call quoted,$(value RUN_ID)) -- $(call quoted,$(value DAG)) $(call quoted,$(value SET))

.PHONY: smoke
smoke: $(STAMP) ## Wait until a model server is ready, and try what callers do (URL=http://127.0.0.1:3000 PATIENCE=300)
	@PYTHONPATH=include:plugins $(RUN) -m local.smoke $(if $(PATIENCE),--patience $(call quoted,$(value PATIENCE))) \
	  -- $(call quoted,$(value URL))

.PHONY: manifests
manifests: $(STAMP) ## Print the model servers' manifests for Kubernetes (SLUICE_SERVING_IMAGE=<registry>/sluice-serving:<tag> USE_CASE=housing or all)
	@PYTHONPATH=include:plugins $(RUN) -m local.pods --image "$${SLUICE_SERVING_IMAGE:-sluice-serving}" \
	  $(if $(USER_ID),--user $(call quoted,$(value USER_ID))) -- $(USE_CASE)

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

.PHONY: secrets
secrets: $(STAMP) ## Write .env for the stack in containers, or what of it is missing (DEV=1 catches mails; ROTATE=<name> makes one anew)
	@PYTHONPATH=include:plugins $(RUN) -m local.secrets $(if $(DEV),--dev) $(if $(ROTATE),--rotate $(call quoted,$(value ROTATE)))

# Compose is a plug-in of docker's since its second version, and was a program before.
COMPOSE = $(if $(shell docker compose version 2>/dev/null),docker compose,docker-compose) \
  -f docker-compose.yaml -f compose.serving.yaml $(if $(SOCKET),-f compose.socket.yaml)
IMAGE = DOCKER_BUILDKIT=1 docker build --build-arg BASE=$(BASE) \
  --build-arg COMMIT=$$(git describe --always --abbrev=40 --exclude='*' --dirty 2>/dev/null || echo unknown) \
  --build-arg VERSION=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

.PHONY: images
images: ## Build the stack's images from their locks (BASE=<image> names another base; SLUICE_AIRFLOW_IMAGE, SLUICE_SERVING_IMAGE)
	@$(IMAGE) --file include/images/airflow.Dockerfile --tag $${SLUICE_AIRFLOW_IMAGE:-sluice-airflow} .
	@$(IMAGE) --file include/images/serving.Dockerfile --tag $${SLUICE_SERVING_IMAGE:-sluice-serving} .
	@$(IMAGE) --file include/images/builder.Dockerfile --tag $${SLUICE_BUILDER_IMAGE:-sluice-builder} \
	  --build-arg AIRFLOW=$${SLUICE_AIRFLOW_IMAGE:-sluice-airflow} .

.PHONY: push
push: ## Push the stack's images (REGISTRY_USER and REGISTRY_PASSWORD in the environment)
	@printf %s "$$REGISTRY_PASSWORD" | docker login --username "$$REGISTRY_USER" --password-stdin "$${SLUICE_AIRFLOW_IMAGE%%/*}"
	@docker push $${SLUICE_AIRFLOW_IMAGE:?name it with its registry}
	@docker push $${SLUICE_SERVING_IMAGE:?name it with its registry}
	@docker push $${SLUICE_BUILDER_IMAGE:?name it with its registry}

.PHONY: deploy
deploy: $(STAMP) ## Bring this machine's stack in containers to a commit, and back where it does not work (REF=v1.2.0 URL='<model servers>')
	@PYTHONPATH=include:plugins $(RUN) -m local.deploy --ref $(call quoted,$(value REF)) -- $(call quoted,$(value URL))

# Before the images, which take minutes: compose says at once what is missing in .env.
.PHONY: compose-files
compose-files: $(STAMP)
	@PYTHONPATH=include:plugins $(RUN) -m local.compose
	@$(COMPOSE) config --quiet

.PHONY: compose-up
compose-up: compose-files images ## Start the stack in containers and wait until it works (WORKERS=4; SOCKET=1 lends workers the host's engine)
	@$(COMPOSE) up --detach --remove-orphans $(if $(WORKERS),--scale worker=$(WORKERS))
	@PYTHONPATH=include:plugins $(RUN) -m local.containers 900 $(COMPOSE)

.PHONY: compose-down
compose-down: ## Stop the stack in containers; its data stays, unless VOLUMES=1
	@$(COMPOSE) down --remove-orphans $(if $(VOLUMES),--volumes)

.PHONY: compose-test
compose-test: $(STAMP) ## Bring the stack in containers up and down, work with it, and kill parts of it (needs an engine)
	@$(RUN) -m pytest -m compose tests/compose -s $(ARGS)

# A value as one word of the shell, whatever is in it.
quoted = '$(subst ','\'',$(1))'

.PHONY: new-use-case
new-use-case: $(STAMP) ## Draft a use case from any CSV (NAME=wine CSV=wine.csv TARGET=quality; TASK and POSITIVE overrule)
	@PYTHONPATH=include:plugins $(RUN) -m local.new_use_case --name $(call quoted,$(value NAME)) \
	  --csv $(call quoted,$(value CSV)) --target $(call quoted,$(value TARGET)) \
	  --task $(call quoted,$(value TASK)) --positive $(call quoted,$(value POSITIVE))

.PHONY: backup
backup: $(STAMP) ## Back up databases, releases, models and keys' digests while the stack works, and read the backup again (OUT=folder)
	@PYTHONPATH=include:plugins $(RUN) -m local.backup $(if $(OUT),--to $(call quoted,$(value OUT)))

.PHONY: restore
restore: $(STAMP) ## Bring a backup into an empty stack that is stopped (FROM=folder; FORCE=1 replaces what one holds)
	@PYTHONPATH=include:plugins $(RUN) -m local.restore $(if $(FORCE),--force) -- $(call quoted,$(value FROM))

.PHONY: upgrade
upgrade: ## Bring the local stack to this version of the code: stop, install, back up, migrate all tables, start; repeat it freely
	@if [ -x $(RUN) ]; then $(STACK) down; fi
	@$(MAKE) --no-print-directory venv
	@[ ! -e "$${SLUICE_VAR:-var}/postgres/PG_VERSION" ] || $(MAKE) --no-print-directory backup
	@$(STACK) up

.PHONY: test
test: $(STAMP) ## Run all tests, in two processes (ARGS='-k gate' chooses, ARGS='-n 0' takes one; real data needs ../shared/data or SLUICE_REAL_DATA)
	@OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: packages
packages: ## Install Debian's packages that some tests are left out without (asks sudo)
	@sudo apt-get update -qq && sudo apt-get install -y -qq --no-install-recommends \
	  prometheus prometheus-pushgateway redis-server

.PHONY: unit
unit: $(STAMP) ## Run the tests that need neither the stack nor a container engine, with coverage (ARGS as for test)
	@OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder \
	  -m 'not (soak or compose or integration or browser or container)' \
	  --cov plugins --cov bentos --cov include --cov-branch --cov-report term:skip-covered --cov-report xml $(ARGS)

.PHONY: integration
integration: $(STAMP) ## Run the tests that need the stack, a browser or a container engine (ARGS as for test)
	@OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder \
	  -m '(integration or browser or container) and not (soak or compose)' $(ARGS)

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
	$(RUN) -m yamllint --strict .github/workflows include/kubernetes
	$(RUN) -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
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
lock: $(STAMP) ## Resolve pyproject.toml into requirements.txt, and into the lock of the images, which need no tools
	$(RUN) -m uv pip compile --universal --generate-hashes --all-extras --no-header pyproject.toml -o requirements.txt
	$(RUN) -m uv pip compile --universal --generate-hashes --no-header --quiet -c requirements.txt pyproject.toml \
	  -o include/images/requirements.txt

.PHONY: clean
clean: ## Stop the stack and remove all of its data (asks first, unless FORCE=1)
	@if [ -x $(RUN) ]; then $(STACK) clean $(if $(FORCE),--force); else echo "there is nothing to remove"; fi
