# Two commands do everything: `make lab` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STUDENT := $(VENV)/student
READY := $(VENV)/ready
UV := $(shell command -v uv)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALL := $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(PIP))
LAB_OPTIONS ?=
DEMO_OPTIONS ?=
ROWS ?=
BENCH_OPTIONS ?=
NEWEST ?= python3.13
RANGE_OPTIONS ?=
RUNS_OPTIONS ?=
MUTANTS ?=
SITE_OPTIONS ?= --run all
WHEEL ?=
REPOSITORY ?=
BRANCH ?= main
ASSIGNMENT ?= vision_transformer

.PHONY: help lab test test-range test-newest check lock release data grader grade-demo handout student-repo package gradescope site bench map interfaces hooks runs mutate audit pictures system

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

lab: $(STUDENT)  ## environment, data, JupyterLab on the student notebooks
	$(BIN)/python -c "from utilities import load_cifar10; load_cifar10()"
	cd lab && ../$(BIN)/jupyter lab $(LAB_OPTIONS)

test: $(READY) system  ## environment and the whole test suite
	$(BIN)/python -m pytest

# requirements.lock is the lower end; the upper one is the newest of everything that pyproject.toml allows.
test-range: $(READY) system  ## the tests on both ends of Python and TensorFlow, where Python 3.13 can be had
	$(BIN)/python -m pytest $(RANGE_OPTIONS)
	@if $(NEWEST) -c "" 2>/dev/null; then $(MAKE) test-newest; \
	  else echo "Python 3.13 is not here: the upper end of the range is not tested." >&2; fi

test-newest: .venv-newest/ready
	.venv-newest/bin/python -m pytest $(RANGE_OPTIONS)

.venv-newest/ready: pyproject.toml
	$(NEWEST) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade -e ".[test]"
	touch $@

# Lint, types, layout, documents, form of the notebooks, release drift, the core's solution, and the
# catalogue of two exercises, one on NumPy and one on TensorFlow. Types are looked at beside the tests.
CHECKED := tests/setup/test_layout.py tests/setup/test_documents.py \
	tests/notebooks/test_form.py tests/notebooks/test_interfaces.py tests/notebooks/test_readme.py \
	tests/notebooks/test_release.py::test_is_current \
	"tests/notebooks/test_solutions.py::test_passes_every_check[vision_transformer-42-False]"
SAMPLED := "gaussian or orthonormal"

check: $(READY)  ## a minute's worth of the tests, for after each change
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(BIN)/mypy & types=$$!; \
	$(BIN)/python -m pytest -n 0 --durations 0 $(CHECKED); checked=$$?; \
	$(BIN)/python -m pytest -n 0 --durations 0 tests/checks/test_catalogue.py -k $(SAMPLED); sampled=$$?; \
	wait $$types && exit $$((checked + sampled))

release: $(READY)  ## generate lab/ from solutions/
	$(BIN)/python -m utilities.grading.release

grader: $(READY)  ## environment with all that grading needs

grade-demo: $(READY)  ## a class of 18, graded in the sandbox from start to feedback
	$(BIN)/python -m utilities.grading.demo $(DEMO_OPTIONS)

handout: $(READY)  ## dist/: the zip for students; WHEEL=address of the wheel, for Colab
	$(BIN)/python -m utilities.grading.release --check
	$(BIN)/python -m tools.handout --wheel "$(WHEEL)"

student-repo: package  ## dist/student-repo: a folder ready for git; REPOSITORY=owner/name, BRANCH, WHEEL
	$(BIN)/python -m utilities.grading.release --check
	$(BIN)/python -m tools.student_repo --repository "$(REPOSITORY)" --branch "$(BRANCH)" --wheel "$(WHEEL)"

package: $(READY)  ## dist/: the wheel, with notebooks, data and models
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

gradescope: package  ## dist/: the autograder for Gradescope; ASSIGNMENT=name
	$(BIN)/python -m tools.gradescope $(ASSIGNMENT)

