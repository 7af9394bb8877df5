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

##@ Train
.PHONY: train
train: $(READY) ## the quick start: CIFAR-10 within 5 minutes on a laptop; ARGS="model.width=32" changes settings
	@$(BIN)/visionlab train $(ARGS)

.PHONY: train-cifar10
train-cifar10: $(READY) ## the same, but without CIFAR-10 it fails instead of training on digits
	@$(BIN)/visionlab train experiment=cifar10_cnn $(ARGS)

.PHONY: train-digits
train-digits: $(READY) ## the small built-in data set: seconds, no network
	@$(BIN)/visionlab train experiment=digits $(ARGS)

.PHONY: ui
ui: $(READY) ## the MLflow UI on the runs, on this machine only
	@mkdir -p mlruns
	@echo "http://127.0.0.1:$(MLFLOW_PORT)  (Ctrl-C ends it)"
	@$(BIN)/mlflow ui --backend-store-uri sqlite:///$(CURDIR)/mlruns/mlflow.db --host 127.0.0.1 --port $(MLFLOW_PORT)

##@ Check
.PHONY: test
test: $(READY) ## the tests: no network, no GPU, under 8 minutes on 2 cores
	@$(BIN)/pytest -m "not slow" $(ARGS)

.PHONY: test-slow
test-slow: $(READY) ## the slower proofs
	@$(BIN)/pytest -m slow $(ARGS)

.PHONY: lint
lint: $(READY) ## style (ruff), types (mypy), shell scripts (shellcheck)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@git ls-files '*.sh' .ci/run | xargs $(BIN)/shellcheck

##@ Project
.PHONY: setup
setup: $(READY) ## the environment alone

.PHONY: schema
schema: $(READY) ## write the JSON schemas that editors complete conf/**/*.yaml with
	@$(BIN)/visionlab schema

.PHONY: lock
lock: $(READY) ## resolve the dependencies anew into requirements.lock; ARGS=--upgrade takes newer versions
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet $(ARGS) -o requirements.lock

.PHONY: rename
rename: $(READY) ## rename the package everywhere: make rename NAME=mylab
	@$(BIN)/python scripts/rename.py "$(NAME)"

.PHONY: clean
clean: ## remove the environment and the caches; runs/, mlruns/ and data/ stay
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache dist conf/.schema
	@find . -name __pycache__ -type d -not -path './data/*' -prune -exec rm -rf {} +

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo

# The environment is ready when it holds exactly what requirements.lock says, and this package as it stands here.
$(READY): requirements.lock pyproject.toml
	@scripts/setup.sh "$(PYTHON)" "$(VENV)" "$(TORCH_BACKEND)"
	@$(BIN)/visionlab schema > /dev/null
	@touch $@
