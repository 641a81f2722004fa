"""Mutants of the model solutions: each graded solution cell, changed in one place of its syntax tree.

    python -m tests.checks.mutants [EXERCISE ...] [--part I/N] [--write]

runs every mutant through its check and lists those that are accepted. An accepted mutant is either
equivalent, and stands in `equivalent_mutants.json` with its reason, or the check has a hole. What the
others are told by name stands in `told_mutants.json`: each name there has been read beside its change.
`--write` renews it; read what differs.
"""

import argparse
import ast
import copy
import json
import linecache
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import utilities
from tests.course import SOLUTIONS, exercises, graded, read, run_exercises
from utilities.checks.core.report import Report
from utilities.checks.kernel.exercise import Exercise

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.json")
TOLD = Path(__file__).with_name("told_mutants.json")
SEED = 42
OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt,
    ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
REDUCTIONS = {"mean": "sum", "sum": "mean", "max": "min", "min": "max"}
WORDS = {"val_accuracy": "val_loss", "gelu": "tanh", "max": "min", "zeros": "ones", "relu": "tanh"}


@dataclass(frozen=True)
class Mutant:
    """One change of one solution: what it was, what it became, and the whole cell with it."""

    exercise: str
    change: str
    source: str
    cell: str

    def __str__(self) -> str:
        return f"{self.exercise}: {self.change}"


@cache
def solutions() -> dict[str, tuple[str, str, str, Path]]:
    """Return, by exercise, the cell's id, its source, the name the check is given, and the notebook."""
    found = {}
    for path in SOLUTIONS:
        notebook = read(path)
        cells = {cell.metadata.nbgrader.grade_id: cell for cell in exercises(notebook)}
        for cell in graded(notebook):
            called = re.search(r"test_(\w+)\((\w+), points", cell.source)
            assert called, cell.id
            own = cells[cell.metadata.nbgrader.grade_id.removeprefix("check_")]
            found[called[1]] = (own.id, own.source, called[2], path)
    return found


@cache
def namespace(path: Path) -> dict:
    """Return the names of a notebook's model solutions."""
    return run_exercises(read(path))


def mutants(exercise: str) -> list[Mutant]:
    """Return all mutants of an exercise's solution; each change is named, and none twice."""
    cell, source, _, _ = solutions()[exercise]
    tree = ast.parse(source)
    places = [node for node in ast.walk(tree) if _is_the_student_s(node, source)]
    made: dict[str, Mutant] = {}
    for node in places:
        for replacement in _changes(node):
            before, after = _text(node), _text(replacement)
            if before == after:
                continue
            mutated = _replaced(tree, node, replacement)
            change = f"{before} → {after}"
            while change in made:
                change += " (again)"
            made[change] = Mutant(exercise, change, ast.unparse(mutated), cell)
    return list({m.source: m for m in made.values()}.values())


def report_on(mutant: Mutant) -> Report:
    """Return the report on a mutant; one that cannot even be defined is told as an error."""
    _, _, name, path = solutions()[mutant.exercise]
    names = dict(namespace(path))
    filename = f"<mutant of {mutant.cell}>"
    linecache.cache[filename] = (0, None, mutant.source.splitlines(keepends=True), filename)
    exec(compile(mutant.source, filename, "exec"), names)  # its functions look names up here
    exercise: Exercise = getattr(utilities, f"test_{mutant.exercise}")
    return exercise.report(names[name], SEED)


def equivalent() -> dict[str, dict[str, str]]:
    """Return, by exercise and change, why an accepted mutant is no mistake."""
    return json.loads(EQUIVALENT.read_text())


def told() -> dict[str, dict[str, list[str]]]:
    """Return, by exercise and change, the mistakes that a mutant is told by name, if any."""
    return json.loads(TOLD.read_text())


