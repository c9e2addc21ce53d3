# Each target does its own set-up: it makes .venv if there is none, and installs only when pyproject.toml changed.
# PYTHON=... chooses the interpreter of a new .venv, WORKERS=... the number of test processes.

VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
PYTHONS := $(PYTHON) python3.13 python3.12 python3.11 python3
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
RUN_STAMP := $(VENV)/.stamp-run
DEV_STAMP := $(VENV)/.stamp-dev
DOCS_STAMP := $(VENV)/.stamp-docs
TORCH_STAMP := $(VENV)/.stamp-torch
# Most of the suite's time is compilation. XLA's older emitters with little optimisation take about two thirds;
# `nightly` compiles as users do. (Level 0 would be faster still, but gives NaN in a derivative that is finite at all
# others.) A jaxlib that no longer knows these flags (it would abort) does without them.
QUICK := --xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1 --xla_cpu_parallel_codegen_split_count=1
QUICKLY = XLA_FLAGS="$$XLA_FLAGS $$(XLA_FLAGS='$(QUICK)' $(BIN)/python -c 'import jax; jax.devices()' 2>/dev/null && echo '$(QUICK)')"
# one BLAS thread for each test process: together they fight for the cores
PYTEST := OPENBLAS_NUM_THREADS=1 JAX_COMPILATION_CACHE_DIR=$(CURDIR)/$(VENV)/.jax JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0.2 $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope

# BLAS kernels whose last bits differ; those that the processor cannot run are left out
KERNELS ?= Haswell Zen SkylakeX Prescott
KERNEL_TESTS ?= tests/mathematics tests/contract tests/systems
FEATURE_Haswell := avx2
FEATURE_Zen := avx2
FEATURE_SkylakeX := avx512dq
FEATURE_Prescott := sse3\|pni

.DEFAULT_GOAL := help
.PHONY: help demo catalogue test test-torch test-kernels test-kernels-short nightly lint format bench docs clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 28

demo: $(RUN_STAMP) ## predict, train and compare two examples; reports and pictures in out/demo
	@$(BIN)/python -m thalweg.faces.demo

catalogue: $(RUN_STAMP) ## write what is collected from the systems, after one was added or changed
	@$(BIN)/python -m thalweg.catalogue

test: $(DEV_STAMP) ## the test suite, with the number of tests in its last line
	@$(QUICKLY) $(PYTEST)

test-torch: $(TORCH_STAMP) ## the tests of the PyTorch door, which need the torch extra
	@$(QUICKLY) $(PYTEST) tests/diagnostics/test_torch.py

test-kernels: $(DEV_STAMP) $(addprefix kernel-,$(KERNELS)) ## the numerical tests under several BLAS kernels and XLA's AVX2
	@echo "== XLA: --xla_cpu_max_isa=AVX2"
	@XLA_FLAGS="$$XLA_FLAGS --xla_cpu_max_isa=AVX2" && export XLA_FLAGS && $(QUICKLY) $(PYTEST) $(KERNEL_TESTS)

kernel-%: $(DEV_STAMP)
	@if grep -qw '$(FEATURE_$*)' /proc/cpuinfo 2>/dev/null; then \
	  echo "== BLAS kernel: $*"; OPENBLAS_CORETYPE=$* $(QUICKLY) $(PYTEST) $(KERNEL_TESTS); \
	else echo "== BLAS kernel: $* is left out (this processor has no $(FEATURE_$*))"; fi

test-kernels-short: KERNEL_TESTS := tests/mathematics tests/contract/test_theories.py
test-kernels-short: $(DEV_STAMP) kernel-Haswell kernel-Prescott ## two of the kernels on the tests that tell most

nightly: $(DEV_STAMP) ## the test suite and the slow statistics
	@$(PYTEST) -m "nightly or not nightly"

lint: $(DEV_STAMP) ## style, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

format: $(DEV_STAMP) ## repair style and format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(TORCH_STAMP) ## run the benchmarks and print their ratios
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: $(DOCS_STAMP) ## build the documentation into out/site
	@$(BIN)/mkdocs build --strict

clean: ## remove results, caches and build files; .venv stays
	@rm -rf out build dist .pytest_cache .ruff_cache .hypothesis
	@find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(BIN)/python:
	@for python in $(PYTHONS); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "thalweg needs Python 3.11 or later; none of '$(strip $(PYTHONS))' is one." >&2; \
	  echo "Install one from your system or python.org, or name it: make PYTHON=/path/to/python3.13" >&2; exit 1; \
	fi; \
	echo "making $(VENV) with $$($$found --version)"; \
	$$found -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "'$$found -m venv' failed; on Debian and Ubuntu, install the package python3-venv" >&2; exit 1; }

$(RUN_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing thalweg into $(VENV) (once, until pyproject.toml changes)"
	@$(PIP_INSTALL) -e .
	@touch $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing thalweg and its development tools into $(VENV) (once, until pyproject.toml changes)"
	@$(PIP_INSTALL) -e ".[dev]"
	@touch $@ $(RUN_STAMP)

$(DOCS_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing thalweg and its documentation tools into $(VENV) (once, until pyproject.toml changes)"
	@$(PIP_INSTALL) -e ".[docs]"
	@touch $@ $(RUN_STAMP)

$(TORCH_STAMP): pyproject.toml | $(DEV_STAMP)
	@echo "installing PyTorch into $(VENV) (once, until pyproject.toml changes)"
	@$(PIP_INSTALL) -e ".[dev,torch]"
	@touch $@
