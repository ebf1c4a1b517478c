# One door for people and for CI: each target does its own set-up, on a machine that has Python 3.11, make and cc.
# `make` alone lists the targets.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
PEERS := .venv-peers/.installed
BIN := $(CURDIR)/$(VENV)/bin

.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: install ## start a fleet, make a thumbnail of a kitten three ways, stop the fleet
	@$(BIN)/python examples/demo.py

test: install system peers ## run all tests
	$(BIN)/python -m pytest $(ARGS)

interop: install system peers ## run the tests with what nobody here wrote, and print who gets on with whom
	$(BIN)/python -m pytest tests/interop $(ARGS)

FAULT_ROUNDS ?= 200

faults: install system ## kill servers, cut the power, fill disks: a line for each fault says how often (FAULT_ROUNDS, 200) and what was lost
	FLEET_FAULT_ROUNDS=$(FAULT_ROUNDS) $(BIN)/python -m tests.faults.report

check: install ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n0 tests/test_layers.py

fix: install ## let the formatter and the linter mend what they can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install system compiled ## measure against the peers, as ratios in one run
	$(BIN)/python -m benchmarks

bench-images: install system ## measure pictures beside the talk's set-up, vipsthumbnail and sharp
	npm install --prefix benchmarks/images/node --no-package-lock --no-audit --no-fund --loglevel=error >/dev/null
	$(BIN)/python -m benchmarks.images $(PARTS)
	$(BIN)/python -m benchmarks.images.engines

compiled: install ## compile the job server's core: a wheel in dist/, and a checkout to try it in build/compiled
	scripts/compile-core $(VENV)/bin/python

test-compiled: compiled ## run the job server's tests with the compiled core
	cd build/compiled && $(BIN)/python -m pytest -q -m "not slow and not interop" tests/jobserver tests/protocol $(ARGS)

FUZZ_SECONDS ?= 600
MUTANTS ?= 10000

fuzz: install ## fuzz what reads from the network, FUZZ_SECONDS each (600), and pictures, MUTANTS of each format (10000)
	for target in decoder session; do $(BIN)/python -m tests.fuzz.run $$target $(FUZZ_SECONDS) || exit 1; done
	for format in jpeg png gif webp avif tiff heic psd svg; do $(BIN)/python -m tests.fuzz.pictures $$format $(MUTANTS) || exit 1; done

SOAK_SECONDS ?= 600

soak: install ## good and hostile pictures at full load for SOAK_SECONDS (600): same answers, no restart, no growth
	$(BIN)/python -m tests.system.soak $(SOAK_SECONDS)

samples: install ## draw the sample pictures anew
	$(BIN)/python samples/images/draw.py

contact-sheet: install ## render every operation on every sample into contact-sheet.png, to be looked at
	$(BIN)/python samples/images/contact_sheet.py contact-sheet.png

versions: install ## run the fast tests under the other interpreters that are found here
	scripts/other-versions

install: $(INSTALLED) ## make the virtual environment

# An editable install in a virtual environment of the project's own, with what tests and checks need.
$(INSTALLED): pyproject.toml scripts/install
	scripts/install $(PYTHON) $(VENV)
	@touch $@

system: ## install the programs the tests and benchmarks talk to, where apt and root are
	scripts/system

peers: $(PEERS) ## install the libraries from PyPI and npm that the tests talk to

$(PEERS): scripts/peers tests/interop/requirements.txt tests/interop/node/package.json
	scripts/peers $(PYTHON) .venv-peers
	@touch $@

clean: ## remove what the targets made
	rm -rf $(VENV) .venv-* tests/interop/node/node_modules benchmarks/images/node/node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz thumb.jpg

.PHONY: compiled test-compiled help demo test interop faults check fix bench bench-images contact-sheet samples versions install system peers clean