site: $(READY) .venv-site/ready  ## dist/site: labs, mistakes, guides and reference as a web site
	$(BIN)/python -m tools.site_pages $(SITE_OPTIONS)
	rm -rf dist/site
	.venv-site/bin/sphinx-build -n -W --keep-going -q -b html build/site/source dist/site
	$(BIN)/python -m tools.site_check dist/site

# An environment of its own: nothing of it is needed for labs, tests or grading.
.venv-site/ready: pyproject.toml | $(BIN)/python
	$(BIN)/python -m venv .venv-site
	.venv-site/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	.venv-site/bin/python -m pip install --quiet --disable-pip-version-check --group site
	touch $@

bench: $(READY)  ## one table of what the kit costs; ROWS="a c" chooses, BENCH_OPTIONS=--help says more
	$(BIN)/python -m bench $(ROWS) $(BENCH_OPTIONS)

map: $(READY)  ## renew the README's map of the rooms
	$(BIN)/python tools/readme_map.py

interfaces: $(READY)  ## renew docs/interfaces.md, the notebooks' docstrings and their first cells
	$(BIN)/python tools/interfaces.py
	$(BIN)/python tools/first_cell.py

hooks: $(READY)  ## have git run the quick checks before each commit
	$(BIN)/pre-commit install

runs: $(READY)  ## hours: every training that a text or figure quotes, three seeds, kept in data/runs
	PYTHONPATH=. $(BIN)/python tools/runs.py $(RUNS_OPTIONS)

mutate: $(READY)  ## hours: which changes of grader and core no quick test sees; MUTANTS="utilities.grading.names.*"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group mutation
	$(BIN)/mutmut run $(MUTANTS)
	$(BIN)/mutmut results

audit: $(READY)  ## ask for known vulnerabilities of every pin (needs internet access)
	$(BIN)/python tools/audit.py

# Versions stay as they are until a line is taken out of the lock, or pyproject.toml asks for another.
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-annotate \
	--no-header pyproject.toml

lock:  ## renew both locks from pyproject.toml (needs uv)
	$(LOCK) --extra test -o requirements.lock
	$(LOCK) -c requirements.lock -o requirements-student.lock

data: $(STUDENT)  ## download the full CIFAR-10 and CIFAR-100
	$(BIN)/lab data

pictures: $(READY) system  ## the README's pictures, as the browser tests see them
	$(BIN)/python -m pytest -n 0 tests/browser --screenshots docs/pictures

# A browser that a person has, that CHROMIUM names, or that Playwright has installed.
CHROMIUM_THERE = { test -n "$$CHROMIUM" || command -v chromium || command -v chromium-browser || \
	command -v google-chrome || command -v google-chrome-stable || \
	ls "$$HOME"/.cache/ms-playwright/chromium*/INSTALLATION_COMPLETE; } >/dev/null 2>&1

# The grader's sandbox, a PostgreSQL server and a browser come from the system, not from Python.
system:
	@missing=""; \
	command -v bwrap >/dev/null && command -v setpriv >/dev/null || missing="bubblewrap util-linux"; \
	command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	$(CHROMIUM_THERE) || missing="$$missing chromium"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; then exit 0; fi; \
	echo "The tests need $$missing. Debian, Ubuntu: sudo apt-get install $$missing" >&2; \
	echo "A Chromium or Chrome elsewhere: CHROMIUM=/path/to/it make test" >&2; exit 1

$(BIN)/python:
ifdef UV
	$(UV) venv --quiet --seed --python $(if $(filter file,$(origin PYTHON)),3.11,$(PYTHON)) $(VENV)
else
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "Python 3.11 is needed; $(PYTHON) is another version. Install it, or name it: make lab PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
endif

# The stamps make a second run start at once; new pins bring the environment up to date.
$(STUDENT): requirements-student.lock pyproject.toml | $(BIN)/python
	$(INSTALL) -r requirements-student.lock
	$(INSTALL) --no-deps --no-build-isolation -e .
	touch $@

$(READY): requirements.lock pyproject.toml | $(BIN)/python
	$(INSTALL) -r requirements.lock
	$(INSTALL) --no-deps --no-build-isolation -e .
	touch $@ $(STUDENT)
