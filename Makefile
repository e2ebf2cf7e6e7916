# make demo   runs the main job: a tuning job on the embedded service, shown live
# make test   sets up and passes every check and test
# make test-object-stores   runs those on an S3 server and one that plays Google's, which it builds and starts
# make test-kubernetes   runs the tests on a real Kubernetes, which it builds and starts; as root
# make setup  makes .venv with .venv/bin/vernier in it

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test test-kubernetes test-object-stores check postgresql redis kubernetes object-stores lock clean

setup: $(VENV)/.runtime
demo: $(VENV)/.runtime
	$(BIN)/vernier demo

test: $(VENV)/.dev check postgresql redis kubernetes object-stores
	$(BIN)/python -m pytest

test-kubernetes: $(VENV)/.dev kubernetes object-stores
	$(BIN)/python -m pytest tests/kubernetes

test-object-stores: $(VENV)/.dev object-stores
	$(BIN)/python -m pytest tests/object_stores

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# The tests start servers of their own; Debian's package has the programs, in a folder outside PATH.
POSTGRES = ls "$$(command -v postgres)" /usr/lib/postgresql/*/bin/postgres 2>/dev/null | grep -q .
postgresql:
	@$(POSTGRES) || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo 'Installing PostgreSQL for the tests …'; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql; \
	fi
	@$(POSTGRES) || { echo 'The tests need a PostgreSQL server: install one, as with apt-get install postgresql.' >&2; exit 1; }

redis:
	@command -v redis-server >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo 'Installing Redis for the tests …'; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends redis-server; \
	fi
	@command -v redis-server >/dev/null || { echo 'The tests need a Redis server: install one, as with apt-get install redis-server.' >&2; exit 1; }

# The first time its programs are built, for some minutes; the next times they are there.
CONTAINERS = containerd runc iptables conntrack iproute2 busybox-static etcd-server containernetworking-plugins
kubernetes: $(VENV)/.dev
	@$(BIN)/python -m tests.kubernetes.programs >/dev/null 2>&1 || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo 'Installing containers for the tests …'; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(CONTAINERS); \
	fi
	@$(BIN)/python -m tests.kubernetes.programs

object-stores: $(VENV)/.dev
	@$(BIN)/python -m tests.object_stores.programs

$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Vernier needs Python 3.11 or newer; say which with: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'Installing into $(VENV), about a minute …'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@# setuptools warns of every editable install; that it is one is meant.
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation -e .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# Lock files hold every version with its hashes for every platform, and no index address.
UV_LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header
lock: $(VENV)/.dev
	$(UV_LOCK) --extra examples pyproject.toml -o requirements.lock
	$(UV_LOCK) --extra examples --extra gcs --extra kubernetes --extra postgresql --extra s3 --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) .cache build *.egg-info
