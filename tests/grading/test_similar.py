"""Pairs that are unusually alike are found, independent work is not, and nobody is judged."""

import ast
import shutil
import time

import nbformat
import pytest

from tests.course import ROOT
from utilities.commands import lab
from utilities.grading import alike, demo
from utilities.grading.alike import LONGEST, filtered, unusual_pairs
from utilities.grading.markup import printable
from utilities.grading.similar import REFUSED, WRITTEN, marked, page_of

HANDS = 5  # people who have each written every exercise in their own way
LIBRARIES = {"np", "tf", "tf_keras", "layers", "self"}
HOSTILE = "# </pre><script>alert(1)</script> \u202e\n"
WRITER, COPIER = "uma", "vic <img src=x>"


class Renamed(ast.NodeTransformer):
    """The same code, with other names of variables."""

    def visit_Name(self, node):  # noqa: N802  ast's name
        return ast.Name(node.id if node.id in LIBRARIES else f"{node.id}_x")

    def visit_arg(self, node):
        return ast.arg(node.arg if node.arg in LIBRARIES else f"{node.arg}_x")


def renamed(code: str) -> str:
    return "# all my own work\n" + ast.unparse(Renamed().visit(ast.parse(code)))


@pytest.fixture(scope="module")
def hands() -> list[dict[str, str]]:
    """Correct exercises of the core as the catalogue has them, each by so many people."""
    written: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests/checks/catalogue").glob("[a-z]*.py")):
        for node in ast.parse(path.read_text()).body:
            if exercise := correct_exercise(node):
                node.decorator_list = []
                written.setdefault(exercise, []).append(ast.unparse(node))
    core = {cell["exercise"] for cell in core_exercises()} & set(written)
    assert len(core) > 8
    return [{name: written[name][hand] for name in sorted(core)} for hand in range(HANDS)]


def correct_exercise(node: ast.stmt) -> str | None:
    """Return the exercise that a definition is registered for as correct."""
    for decorator in getattr(node, "decorator_list", []):
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "correct":
            return decorator.args[0].value
    return None


def core_exercises() -> list[dict]:
    notebook = nbformat.read(ROOT / "lab/vision_transformer/vision_transformer.ipynb", 4)
    marks = [(cell.id, cell.metadata.get("nbgrader", {})) for cell in notebook.cells]
    return [{"id": i, "exercise": m["grade_id"]} for i, m in marks if m.get("solution")]


def test_a_copy_with_other_names_is_found_and_independent_work_is_not(hands):
    class_ = {f"hand {number}": filtered(codes) for number, codes in enumerate(hands)}
    assert unusual_pairs({}, class_) == []
    copied = {name: renamed(code) for name, code in hands[0].items()}
    (pair,) = unusual_pairs({}, {**class_, "copy": filtered(copied)})
    assert pair.students == ("copy", "hand 0") and 0.5 < pair.share <= 1
    passage = next(p for p in pair.passages if p.exercise == "run_experiment")
    for code, spans in zip(passage.codes, passage.spans, strict=True):
        pieces = marked(code, spans)
        assert "".join(text for text, _ in pieces) == code
        assert sum(len(text) for text, alike in pieces if alike) > 100


def test_the_pair_with_most_in_common_comes_first(hands):
    class_ = {f"hand {number}": filtered(codes) for number, codes in enumerate(hands)}
    part = dict(list(hands[1].items())[:6])
    pairs = unusual_pairs({}, {**class_, "a part": filtered(part), "whole": filtered(hands[0])})
    assert {pair.students for pair in pairs} == {("hand 0", "whole"), ("a part", "hand 1")}
    assert pairs[0].size > pairs[1].size


def test_what_was_released_and_what_many_write_does_not_count(hands):
    first, second = filtered(hands[0]), filtered(hands[0])
    assert len(unusual_pairs({}, {"a": first, "b": second})) == 1
    assert unusual_pairs(first, {"a": first, "b": second}) == []
    assert unusual_pairs({}, dict.fromkeys("abcdef", first)) == []


def test_code_without_end_is_cut():
    endless = {"gaussian": "x = (((((" + "a + 'b' * 2 ** c\n" * 10**6}
    begin = time.monotonic()
    (pair,) = unusual_pairs({}, {"a": filtered(endless), "b": filtered(endless)})
    assert all(len(code) == LONGEST for code in pair.passages[0].codes)
    assert time.monotonic() - begin < 60


def test_who_cannot_be_read_is_missing_alone(hands, monkeypatch):
    def run(function, class_, bounds):
        if "bad" in class_:
            raise alike.apart.Ended("it ran longer than all its time")
        return function(class_)

    monkeypatch.setattr(alike.apart, "run", run)
    class_ = dict.fromkeys(("a", "bad", "c", "d"), hands[0])
    assert sorted(alike.filtered_class(class_)) == ["a", "c", "d"]


def test_short_and_empty_code_says_nothing():
    class_ = {name: filtered({"gaussian": name, "mlp": ""}) for name in ("a", "b", "c")}
    assert unusual_pairs({}, class_) == []
    assert "No two submissions have more in common" in page_of("one", [], 3, [])


@pytest.fixture(scope="module")
def course(hands, tmp_path_factory):
    """The demo's eighteen and, beside them, one with code of their own and one who copied it."""
    folder = demo.make_course(tmp_path_factory.mktemp("similar") / "course", list(demo.STUDENTS))
    own = {name: HOSTILE + code for name, code in hands[0].items()}
    copied = {name: renamed(code) for name, code in hands[0].items()}
    for student, codes in ((WRITER, own), (COPIER, copied)):
        released = folder / "lab" / demo.ASSIGNMENT / f"{demo.ASSIGNMENT}.ipynb"
        notebook = nbformat.read(released, 4)
        for cell in notebook.cells:
            cell.source = codes.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
        target = folder / "submitted" / student / demo.ASSIGNMENT
        target.mkdir(parents=True)
        nbformat.write(notebook, target / released.name)
    return folder


def test_of_the_demos_class_the_two_are_shown_harmlessly_and_not_judged(course, capsys):
    assert lab.main(["similar", demo.ASSIGNMENT, "--course", str(course)]) == WRITTEN
    assert "1 pair to look at" in capsys.readouterr().out
    path = course / "reports" / f"{demo.ASSIGNMENT}-similar.html"
    assert path.stat().st_mode & 0o077 == 0
    page = path.read_text()
    assert "not a verdict" in page and "pia-broken-file" in page
    assert f"{WRITER} and {printable(COPIER)}" in page
    assert not [student for student in demo.STUDENTS if f"<h4>{student}" in page]
    assert "<script" not in page and "<img" not in page and "\u202e" not in page
    assert "&lt;/pre&gt;&lt;script&gt;alert(1)" in page and "\\u202e" in page
    assert "src=" not in page and 'href="http' not in page


def test_without_a_class_it_says_so(course, capsys):
    shutil.rmtree(course / "submitted")
    assert lab.main(["similar", demo.ASSIGNMENT, "--course", str(course)]) == REFUSED
    assert "Nothing was handed in" in capsys.readouterr().out
