# `make help` lists the targets. Each sets up what it needs by itself.
# PYTHON=python3.12 chooses the interpreter of a new environment, TORCH_BACKEND=cpu the smaller torch without CUDA.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
TORCH_BACKEND ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MLFLOW_PORT ?= 5000
DASHBOARD_PORT ?= 8080
MLRUNS := $(or $(VISIONLAB_HOME),$(CURDIR))/mlruns
RUNS := $(or $(VISIONLAB_HOME),$(CURDIR))/runs

##@ Train
.PHONY: train
train: $(READY) ## CIFAR-10 in 5 minutes on a laptop; ARGS="model.width=32"
	@$(BIN)/visionlab train $(ARGS)

.PHONY: train-cifar10
train-cifar10: $(READY) ## the same, but fails where CIFAR-10 cannot be had
	@$(BIN)/visionlab train experiment=cifar10_cnn $(ARGS)

.PHONY: train-digits
train-digits: $(READY) ## the small built-in data set: seconds, no network
	@$(BIN)/visionlab train experiment=digits $(ARGS)

.PHONY: train-transfer
train-transfer: $(READY) ## CIFAR-10 by a linear probe on pretrained features
	@$(BIN)/visionlab train experiment=cifar10_transfer $(ARGS)

.PHONY: gather
gather: $(READY) ## photos of cats and dogs from the web, cleaned, with provenance; ARGS="gather.pages=5"
	@$(BIN)/visionlab gather $(ARGS)

.PHONY: train-catdog
train-catdog: $(READY) ## a probe on pretrained features, tested on Kaggle's photos (visionlab data kaggle)
	@$(BIN)/visionlab train experiment=catdog_transfer $(ARGS)

.PHONY: train-catdog-cnn
train-catdog-cnn: $(READY) ## the same from scratch, ten minutes on a laptop
	@$(BIN)/visionlab train experiment=catdog_cnn $(ARGS)

.PHONY: tune
tune: $(READY) ## a search for good settings; ARGS="study=digits campaign.workers=2"
	@$(BIN)/visionlab tune $(or $(ARGS),study=cifar10_cnn)

.PHONY: lab
lab: $(READY) ## a small experiment on a problem of training: make lab LAB=dropout; without LAB a list
	@$(BIN)/visionlab lab $(LAB) $(ARGS)

.PHONY: labs
labs: $(READY) ## all of them; fails where an effect is not seen that a lab is about
	@$(BIN)/visionlab lab all $(or $(ARGS),campaign.workers=2)

.PHONY: dashboard
dashboard: $(READY) ## optuna-dashboard on the campaigns, on this machine only
	@test -f "$(RUNS)/campaigns.db" || { echo "no campaign yet in $(RUNS); make tune makes one"; exit 2; }
	@echo "http://127.0.0.1:$(DASHBOARD_PORT)  (Ctrl-C ends it)"
	@$(BIN)/optuna-dashboard "sqlite:///$(RUNS)/campaigns.db" --host 127.0.0.1 --port $(DASHBOARD_PORT)

# one worker, and none for jobs, which nothing here uses: it starts in a third of the time, with a fifth of the memory
.PHONY: ui
ui: $(READY) ## the MLflow UI on the runs, on this machine only
	@$(BIN)/python -c "from visionlab.tracking.mlflow import connect; from visionlab.config.trainer import TrackingConfig; \
		connect(TrackingConfig())"
	@echo "http://127.0.0.1:$(MLFLOW_PORT)  (Ctrl-C ends it)"
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow ui --workers 1 \
		--backend-store-uri "sqlite:///$(MLRUNS)/mlflow.db" --host 127.0.0.1 --port $(MLFLOW_PORT)

##@ Check
# a process for each core; the tests of a file stay in one, for what they share; one that dies is a failure, once
PYTEST := $(BIN)/pytest -n auto --dist loadfile --max-worker-restart=0

.PHONY: test
test: $(READY) ## the tests: no network, no GPU; ten minutes on 2 cores; ARGS=--pdb
	@$(PYTEST) -m "not slow" $(ARGS)

.PHONY: test-slow
test-slow: $(READY) ## the slower proofs
	@$(PYTEST) -m slow $(ARGS)

.PHONY: lint
lint: $(READY) ## style (ruff), types (mypy), shell scripts (shellcheck)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/shellcheck .ci/run scripts/*.sh scripts/*.sbatch

##@ Project
.PHONY: setup
setup: $(READY) ## the environment alone

.PHONY: schema
schema: $(READY) ## the JSON schemas that editors complete conf/ with
	@$(BIN)/visionlab schema

.PHONY: lock
lock: $(READY) ## resolve requirements.lock anew; ARGS=--upgrade for newer
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet $(ARGS) -o requirements.lock

.PHONY: rename
rename: $(READY) ## rename the package everywhere: make rename NAME=mylab
	@$(BIN)/python scripts/rename.py "$(NAME)"
	@$(MAKE) --no-print-directory setup

.PHONY: clean
clean: ## remove environment and caches; runs/ mlruns/ data/ stay
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache dist conf/.schema
	@find . -name __pycache__ -type d -not -path './data/*' -prune -exec rm -rf {} +

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo

# The environment is ready when it holds exactly what requirements.lock says, and this package as it stands here.
$(READY): requirements.lock pyproject.toml
	@scripts/setup.sh "$(PYTHON)" "$(VENV)" "$(TORCH_BACKEND)"
	@$(BIN)/visionlab schema > /dev/null
	@pwd -P > $@

# An environment that was moved or copied here with its folder is made anew; another TORCH_BACKEND takes effect.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif
ifneq ($(filter-out $(shell cat $(VENV)/.torch-backend 2>/dev/null),$(TORCH_BACKEND)),)
.PHONY: $(READY)
endif
