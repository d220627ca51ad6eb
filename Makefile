# From a bare checkout to a running server, with nothing but Python >= 3.11 and make.
# `make` alone lists what there is.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

# Names are tried, not looked up: version managers leave commands behind that only print an error. The fastest comes
# first: from 3.12 on, a task begins at once, which the express lane makes use of.
PYTHON  ?=
VENV    := .venv
BIN     := $(VENV)/bin
ARGS    ?=
TESTS   ?= tests
# Each worker of pytest-xdist starts stores of its own; more than cores only makes them wait for each other.
JOBS    ?= 2
VERSION ?=
# Tests that start no store. The plugin below fails one that does.
FAST    := tests/config tests/domain tests/files tests/house tests/telemetry/test_access_log.py tests/telemetry/test_logs.py \
           tests/deploy/test_dashboard.py tests/api/test_endpoint.py tests/api/test_openapi.py \
           $(addprefix tests/channels/test_,$(addsuffix .py,base walk spans in_order confirmation rate_limits circuit_breaker \
             resend_later stock_levels address_guard trendyol_wire trendyol_orders woocommerce_orders amazon_orders n11_reading)) \
           $(addprefix tests/clients/test_,$(addsuffix .py,batches decisions events webhooks written))

# An image may say that no bytecode is kept. Each of the many processes of the tests would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

# A stamp for each set of extras: older than pyproject.toml, there is something to install.
RUN_STAMP   := $(VENV)/.installed-run
TEST_STAMP  := $(VENV)/.installed-test
BENCH_STAMP := $(VENV)/.installed-bench
OTEL_STAMP  := $(VENV)/otel/.installed
LOCKS_STAMP := $(VENV)/locks/.installed
DOCS_STAMP  := $(VENV)/docs/.installed
TRYTON_STAMP := $(VENV)/tryton/.installed
REDIS8_STAMP := $(VENV)/redis8/.installed

# Exactly what locks/ says, each file held against its hash. All that a package needs is in the same file, so pip has
# nothing to search for.
PIP     := -m pip install --quiet --disable-pip-version-check
LOCKED  := $(PIP) --require-hashes --no-deps --requirement

.PHONY: help run test test-real lint bench bench-peers check docs test-fast matrix redis8 locks release soak faults neighbours partitions upgrade clean redis-server prometheus postgres wrk chromium node

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN_STAMP) ## serve on http://127.0.0.1:8080 with a sample catalogue; ARGS="--port 9000" passes options on
	@# exec, so that Ctrl-C and SIGTERM reach the server itself and make waits while it drains.
	@exec $(BIN)/holdfast serve --sample $(ARGS)

test: $(TEST_STAMP) $(OTEL_STAMP) $(DOCS_STAMP) redis-server prometheus chromium node ## all tests but the long ones; TESTS=tests/telemetry/test_logs.py runs some, JOBS=4 sets how many at once
	@$(BIN)/pytest $(TESTS) -m "not soak and not real" -n $(JOBS) --dist worksteal $(ARGS)

check: lint test-fast ## what to run before each commit: lint, and the tests that need no store

test-fast: $(TEST_STAMP) ## the tests that need no store, in less than a minute
	@$(BIN)/pytest $(FAST) -m "not soak and not real" -n $(JOBS) --dist worksteal -p tests.support.no_store $(ARGS)

matrix: $(TEST_STAMP) redis-server redis8 ## on Python 3.11 to 3.13, Valkey 9, Redis 7 and 8, those that are to be had; ARGS="--only 'Redis 8'", ARGS=--list
	@$(BIN)/python .ci/matrix.py $(ARGS)

test-real: $(TEST_STAMP) $(TRYTON_STAMP) redis-server postgres ## the adapters against real servers: Vendure, Oscar, Tryton, and Medusa, which installs 680 MB into .cache the first time; and generated clients; and the console before axe-core
	@$(BIN)/pytest tests/channels/test_*_real.py tests/api/test_*_real.py tests/console/test_*_real.py -m "not soak" $(ARGS)

# Here every process begins from nothing, see tests/support/launch.py.
soak: export COLD := true
soak: $(TEST_STAMP) $(OTEL_STAMP) redis-server prometheus ## the tests that take minutes: kill -9 under load, long random runs, the fault table
	@$(BIN)/pytest $(TESTS) -m "soak and not real" $(ARGS)
	@EXPRESS_LANE=false $(BIN)/pytest tests/api tests/cli -m "not soak and not real" -n $(JOBS) --dist worksteal # without the express lane
	@$(BIN)/python -m tests.rigs.faults

faults: $(TEST_STAMP) redis-server ## the fault table alone; ARGS="--only power-cut --rounds 20" chooses
	@$(BIN)/python -m tests.rigs.faults $(ARGS)

neighbours: $(TEST_STAMP) ## what a neighbour notices of each attack, some fifteen minutes; ARGS="--only query --quick" chooses
	@$(BIN)/python -m tests.rigs.neighbours $(ARGS)

partitions: $(TEST_STAMP) redis-server ## ten minutes of random operations of two partitions under faults, against books; ARGS="--seconds 60 --seed 7"
	@$(BIN)/python -m tests.rigs.two_partitions $(ARGS)

upgrade: $(TEST_STAMP) redis-server ## a rolling upgrade from a release under load; ARGS="--from v0.1.0"
	@$(BIN)/python -m tests.rigs.rolling_upgrade $(ARGS)

lint: $(TEST_STAMP) ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(BENCH_STAMP) wrk ## the tables of figures in the README
	@$(BIN)/python -m bench $(ARGS)

