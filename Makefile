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
TEACHERS := build/teachers/seed-1 build/teachers/seed-2 build/teachers/seed-3
SEEDED := build/students/seed-1 build/students/seed-2 build/students/seed-3
TRAIN := python jobs/train_classifier.py --config conf/train.toml --set data.source=$(EMOTION_UDF_DATA)/emotion
DEMO_DAYS := --from 2026-10-05 --to 2026-10-18

.PHONY: help setup demo test test-slow fuzz check docs format train base evaluate bench clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: .venv/.ready ## make the environment in .venv

.venv/.ready: pyproject.toml constraints.txt tools/setup.sh
	@tools/setup.sh

demo: .venv/.ready ## run the nightly job on a sample of feedback
	@rm -rf build/demo
	@python demo/make_input.py build/demo/feedback
	@spark-submit --master '$(MASTER)' jobs/score_feedback.py --config conf/demo.toml $(DEMO_DAYS)

test: .venv/.ready ## run the tests, but for the slow ones
	@python -m pytest --numprocesses 2 --dist loadfile -m 'not slow'

test-slow: .venv/.ready ## run the slow tests: the launcher, which prepares itself first
	@python -m pytest -m slow tests/end_to_end

fuzz: .venv/.ready ## search for inputs that the job cannot take, FUZZ_EXAMPLES of each form
	@HYPOTHESIS_PROFILE=fuzz python -m pytest tests/fuzz

check: .venv/.ready ## style, types, docstrings, the direction of imports, and docs/settings.md
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports
	@python -m tools.settings_page --check

docs: .venv/.ready ## write docs/settings.md from the settings' models
	@python -m tools.settings_page

format: .venv/.ready ## format the code
	@ruff check --fix .
	@ruff format .

base: build/base/all-MiniLM-L6-v2/model.safetensors ## fetch the encoder that training starts from

build/base/all-MiniLM-L6-v2/model.safetensors: | .venv/.ready
	@tools/fetch_base.sh $(@D)

train: base $(SEEDED) build/students/settled ## train the bundled classifier anew, into build/emotion-minilm
	@$(TRAIN) --set 'soup.of=["build/students/seed-1","build/students/seed-3","build/students/settled"]'

# The mean of the three, trained on for two epochs.
build/students/settled: | base $(SEEDED) $(TEACHERS)
	@$(TRAIN) --set 'soup.of=["build/students/seed-1","build/students/seed-2","build/students/seed-3"]' \
		--set soup.train_on=true --set optimiser.learning_rate=5e-5 --set optimiser.epochs=2 --set output.folder=$@

$(SEEDED): build/students/seed-%: | base $(TEACHERS)
	@$(TRAIN) --set optimiser.seed=$* --set output.folder=$@

$(TEACHERS): build/teachers/seed-%: | base
	@python jobs/train_classifier.py --config conf/teacher.toml --set data.source=$(EMOTION_UDF_DATA)/emotion \
		--set optimiser.seed=$* --set output.folder=$@

evaluate: .venv/.ready ## measure the bundled classifier on test, into build/evaluation
	@python jobs/evaluate_classifier.py --data $(EMOTION_UDF_DATA)/emotion --out build/evaluation --noise

bench: .venv/.ready .venv-benchmarks/.ready ## compare with the peers on a base-size model, and draw it
	@mkdir -p build/benchmarks
	@python -m benchmarks.throughput --rows 1000 --best --out build/benchmarks/throughput.json
	@python -m benchmarks.pictures build/benchmarks

.venv-benchmarks/.ready: benchmarks/requirements.txt constraints.txt tools/setup_benchmarks.sh
	@tools/setup_benchmarks.sh

clean: ## remove what the targets made, but for .venv
	@rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache spark-warehouse
