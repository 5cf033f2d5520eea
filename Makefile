# Each target is a line or two over the environment's python; README.md lists them for people without make.
CONTEXT ?= sleep
PRESET ?= quick
DATA ?= ./data
OUT ?= runs/$(CONTEXT)
PYTHON ?= python3

BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
READY := .venv/installed

.PHONY: course contexts test lab lint notebooks

course: $(READY)
	$(BIN)/python -m ctxaudio course --context $(CONTEXT) --data_dir $(DATA) --output_dir $(OUT) --preset $(PRESET)

contexts: $(READY)
	$(BIN)/python -m ctxaudio course --context all --data_dir $(DATA) --output_dir runs --preset $(PRESET)

test: $(READY)
	$(BIN)/python -m pytest tests ctxaudio
	$(BIN)/python -m pytest --nbval-lax --nbval-current-env notebooks

lab: $(READY)
	$(BIN)/python -c "import os, shutil; os.path.exists('my_notebooks') or shutil.copytree('notebooks', 'my_notebooks')"
	$(BIN)/python -m jupyterlab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/my_notebooks/README.md

lint: $(READY)
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[lint]"
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy ctxaudio

notebooks: $(READY)
	$(BIN)/python tests/refresh_notebooks.py notebooks

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv $(if $(TORCH),&& $(BIN)/$(TORCH))
	$(BIN)/python -m pip install -q $(if $(TORCH),,-c constraints.txt) -e ".[notebooks,test]" && touch $(READY)
