SHELL := /bin/bash
PORT ?= 5000
REDIS_PORT ?= 6399
CACHE_PORT ?= $(shell echo $$(($(REDIS_PORT) + 1)))
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
BIN := .venv/bin

.PHONY: run ports-free test lint style bench bench-size faults requirements clean

run: ports-free .venv/installed  ## A whole site with data, on this machine only.
	@# Anyone may read, and cookies go over plain HTTP: fine on a loopback address, and wrong anywhere else.
	@# Workers run what stands in Redis, so other users of the machine must not write there.
	@export REDIS_PASSWORD=$$(head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n') && \
	export PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONUNBUFFERED=1 WEB_PORT=$(PORT) REDIS_PORT=$(REDIS_PORT) \
		CACHE_PORT=$(CACHE_PORT) REDIS_URL=redis://:$$REDIS_PASSWORD@127.0.0.1:$(REDIS_PORT)/0 \
		CACHE_REDIS_URL=redis://:$$REDIS_PASSWORD@127.0.0.1:$(CACHE_PORT)/0 API_AUTH=open COOKIES_SECURE=false; \
	flask db upgrade && flask demo || exit 1; \
	python -P deploy/devready.py http://127.0.0.1:$(PORT)/ & \
	exec honcho start

ports-free:
	@for port in $(PORT) $(REDIS_PORT) $(CACHE_PORT); do \
		if (exec 3<> /dev/tcp/127.0.0.1/$$port) 2> /dev/null; then \
			echo "Port $$port is taken. Stop what uses it, or choose others: make run PORT=5001 REDIS_PORT=6410"; \
			exit 1; \
		fi; \
	done

test: style  ## Everything that a change has to pass.
	@# Many tests wait for a server or a browser. Neighbours stay together, for they share one, until a process is idle.
	@# Every process that a test starts compiles the app anew where the environment forbids Python to keep bytecode.
	@# Types are checked while the first tests run: one process cannot keep two cores busy.
	$(BIN)/mypy & types=$$!; \
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 4 --dist worksteal; tests=$$?; \
	wait $$types && exit $$tests

lint: style  ## Style and types, in a minute.
	$(BIN)/mypy

style: .venv/tests-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: .venv/bench-installed  ## Speed beside named peers, measured in one run; some minutes.
	$(BIN)/python -m tests.bench.topn
	$(BIN)/python -m tests.bench.orders
	$(BIN)/python -m tests.bench.upsert
	$(BIN)/python -m tests.bench.opening
	$(BIN)/python -m tests.bench.foldin
	$(BIN)/python -m tests.bench.fanout
	$(BIN)/python -m tests.bench.serving
	$(BIN)/python -m tests.bench.hostile
	$(BIN)/python -m tests.bench.importing
	$(BIN)/python -m tests.bench.shop

bench-size: .venv/bench-installed  ## Import, train, score and serve at 1, 10 and 32 million ratings; an hour, 8 GiB.
	$(BIN)/python -m tests.bench.size 1M 10M 32M --pieces

faults: .venv/tests-installed  ## kill -9 of each part of a whole site at work: what fails, what is lost, what heals; 12 minutes.
	$(BIN)/python -m tests.bench.faults

requirements:  ## Compile the short lists (*.in) into pinned ones with hashes; what is pinned stays: UPGRADE=--upgrade moves it.
	$(BIN)/pip install -q --disable-pip-version-check pip-tools
	@# Without pip's own settings, so that no address of this machine gets into the files.
	export PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make requirements"; unset PIP_FIND_LINKS; \
	compile="$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --no-config $(UPGRADE) \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host"; \
	$$compile -o requirements.txt deploy/requirements.in && \
	$$compile -o deploy/requirements-s3.txt deploy/requirements-s3.in && \
	$$compile -o deploy/requirements-tests.txt deploy/requirements-tests.in && \
	$$compile -o tests/bench/requirements.txt tests/bench/requirements.in

clean:  ## Remove what can be made again; instance/ and media/ hold data and stay.
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "recsite needs Python 3.11 or newer.")'
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt | .venv/bin/python
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/tests-installed: deploy/requirements-tests.txt | .venv/bin/python
	@# Tests import a quarter of the files, and compile those: compiling all takes pip half a minute.
	$(BIN)/pip install -q --no-compile --disable-pip-version-check --require-hashes -r deploy/requirements-tests.txt
	@touch $@ .venv/installed

.venv/bench-installed: tests/bench/requirements.txt | .venv/bin/python
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r tests/bench/requirements.txt
	@touch $@
