# Two commands do all set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FOR_TESTS := $(VENV)/.installed-for-tests

.PHONY: demo test test-all check crash bench real clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit('Python 3.11 or newer is needed; set PYTHON=python3.x') if sys.version_info < (3, 11) else 0"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	SAM2_BUILD_CUDA=0 $(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation sam2
	touch $@

# Slicer's scene and Qt, 1 GB: not for the demo.
$(FOR_TESTS): $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[slicer]'
	touch $@

demo: $(STAMP)  ## the whole loop on the built-in study
	$(BIN)/liversegssl demo demo

test: $(FOR_TESTS)  ## the tests, under 15 minutes on 2 cores
	$(BIN)/python -m pytest -m "not slow and not real" -n 2 --dist loadfile

test-all: $(FOR_TESTS)  ## also the slow ones (kills, end to end)
	$(BIN)/python -m pytest -m "not real" -n 2 --dist loadfile

check: $(STAMP)  ## style, types, import rules, what CMake ships
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q Testing/unit/test_shipping.py
	$(BIN)/python Testing/audit.py

crash: $(STAMP)  ## a thousand kills over the verbs that write, about an hour
	$(BIN)/python -m Testing.crash --kills 1000 --seed 1

bench: $(STAMP)  ## speed, as ratios
	for script in Testing/benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

real: $(STAMP)  ## accuracy on real MRI; needs LIVERSEGSSL_REAL_DATA
	$(BIN)/python Testing/real/chaos.py

clean:
	rm -rf $(VENV) demo real build dist
