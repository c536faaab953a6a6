# Every target makes .venv first when it is missing or older than what it is made from.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := $(CURDIR)/.venv/bin
export EMOTION_UDF_DATA ?= ../shared/data
export PATH := $(BIN):$(PATH)
export PYSPARK_PYTHON := $(BIN)/python
export SPARK_CONF_DIR := $(CURDIR)/conf
# Spark binds to this address; a machine's own name does not always resolve.
export SPARK_LOCAL_IP ?= 127.0.0.1
# Local mode retries a failed task only when asked to, here three times.
MASTER ?= local[*,4]
TEACHERS := build/teachers/fold-0 build/teachers/fold-1 build/teachers/fold-2 build/teachers/fold-3
STUDENTS := build/students/seed-1 build/students/seed-2 build/students/seed-3
TRAIN := python jobs/train_classifier.py --set data.root=$(EMOTION_UDF_DATA) --config
DEMO_DAYS := --from 2026-10-05 --to 2026-10-18

.PHONY: help setup demo screenshots sql test test-unit test-slow test-cluster test-catalogs test-schedulers fuzz faults check licences audit dist docs format train train-open base evaluate \
	bench clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: .venv/.ready ## make the environment in .venv

.venv/.ready: pyproject.toml constraints.txt tools/setup.sh
	@tools/setup.sh

demo: .venv/.ready ## run the nightly job on a sample of feedback
	@rm -rf build/demo
	@python demo/make_input.py build/demo/feedback
	@spark-submit --master '$(MASTER)' jobs/score_feedback.py --config conf/demo.toml $(DEMO_DAYS)

WAREHOUSE ?= build/demo/warehouse

sql: .venv/.ready ## ask DuckDB about the tables of the demo, or of another WAREHOUSE
	@python jobs/query_tables.py --warehouse $(WAREHOUSE)

screenshots: .venv/.ready ## picture the dashboard of made-up feedback in chromium, into build/screenshots
	@python -m tools.screenshots build/screenshots

# Two processes, each with a Spark of its own; files in the order of tests/conftest.py.
PYTEST := python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: .venv/.ready ## run the tests, but for the slow ones; some need EMOTION_UDF_DATA
	@PYTEST_DEBUG_TEMPROOT=$${PYTEST_DEBUG_TEMPROOT-$$(tools/memory_folder.sh)} $(PYTEST) -m 'not slow'

test-unit: .venv/.ready ## run the package's tests that need neither Spark nor Java, in less than a minute
	@$(PYTEST) -m 'not slow and not spark' --ignore tests/benchmarks

test-slow: .venv/.ready ## run the slow tests: the wheel, the launcher, 365 nights in a row, the model's figures
	@$(PYTEST) -m 'slow and not cluster and not catalogs and not schedulers'

test-cluster: .venv/.ready ## run the tests on a standalone cluster and over Spark Connect; one tries what make dist has built
	@python -m pytest -m cluster tests/cluster

test-catalogs: .venv/.ready .venv-iceberg/.ready ## run whole nights into Hive's metastore and into Iceberg
	@python -m pytest --numprocesses 2 -m catalogs tests/catalogs

.venv-iceberg/.ready: tools/iceberg-requirements.txt tools/setup_iceberg.sh
	@tools/setup_iceberg.sh

test-schedulers: .venv/.ready .venv-airflow/.ready ## run the job as Airflow, systemd and cron start it, a quarter of an hour
	@python -m pytest tests/schedulers

.venv-airflow/.ready: tools/airflow-requirements.txt tools/setup_airflow.sh
	@tools/setup_airflow.sh

fuzz: .venv/.ready ## search for inputs that the job cannot take, in FUZZ_NIGHTS whole nights of each form
	@HYPOTHESIS_PROFILE=fuzz python -m pytest tests/fuzz

faults: .venv/.ready ## end nights and maintenance at every call, FAULT_NIGHTS whole nights at moments, and tell what was lost
	@EMOTION_UDF_FAULTS=all python -m pytest tests/faults tests/end_to_end/test_refusing_storage.py

check: .venv/.ready ## style, types, docstrings, the direction of imports, and docs/settings.md
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports
	@python -m tools.settings_page --check

licences: .venv/.ready
	@python -m tools.licences

audit: licences .venv-audit/.ready ## the licences of all dependencies, and what is known of vulnerabilities in them
	@python -m tools.advisories

dist: .venv-audit/.ready ## build the wheel, the archives, one with a Python in it, and the bill of materials, into dist
	@tools/dist.sh

.venv-audit/.ready: tools/release-requirements.txt tools/setup_audit.sh
	@tools/setup_audit.sh

docs: .venv/.ready ## write docs/settings.md from the settings' models
	@python -m tools.settings_page

format: .venv/.ready ## format the code
	@ruff check --fix .
	@ruff format .

base: build/base/all-MiniLM-L6-v2/model.safetensors build/base/all-mpnet-base-v2/model.safetensors ## fetch the encoders that training starts from

build/base/%/model.safetensors: | .venv/.ready
	@tools/fetch_base.sh $* $(@D)

train: $(STUDENTS) ## train the bundled classifier anew, into build/emotion-minilm
	@$(TRAIN) conf/train.toml --set 'soup.of=["build/students/seed-1","build/students/seed-2","build/students/seed-3"]'

train-open: base ## train a classifier on data that a company may use, into build/emotion-minilm-open
	@$(TRAIN) conf/train_open.toml

$(STUDENTS): build/students/seed-%: | base $(TEACHERS)
	@$(TRAIN) conf/train.toml --set optimizer.seed=$* --set output.folder=$@

$(TEACHERS): build/teachers/fold-%: | base
	@$(TRAIN) conf/teacher.toml --set teacher.fold=$* --set optimizer.seed=$* --set output.folder=$@

evaluate: .venv/.ready ## measure the bundled classifier on all labelled sets that there are, into build/evaluation
	@python jobs/evaluate_classifier.py --config conf/evaluate.toml --root $(EMOTION_UDF_DATA) --out build/evaluation

bench: .venv/.ready .venv-benchmarks/.ready ## compare with the peers at both sizes (a quarter of an hour), and draw it
	@python -m benchmarks.throughput --rows 1000 --model base --out build/benchmarks/throughput-base.json
	@python -m benchmarks.throughput --rows 4000 --model bundled --out build/benchmarks/throughput-bundled.json
	@python -m benchmarks.pictures build/benchmarks/throughput-base.json build/benchmarks/throughput-bundled.json

.venv-benchmarks/.ready: benchmarks/requirements.txt constraints.txt tools/setup_benchmarks.sh
	@tools/setup_benchmarks.sh

clean: ## remove what the targets made, but for .venv
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache spark-warehouse
