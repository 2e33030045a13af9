# `make` lists the commands. All need Python 3.11 or newer and nothing else; the first one makes .venv.
PYTHON ?= python3
SERVE  ?= 1
PORT   ?= 3000
VENV   := .venv
BIN    := $(VENV)/bin

export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_AGENT_HINT := 1
export BENTOML_HOME := $(CURDIR)/data/bentoml
# Where it is set, every process of the suite compiles all that it imports, and pytest rewrites every assertion, again.
export PYTHONDONTWRITEBYTECODE :=

# Sets of packages, each a superset of the one before. What is installed is only ever replaced by more,
# so that one .venv serves every command.
SETS      := server training demo dev
installed := $(lastword $(foreach set,$(SETS),$(if $(wildcard $(VENV)/.set-$(set)),$(set))))
at_least   = $(VENV)/.set-$(lastword $(foreach set,$(SETS),$(if $(filter $(set),$(1) $(installed)),$(set)))) $(VENV)/.project

.PHONY: help demo serve test quick lint format docs bench ui lock clean
.DEFAULT_GOAL := help

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(call at_least,demo) ## load real shop data, train, report and serve on port 3000 (SERVE=0 stops after the report)
	$(BIN)/waypost demo --port $(PORT) $(if $(filter 0 no false,$(SERVE)),--no-serve)

serve: $(call at_least,server) ## serve the champion in data/champion (PORT=3000)
	$(BIN)/waypost serve --port $(PORT)

test: $(call at_least,dev) ## run the whole suite (ARGS="tests/house -x" narrows it)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

quick: $(call at_least,dev) ## run the tests that start no process, training or fuzzing, laws with fewer examples
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow" --hypothesis-profile quick $(ARGS)

lint: $(call at_least,dev) ## check style, types and the floors of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(call at_least,dev) ## put the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A generated page names its own command: <!-- Generated: python -m ROOM.CATALOGUE > docs/PAGE.md -->
docs: $(call at_least,dev) ## write the generated pages of docs/ again
	@sed -n 's|^<!-- Generated: python -m \([a-z._]*\) > \(docs/[a-z/]*[.]md\) -->$$|\1 \2|p' docs/*.md | while read module page; do \
	    echo "$$page"; $(BIN)/python -m $$module > $$page.new || { rm -f $$page.new; exit 1; }; mv $$page.new $$page; done

bench: $(call at_least,dev) ## measure everything beside its peers, half an hour (serve and ingest need wrk)
	$(BIN)/python -m benchmarks

ui: export MLFLOW_SERVER_ENABLE_JOB_EXECUTION := false
ui: $(call at_least,training) ## browse the training runs on http://localhost:5000
	$(BIN)/mlflow server --host 127.0.0.1 --port 5000 --workers 1 \
	    --backend-store-uri sqlite:///mlruns/mlflow.db --default-artifact-root ./mlruns/artifacts

# The widest set is resolved first and binds the others, so that a package has one version everywhere.
# Pins already in a lock are kept; UPGRADE=--upgrade takes the newest, UPGRADE="--upgrade-package NAME" one.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
          --custom-compile-command "make lock" $(UPGRADE)
lock: $(VENV)/.installer ## resolve pyproject.toml into locks/ (UPGRADE=--upgrade for newer versions)
	$(COMPILE) --group installer --output-file locks/installer.txt >/dev/null
	$(COMPILE) pyproject.toml --extra dev --output-file locks/dev.txt >/dev/null
	$(COMPILE) pyproject.toml --extra demo --constraints locks/dev.txt --no-annotate --output-file locks/demo.txt >/dev/null
	$(COMPILE) pyproject.toml --extra training --constraints locks/dev.txt --no-annotate --output-file locks/training.txt >/dev/null
	$(COMPILE) pyproject.toml --constraints locks/dev.txt --no-annotate --output-file locks/server.txt >/dev/null

clean: ## remove .venv, caches and built files; data/ and mlruns/ stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp in .venv is newer than the lock it was installed from.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "$(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing); Waypost needs Python 3.11 or newer." >&2; \
	    echo "Name one that is: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
	    echo "$(PYTHON) could not make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.installer: locks/installer.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r locks/installer.txt
	@touch $@

# Compiled at install: where PYTHONDONTWRITEBYTECODE is set, every start would compile every import again.
$(VENV)/.set-%: locks/%.txt $(VENV)/.installer
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes --compile-bytecode -r locks/$*.txt
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.installer
	$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@
