# make report   the shipped study, from a fresh machine to an HTML report
# make test     style, types, tests
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: report test validate bench docs format clean

report: $(INSTALLED)
	mkdir -p out
	$(BIN)/devicephys run quickstart -o out/quickstart --force

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto

validate: $(INSTALLED)
	$(BIN)/devicephys validate
	$(BIN)/pytest -m slow

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

docs: $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/sphinx-build --fail-on-warning --quiet docs docs/_build

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv out build dist docs/_build *.egg-info

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,fast,bayes]'
	touch $@
