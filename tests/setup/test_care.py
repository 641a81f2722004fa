"""The code is cared for: linted, formatted, typed, and every public name says what it takes."""

import inspect
import re
import subprocess
import sys

import pytest
import yaml

import utilities
from tests.course import ROOT

HOOKS = ".pre-commit-config.yaml"
CALLABLE = [name for name in utilities.__all__ if callable(getattr(utilities, name))]
# How the types of arrays, and of models from arrays to arrays, are written in a signature.
ARRAYS = re.compile(r"ndarray|_SupportsArray|ArrayLike|Tensor|Dataset|keras.*\bModel\b")
LENGTH = r"(?:…|\d+|[A-Za-z]\w{0,2}|[A-Za-z]+_\w+)(?:²| ?[+·−-] ?\w+)*"  # B, n_q, N + 1, patch_size²·C
SHAPE = re.compile(rf"\({LENGTH}(?:, {LENGTH})+\)|\([\w ]+,\)|any shape")


def run(*command: str) -> str:
    """Run a tool of the environment on the repository; return what it complains about."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_code_and_notebooks_are_linted():
    assert run("ruff", "check", "--no-cache", ".") == ""


def test_code_and_notebooks_are_formatted():
    assert run("ruff", "format", "--check", "--no-cache", ".") == ""


def test_every_function_of_the_kit_is_typed_and_the_types_agree():
    assert run("mypy") == ""


def test_the_commit_hooks_pass_and_fetch_nothing(tmp_path, monkeypatch):
    tracked = subprocess.run(
        ["git", "ls-files", "--error-unmatch", HOOKS], cwd=ROOT, capture_output=True
    )
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path))
    monkeypatch.setenv("SKIP", "mypy,release-drift")  # slow, and tests of their own
    assert run("pre_commit", "run", "--all-files") == ""
    assert not list(tmp_path.glob("repo*"))


def test_the_commit_hooks_are_all_of_this_repository_and_its_environment():
    repositories = yaml.safe_load((ROOT / HOOKS).read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    assert {hook["language"] for hook in repositories[0]["hooks"]} == {"system"}


@pytest.mark.parametrize("name", CALLABLE)
def test_every_public_name_has_a_docstring_and_names_the_shapes_of_arrays(name):
    thing = getattr(utilities, name)
    text = inspect.getdoc(thing)
    assert text and text.splitlines()[0].endswith("."), "one line that says what it is for, first"
    if ARRAYS.search(types_in_signature(thing)):
        assert SHAPE.search(text), f"no shape such as (B, N, d) in:\n{text}"


def types_in_signature(thing) -> str:
    """Return what a function, or the making of a class, takes and returns, as text.

    Functions that are passed in say nothing: what they take is not what is handed in here.
    """
    function = thing.__init__ if inspect.isclass(thing) else inspect.unwrap(thing)
    types = map(str, getattr(function, "__annotations__", {}).values())
    return "\n".join(text for text in types if "Callable[" not in text)


def test_shapes_are_recognised():
    assert all(map(SHAPE.search, ("(B, N, d)", "of (n,)", "(N+1, d)", "(…, n_q, d_k)", "any shape")))
    assert not any(map(SHAPE.search, ("(see there)", "(images, labels)", "f(x)", "()")))
