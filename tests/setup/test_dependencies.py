"""What is imported is declared, what is declared is used, and the audit says what it knows."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.course import ROOT, SOLUTIONS, read
from tests.setup.test_environment import PROJECT
from tests.tools import load

EXTRAS = PROJECT["optional-dependencies"]
ALL = [*PROJECT["dependencies"], *EXTRAS["grader"], *EXTRAS["test"]]
CODE = {room: sorted((ROOT / room).rglob("*.py")) for room in ("utilities", "bench", "tools", "tests")}
CODE["utilities"].append(ROOT / "nbgrader_config.py")
OWN = {"utilities", "bench", "tests", "tools"}
DONE_WITHOUT = {"playwright"}  # lab doctor looks for it, and says so where it is missing
USED_WITHOUT_AN_IMPORT = {
    "jupyterlab": "`make lab` starts it",
    "notebook": "nbgrader's formgrader and validate extensions show their pages in it",
    "ipykernel": "the kernel `python3` of every notebook",
    "alembic": "nbgrader calls the command to make a gradebook",
    "jupyter-server-mathjax": "formgrader's pages load MathJax from it",
    "dask": "what `distributed` schedules",
    "psycopg2-binary": "SQLAlchemy loads it for a gradebook in PostgreSQL",
    "pytest-xdist": "pytest loads it: -n 2",
    "pytest-timeout": "pytest loads it: timeout",
    "ruff": "a command",
    "mypy": "a command",
    "pre-commit": "a command",
    "pip-audit": "a command",
}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def imports(source: str) -> Iterator[str]:
    """Yield the top-level names that code imports, wherever in it, its own package aside."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


def distributions(sources: list[str]) -> set[str]:
    """Return the distributions that code imports from; those that are not installed by module."""
    known = packages_distributions()
    modules = {module for source in sources for module in imports(source)}
    foreign = modules - OWN - set(sys.stdlib_module_names)
    return {canonicalize_name(name) for module in foreign for name in known.get(module, [module])[:1]}


def sources_of(room: str) -> list[str]:
    return [path.read_text() for path in CODE[room]]


def cells() -> list[str]:
    """Return the code of every solution; what a magic line does is no import."""
    code = [cell.source for path in SOLUTIONS for cell in read(path).cells if cell.cell_type == "code"]
    return [re.sub(r"^[%!].*$", "", source, flags=re.MULTILINE) for source in code]


def test_what_notebooks_and_their_part_of_the_kit_import_is_installed_by_every_student():
    paths = [path for path in CODE["utilities"] if "grading" not in path.parts and path.parent != ROOT]
    imported = distributions([path.read_text() for path in paths] + cells())
    assert imported - DONE_WITHOUT - names(PROJECT["dependencies"]) == set()


def test_what_grading_imports_is_declared():
    imported = distributions(sources_of("utilities"))
    assert imported - DONE_WITHOUT - names(PROJECT["dependencies"] + EXTRAS["grader"]) == set()


@pytest.mark.parametrize("room", ["bench", "tools", "tests"])
def test_what_tools_and_tests_import_is_declared(room):
    assert distributions(sources_of(room)) - names(ALL) == set()


def test_what_is_declared_is_used():
    used = distributions([source for room in CODE for source in sources_of(room)] + cells())
    declared = names(ALL) - {PROJECT["name"]}
    assert declared - used - set(USED_WITHOUT_AN_IMPORT) == set(), "unused, or used without a reason"


def test_reasons_are_given_only_for_what_is_declared():
    assert set(USED_WITHOUT_AN_IMPORT) <= names(ALL)


@pytest.fixture(scope="module")
def audit():
    return load("audit")


HOLE = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"]}
GOOD = {"name": "good", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "1.0", "vulns": [HOLE]}
NEW = {"name": "new", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("pins", "ignored", "status", "words"),
    [
        ([GOOD, GOOD], {}, 0, "No known vulnerability that counts in 2 pins"),
        ([GOOD, BAD], {}, 1, "bad 1.0: PYSEC-2026-1, fixed in 2.0"),
        ([GOOD, BAD], {"PYSEC-2026-1": "never called"}, 0, "PYSEC-2026-1 ignored: never called"),
        ([GOOD], {"PYSEC-2026-1": "never called"}, 0, "no pin has it: take it off"),
        ([GOOD, NEW], {}, 2, "knows nothing of 1 of 2 pins (new)"),
    ],
)
def test_the_audit_tells_safe_vulnerable_ignored_and_unknown_apart(audit, pins, ignored, status, words):
    found, lines = audit.verdict(pins, ignored)
    assert found == status and words in " ".join(lines)


def test_what_the_audit_ignores_has_a_reason(audit):
    assert all(len(reason.split()) >= 3 for reason in audit.IGNORED.values())


def test_the_audit_without_a_network_says_that_nothing_was_audited(audit, capsys):
    assert audit.main(["--timeout", "1"]) == audit.NOT_ASKED
    assert capsys.readouterr().out.startswith("Not audited: ")
