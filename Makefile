# pg_index_advisor. Everything generated goes under .build/; `make clean` removes it.
PYTHON ?= python3
export PYTHONPYCACHEPREFIX := $(CURDIR)/.build/pycache

help:
	@echo 'make demo                    a real workload on a private PostgreSQL 18, the advice, and whether it was right'
	@echo 'make test                    every test, on PostgreSQL 15 and 18'
	@echo 'make test-fast               the tests that need no server'
	@echo 'make install PG_CONFIG=...   release build for an existing server, installed into it'
	@echo 'make bench-whatif            what-if calls a second beside EXPLAIN over a connection (VERSION=15 or 18)'
	@echo 'make bench-accuracy          what-if plans, costs and sizes beside those of built indexes (VERSION=15 or 18)'
	@echo 'make bench-selection         TPC-H within storage budgets, promised and really built (RUN=1: also run)'
	@echo 'make bench-scale             seconds and memory of a run as the workload grows to 5,000 statements over 1,000 tables'
	@echo 'make clean                   remove what all this generated'
	@echo
	@echo 'KEEP=1 make demo leaves its server running; SCALE=0.2 make demo takes more data.'

demo:
	@$(PYTHON) -m tools demo

test:
	@$(PYTHON) -m tools test

test-fast:
	@$(PYTHON) -m tools test-fast

install:
	@$(PYTHON) -m tools install $(PG_CONFIG)

VERSION ?= 18
bench-whatif:
	@$(PYTHON) -m tools python bench/what_if.py $(VERSION)

bench-accuracy:
	@$(PYTHON) -m tools python bench/accuracy.py $(VERSION)

bench-selection:
	@$(PYTHON) -m tools python bench/selection.py $(VERSION)

bench-scale:
	@$(PYTHON) -m tools python bench/scale.py $(VERSION)

clean:
	@$(PYTHON) -m tools clean

.PHONY: help demo test test-fast install bench-whatif bench-accuracy bench-selection bench-scale clean
.DEFAULT_GOAL := help
