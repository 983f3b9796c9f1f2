# geoseg: everything a person types while working on it. `make` alone explains itself.
#
# Each target sets up what it needs in .venv, once, and again when pyproject.toml or constraints.txt change.
# Another Python: make test PYTHON=python3.12

PYTHON ?= python3
VENV ?= .venv
DATA ?= $(or $(GEOSEG_DATA),../shared/data)
JOBS ?= 2
ONLY ?=
OUT ?= runs/default-model

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
PYTEST := $(BIN)/python -m pytest -rs
PINS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint format bench docs default-model sample-data constraints clean

help: ## show this list
	@echo "geoseg: satellite and aerial scenes to maps. Nothing has to be set up before; try 'make demo'."
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' \
	  | while IFS='|' read -r name text; do printf '%-22s %s\n' "$$name" "$$text"; done
	@echo
	@echo "Variables: PYTHON=python3.12, JOBS=4 (test processes), ONLY=part (bench), GEOSEG_DATA=folder (real data),"
	@echo '  OUT=folder and TRAIN="--minutes 30" (default-model)'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "geoseg needs Python 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "no virtual environment could be made: on Debian, apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.runs: $(PINS) | $(BIN)/python
	@echo "setting up geoseg in $(VENV) (some minutes the first time) ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/.tests: $(PINS) | $(BIN)/python
	@echo "setting up geoseg and its tests in $(VENV) (some minutes the first time) ..."
	@$(PIP) -e ".[dev]"
	@touch $@ $(VENV)/.runs

$(VENV)/.benches: $(PINS) | $(BIN)/python
	@echo "setting up geoseg and what it is measured against in $(VENV) ..."
	@$(PIP) -e ".[bench]"
	@touch $@ $(VENV)/.tests $(VENV)/.runs

demo: $(VENV)/.runs ## map the sample scene; the files are in demo/
	@$(BIN)/geoseg infer sample_data/scene.tif -o demo --overwrite
	@$(BIN)/geoseg preview sample_data/scene.tif --results demo -o demo/scene_preview.png --overwrite
	@echo
	@echo "The demo wrote:"
	@for file in demo/*; do echo "  $$file"; done
	@echo "Look at demo/scene_preview.png, or drag demo/scene_polygons.gpkg and demo/scene_mask.tif into QGIS."

test: $(VENV)/.tests ## all tests but the slow ones, 12 minutes at most on two cores
	@GEOSEG_DATA="$(DATA)" $(PYTEST) -m "not slow" -n $(JOBS) --dist worksteal

test-all: $(VENV)/.tests ## all tests, the slow ones and more examples of every law included
	@GEOSEG_DATA="$(DATA)" $(PYTEST) -n $(JOBS) --dist worksteal --hypothesis-profile=thorough

lint: $(VENV)/.tests ## style, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(VENV)/.tests ## put the code into the project's style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.benches ## measure against the bare network, a plain loop and MONAI; ONLY=part for one part
	@GEOSEG_DATA="$(DATA)" $(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

docs: $(VENV)/.runs ## write docs/cli.md and the README's figures anew
	@$(BIN)/python docs/write_docs.py

default-model: $(VENV)/.tests ## train the embedded model anew (hours; docs/default_model/)
	@$(MAKE) --no-print-directory -f docs/default_model/Makefile BIN=$(BIN) DATA="$(DATA)" OUT=$(OUT) TRAIN='$(TRAIN)'

sample-data: $(VENV)/.tests ## draw sample_data/ anew, the same bytes each time
	@$(BIN)/python -m sample_data.generator sample_data

constraints: $(VENV)/.benches ## write constraints.txt anew from what is installed
	@$(BIN)/python .ci/write_constraints.py

clean: ## remove what was built, measured or set up here; models in runs/ stay
	@rm -rf $(VENV) demo build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