bench-peers: $(BENCH_STAMP) wrk postgres ## side by side with Postgres, naive Redis and Medusa; ARGS="--quick" for a rough look
	@$(BIN)/python -m bench --only peers $(ARGS)

docs: $(DOCS_STAMP) ## the documentation as a site, in build/site/html; it stops where a link leads nowhere
	@$(VENV)/docs/bin/python .ci/docs_site.py $(ARGS)

locks: $(LOCKS_STAMP) ## find the newest releases that pyproject.toml allows; ARGS="--upgrade-package aiohttp" renews one, ARGS=--no-upgrade only adds what is missing
	@$(VENV)/locks/bin/python .ci/locks.py $(ARGS)

release: $(TEST_STAMP) ## make a release of this checkout: make release VERSION=0.2.0
	@$(BIN)/python .ci/release.py $(VERSION)

clean: ## remove what was built; the data of `make run` (.holdfast) stays
	@rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "Making $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv --clear $(VENV) && exit 0; \
    rm -rf $(VENV); exit 1; \
	  fi; \
	done; \
	echo "Holdfast needs Python 3.11 or newer with the venv module, and none was found." >&2; \
	echo "Debian and Ubuntu: apt-get install python3 python3-venv. Or name one: make PYTHON=/path/to/python3.12" >&2; \
	exit 1

$(RUN_STAMP): LOCK := run
$(TEST_STAMP): LOCK := test
$(TEST_STAMP): COVERS := $(RUN_STAMP)
$(BENCH_STAMP): LOCK := bench
$(BENCH_STAMP): COVERS := $(RUN_STAMP) $(TEST_STAMP)
$(RUN_STAMP): locks/run.txt
$(TEST_STAMP): locks/test.txt
$(BENCH_STAMP): locks/bench.txt
# The checkout itself has no hash. What builds it is locked as well, so pip downloads nothing for it.
$(RUN_STAMP) $(TEST_STAMP) $(BENCH_STAMP): pyproject.toml | $(BIN)/python
	@echo "Installing locks/$(LOCK).txt into $(VENV); the first time this downloads packages"
	@$(BIN)/python $(LOCKED) locks/$(LOCK).txt
	@$(BIN)/python $(PIP) --no-deps --no-build-isolation --editable .
	@touch $@ $(COVERS)

# OpenTelemetry for the test of traces, in a folder of its own: redis-py imports it wherever it is installed, and every
# process of every other test would start more slowly.
$(OTEL_STAMP): locks/otel.txt | $(BIN)/python
	@echo "Installing the extra otel into $(VENV)/otel"
	@$(BIN)/python $(LOCKED) locks/otel.txt --upgrade --target $(VENV)/otel
	@touch $@

# Tools in environments of their own: none of their packages may be one of ours.
$(LOCKS_STAMP) $(DOCS_STAMP) $(REDIS8_STAMP): $(VENV)/%/.installed: locks/%.txt | $(BIN)/python
	@$(BIN)/python -m venv --clear $(VENV)/$*
	@$(VENV)/$*/bin/python $(LOCKED) locks/$*.txt
	@touch $@

# A real ERP for tests, in an environment of its own: none of its packages may be one of ours.
$(TRYTON_STAMP): tests/channels/tryton/requirements.txt | $(BIN)/python
	@echo "Installing Tryton into $(VENV)/tryton; the first time this downloads 53 MB"
	@$(BIN)/python -m venv --clear $(VENV)/tryton
	@$(VENV)/tryton/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# What pip cannot install. These targets do what they can and never fail: the tests and the bench name what is
# missing and the command that installs it.
redis-server:
	@$(call apt,redis-server)

# promtool comes with it, and a test lets it scrape a real server.
prometheus:
	@$(call apt,prometheus)
	@$(call apt,prometheus-alertmanager)

# A row of the matrix is not run where this does not work.
redis8: $(BIN)/python
	@$(MAKE) $(REDIS8_STAMP) || echo "That did not work; going on without Redis 8"

wrk:
	@$(call apt,wrk)

# Runs the client in clients/js. A version manager has node alone, Debian's package nodejs too.
node:
	@command -v node >/dev/null 2>&1 || { $(call apt,nodejs); }

# Opens the page of examples/storefront, and runs the client in clients/js as a page does.
chromium:
	@$(call apt,chromium)

# Debian keeps initdb out of PATH, so its presence is asked of the folder; the cluster that the package makes is stopped
# by the rule below.
postgres:
	@test -n "$$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null || command -v initdb || true)" || { $(call apt,postgresql); }

# Debian starts the service of what it installs: a redis-server on port 6379 or a prometheus on 9090 is not for a test run to leave behind.
# It is stopped only here, where this file has just installed it.
define apt
command -v $(1) >/dev/null 2>&1 || { \
  if test "$$(id -u)" = 0; then sudo=; else sudo="sudo -n"; fi; \
  get="$$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq"; \
  if command -v apt-get >/dev/null 2>&1 && $$sudo true 2>/dev/null; then \
    echo "Installing $(1) with apt-get"; \
    if { $$get install --no-install-recommends $(1) || { $$get update && $$get install --no-install-recommends $(1); }; } \
      >/dev/null 2>&1; then \
      if test -d /run/systemd/system; then $$sudo systemctl disable --now $(1) >/dev/null 2>&1 || true; \
      elif test -x /etc/init.d/$(1); then $$sudo /etc/init.d/$(1) stop >/dev/null 2>&1 || true; fi; \
    else echo "That did not work; going on without $(1)"; fi; \
  fi; \
}
endef