def _is_the_student_s(node: ast.AST, source: str) -> bool:
    """Return whether a node stands between the marks of a solution."""
    lines = source.splitlines()
    inside, marked = False, set()
    for number, line in enumerate(lines, start=1):
        inside = (inside or "BEGIN SOLUTION" in line) and "END SOLUTION" not in line
        if inside:
            marked.add(number)
    return getattr(node, "lineno", 0) in marked


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node may be replaced by."""
    if isinstance(node, ast.BinOp):
        if type(node.op) in OPERATORS:
            yield _with(node, op=OPERATORS[type(node.op)]())
        if not isinstance(node.op, (ast.Add, ast.Mult)):
            yield _with(node, left=node.right, right=node.left)
        yield from (node.left, node.right)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in OPERATORS:
        yield _with(node, ops=[OPERATORS[type(node.ops[0])](), *node.ops[1:]])
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=OPERATORS[type(node.op)]())
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from (_with(node, value=value) for value in _other_values(node.value))
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield from (_with(node, id=other) for other in _neighbours(node.id))
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        yield from _other_attributes(node)
    elif isinstance(node, ast.Call):
        yield from _other_calls(node)
    elif isinstance(node, (ast.If, ast.IfExp)):
        yield from (_with(node, test=ast.Constant(value)) for value in (True, False))
    elif isinstance(node, ast.For):
        yield _with(node, body=[*node.body, ast.Break()])
    elif isinstance(node, (ast.Assign, ast.AugAssign, ast.Raise)) or _is_a_call(node):
        yield ast.Pass()


def _is_a_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)


def _other_values(value: object) -> list:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)):
        return [value + 1, 0] if value != 0 else [1]
    return [WORDS[value]] if value in WORDS else []


def _neighbours(name: str) -> list[str]:
    """Return what a letter of q, k, v is mistaken for."""
    for letter, other in (("q", "k"), ("k", "v"), ("v", "q")):
        if name == letter:
            return [other]
    return {"queries": ["keys"], "keys": ["values"], "values": ["queries"]}.get(name, [])


def _other_attributes(node: ast.Attribute) -> Iterator[ast.AST]:
    for word, other in REDUCTIONS.items():
        if node.attr in (word, f"reduce_{word}", f"arg{word}"):
            yield _with(node, attr=node.attr.replace(word, other))
    if node.attr in ("W_q", "W_k", "W_v"):
        yield _with(node, attr={"W_q": "W_k", "W_k": "W_v", "W_v": "W_q"}[node.attr])


def _other_calls(node: ast.Call) -> Iterator[ast.AST]:
    for i, keyword in enumerate(node.keywords):
        if keyword.arg:
            yield _with(node, keywords=[*node.keywords[:i], *node.keywords[i + 1 :]])
    if len(node.args) > 1:
        yield _with(node, args=node.args[:-1])
        yield _with(node, args=[node.args[1], node.args[0], *node.args[2:]])
    if len(node.args) >= 1 and not isinstance(node.args[0], ast.Starred):
        yield node.args[0]  # the call, a layer among them, left out


def _with(node: ast.AST, **changed: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in changed.items():
        setattr(other, name, value)
    return other


def _replaced(tree: ast.Module, old: ast.AST, new: ast.AST) -> ast.Module:
    """Return a copy of a tree with one node replaced."""

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            if node is old:
                return ast.copy_location(new, old)
            return self._copied(node)

        def _copied(self, node: ast.AST) -> ast.AST:
            other = copy.copy(node)
            for field, value in ast.iter_fields(node):
                if isinstance(value, list):
                    parts = [self.visit(v) if isinstance(v, ast.AST) else v for v in value]
                    setattr(other, field, parts)
                elif isinstance(value, ast.AST):
                    setattr(other, field, self.visit(value))
            return other

    return ast.fix_missing_locations(Replace().visit(tree))


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(ast.fix_missing_locations(node)).split())


def in_part(mutant: Mutant, part: int, parts: int) -> bool:
    """Return whether a mutant belongs to one part of all, the same in every process."""
    return sum(mutant.change.encode()) % parts == part


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("exercises", nargs="*", default=[])
    parser.add_argument("--part", default="0/1", help="I/N: one part of all, such as 3/20")
    parser.add_argument("--write", action="store_true", help="renew what mutants are told")
    options = parser.parse_args(arguments)
    part, parts = map(int, options.part.split("/"))
    print("| exercise | mutants | refused | equivalent | holes |\n|---|---|---|---|---|")
    holes = 0
    for exercise in options.exercises or sorted(solutions()):
        made = [m for m in mutants(exercise) if in_part(m, part, parts)]
        reports = {m.change: report_on(m) for m in made}
        holes += _print_row(exercise, reports)
        if options.write:
            _write_told(exercise, {change: report.mistakes for change, report in reports.items()})
    return min(holes, 1)


def _print_row(exercise: str, reports: dict[str, Report]) -> int:
    """Print what became of an exercise's mutants; return how many holes they show."""
    accepted = {change for change, report in reports.items() if report.passed}
    open_ = sorted(accepted - set(equivalent().get(exercise, {})))
    print(f"| `{exercise}` | {len(reports)} | {len(reports) - len(accepted)} | "
          f"{len(accepted) - len(open_)} | {len(open_)} |", flush=True)  # fmt: skip
    for change in open_:
        print(f"    {change}", flush=True)
    return len(open_)


def _write_told(exercise: str, names: dict[str, list[str]]) -> None:
    """Write the names of an exercise's mutants; those that were not run stay as they are."""
    known = {mutant.change for mutant in mutants(exercise)}
    of_all = told() if TOLD.exists() else {}
    of_this = {change: said for change, said in of_all.get(exercise, {}).items() if change in known}
    of_this = {change: said for change, said in {**of_this, **names}.items() if said}
    of_all = dict(sorted({**of_all, exercise: dict(sorted(of_this.items()))}.items()))
    TOLD.write_text(json.dumps(of_all, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
