# Two commands do everything: `make demo` shows the loop on real flights, `make test` runs every check.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.8

.PHONY: demo demo-quick test check unit integration chaos browser prometheus install lock docs compat clean help

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: install ## Train, ship, watch and retrain a model through the flights of 2013 (about 25 minutes)
	$(BIN)/airflow-mlops demo --months 9

demo-quick: install ## The first three months of it
	$(BIN)/airflow-mlops demo --months 3

test: install check unit integration ## Install what the tests need and run every check

check: install ## Style, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: install prometheus ## Quick tests
	$(BIN)/pytest -q -n 2 -m "not airflow and not slow"

integration: install browser ## Slow tests, and those on a whole Airflow, MLflow and model server
	$(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder -m "airflow or slow"

chaos: install ## Kill -9 worker, run, model server, MLflow and scheduler at each step of real rollouts (about 20 minutes)
	$(BIN)/python -m tests.chaos $(CHAOS)

browser: ## Chromium by apt, where it is missing and we are root; without it, its test is skipped
	@command -v chromium > /dev/null && command -v chromedriver > /dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get > /dev/null && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver > /dev/null; \
	} || echo "No Chromium here: the test that needs one is skipped"

prometheus: install ## Prometheus from apt's package, into .venv, where it is missing; without it, its tests are skipped
	@test -x $(BIN)/prometheus || command -v prometheus > /dev/null || { \
		mkdir -p build/prometheus && cd build/prometheus && \
		{ apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } > /dev/null 2>&1 && \
		dpkg-deb -x prometheus_*.deb . && mv usr/bin/prometheus usr/bin/promtool $(abspath $(BIN)) && rm -r ../prometheus; \
	} || echo "No Prometheus here: its tests are skipped"

install: $(VENV)/.installed ## Make .venv with everything locked

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else "airflow-mlops needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d: try make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q airflow_mlops plugins # every task is a process that would do it again
	@touch $@

lock: $(VENV)/.installed ## Resolve pyproject.toml anew into requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes --no-annotate \
		--custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

docs: install ## Write docs/reference and the JSON Schema anew from the code
	$(BIN)/python docs/generate.py

compat: ## Install [all] on every Python there is (3.11, 3.12, 3.13) and import it
	@for version in 3.11 3.12 3.13; do \
		$(UV) python find --quiet --no-python-downloads $$version > /dev/null 2>&1 || { echo "Python $$version: not on this machine"; continue; }; \
		$(UV) venv --quiet --clear --no-python-downloads --python $$version build/python-$$version || exit 1; \
		$(UV) pip install --quiet --python build/python-$$version --require-hashes -r requirements.lock || exit 1; \
		$(UV) pip install --quiet --python build/python-$$version --no-deps . || exit 1; \
		build/python-$$version/bin/python -c "import airflow.sdk, evidently, fastapi, great_expectations, mlflow, pandas, skops, sklearn; import airflow_mlops.operators, airflow_mlops.factory, airflow_mlops.backends.catalog, airflow_mlops.gateway.server" || exit 1; \
		build/python-$$version/bin/airflow-mlops lint configs || exit 1; \
		echo "Python $$version: [all] installed and imported"; \
	done

clean: ## Remove the environment, the demo's state and caches
	-@test -x $(BIN)/airflow-mlops && $(BIN)/airflow-mlops demo --stop
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
