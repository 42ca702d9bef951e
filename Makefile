# `make repro` and `make test` need only git, make and Python 3.11, 3.12 or 3.13.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help repro full test test-slow deps docs ui benchmark benchmark-solver benchmark-search gpu seeds faults-kill faults-fuzz faults-soak clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

repro: $(READY) ## environment, data, pipeline, registered champion; about 10 minutes on 2 cores
	@[ -e artifacts/registered.json ] || echo "The pipeline takes about 10 minutes on 2 cores, most of it in the stages search, train and evaluate. It can be interrupted: run make repro again."
	@dvc repro --pull
	@svevae summary

# What the defaults of params.yaml leave out because `make repro` shall not take an hour: epochs, and a better measured evaluation.
FULL := -S train.from_search=false -S train.epochs=40 -S train.patience=20 -S evaluate.solved=64

full: $(READY) ## the long recipe, better on a GPU; its model, card and figures go to champion/, kept by DVC
	@dvc pull --quiet data.dvc
	@dvc exp run --pull $(FULL)
	@svevae keep
	@dvc add --quiet champion
	@svevae summary

# Three processes on two cores: at any time one waits, for DVC, a server or what another makes.
test: $(READY) ## lint, types and the default tests, within 10 minutes; SLOW=1: all tests, in one session
	@ruff check --quiet && ruff format --check --quiet
	@mypy --no-error-summary
	@dvc pull --quiet data.dvc
	@python -m pytest -n 3 --dist worksteal $(if $(SLOW),,-m "not slow")

test-slow: $(READY) ## the slow tests alone: servers, `mlflow run .`, experiments, the browser
	@dvc pull --quiet data.dvc
	@python -m pytest -m slow

deps: $(READY) ## write what each stage imports into dvc.yaml and multiscale/dvc.yaml
	@python tests/deps.py

docs: $(READY) ## the documentation site, in site/
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

ui: $(READY) ## the MLflow page, on http://127.0.0.1:5000
	@svevae ui

benchmark: $(READY) ## training and tracking speed beside native PyTorch and MONAI; writes benchmarks/results.json
	@sh benchmarks/run.sh

benchmark-solver: $(READY) ## the solver's speed beside its prototype, muSpectre and UNO-CG; writes benchmarks/solver.json
	@dvc pull --quiet data.dvc
	@python benchmarks/solver.py

seeds: $(READY) ## mean and spread of the scores over 5 seeds; writes benchmarks/seeds.json
	@dvc pull --quiet data.dvc
	@python benchmarks/seeds.py

benchmark-search: $(READY) ## trials an hour by workers, and what tracking costs a trial; writes benchmarks/search.json
	@dvc pull --quiet data.dvc
	@python benchmarks/search.py

# Needs no environment of this project: what a machine with a GPU has, and wheels of what it has not.
gpu: ## what a GPU does; OPTIONS="--wheels DIR" for what is not installed; writes benchmarks/gpu.json
	@$$(command -v python || command -v python3) benchmarks/gpu.py $(OPTIONS)

faults-kill: $(READY) ## kill each long command 20 times and compare; writes benchmarks/faults.json, as the next two do
	@python -m benchmarks.faults kill

faults-fuzz: $(READY) ## 5,000 damaged files of every format to every command that reads
	@python -m benchmarks.faults fuzz

MINUTES := 60
faults-soak: $(READY) ## an hour of search on PostgreSQL that is killed three times; MINUTES=10 is shorter
	@python -m benchmarks.faults soak --minutes $(MINUTES)

clean: ## remove the environments and what the pipeline made, but not the MLflow store
	rm -rf $(VENV) $(VENV)-* artifacts .checkpoints dvc.lock

$(READY): requirements.txt pyproject.toml
	@set -e; for python in python3.13 python3.12 python3.11 python3 python; do \
		if $$python -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	[ -n "$$found" ] || { echo "make: Python 3.11, 3.12 or 3.13 with venv is needed and was not found on PATH" >&2; exit 2; }; \
	echo "making $(VENV) with $$($$found --version); downloads about 1.5 GB"; \
	[ -x $(BIN)/python ] || $$found -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -r requirements.txt; \
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@
