"""Write docs/interfaces.md and the docstrings of the notebooks: `make interfaces`."""

import ast
import copy
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

KIT = Path(__file__).resolve().parents[1]
LINE = 96
PAGE = KIT / "docs" / "interfaces.md"
NOTEBOOK = re.compile(r"^# notebook: (\S+)$", re.MULTILINE)
Definition = ast.FunctionDef | ast.ClassDef


@dataclass
class Interfaces:
    """The exercises of one notebook, in the order in which it asks for them."""

    notebook: str
    exercises: list[Definition] = field(default_factory=list)


def main() -> int:
    """Write what is out of date."""
    interfaces = read_interfaces(KIT)
    PAGE.write_text(render_page(interfaces), encoding="utf-8")
    for lesson in interfaces:
        feed_docstrings(KIT / "solutions" / f"{lesson.notebook}.ipynb", lesson)
    return 0


def read_interfaces(kit: Path) -> list[Interfaces]:
    """Return what students write, notebook by notebook."""
    source = (kit / "utilities" / "interfaces.pyi").read_text(encoding="utf-8")
    begins = {source[: found.start()].count("\n") + 1: found[1] for found in NOTEBOOK.finditer(source)}
    lessons = {line: Interfaces(name) for line, name in begins.items()}
    for node in ast.parse(source).body:
        if isinstance(node, Definition):
            lessons[max(line for line in lessons if line < node.lineno)].exercises.append(node)
    return list(lessons.values())


def signature(node: ast.FunctionDef) -> str:
    """Return a function's name and arguments with their defaults, without types."""
    bare = copy.deepcopy(node.args)
    for argument in ast.walk(bare):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return f"{node.name}({ast.unparse(bare)})"


def form(node: Definition) -> list[str]:
    """Return all that a notebook and this page share: signatures, base classes, docstrings."""
    text = ast.get_docstring(node) or ""
    if isinstance(node, ast.FunctionDef):
        return [signature(node), text]
    bases = ", ".join(map(ast.unparse, node.bases))
    return [f"class {node.name}({bases})", text, *(line for m in methods(node) for line in form(m))]


def methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    return [item for item in node.body if isinstance(item, ast.FunctionDef)]


def shapes(node: ast.AST) -> list[str]:
    """Return the shapes in annotations, as they are written."""
    return [
        str(shape.value)
        for part in ast.walk(node)
        if isinstance(part, ast.Subscript) and ast.unparse(part.value) == "Annotated"
        for shape in part.slice.elts[1:]
    ]


def plain_type(annotation: ast.expr | None) -> str:
    """Return a type in words: `tf.Tensor (B, N, d)` for an annotated one."""
    text = "" if annotation is None else ast.unparse(annotation)
    return re.sub(r"Annotated\[([\w.]+), '([^']*)'\]", r"\1 \2", text)


def render_page(interfaces: list[Interfaces]) -> str:
    """Return the page of all exercises."""
    lines = [
        "# What students write",
        "",
        "Made from `utilities/interfaces.pyi` (`make interfaces`); a test holds the notebooks to it.",
        "",
        "B batch, N patches (in the extension labs also tokens), n tokens or examples, d width of a",
        "token, h heads, p width of a head, K classes.",
    ]
    for lesson in interfaces:
        lines += ["", f"## `{lesson.notebook}`"]
        for node in lesson.exercises:
            lines += ["", f"### `{node.name}`", "", *_render(node)]
    return "\n".join(lines) + "\n"


def _render(node: Definition) -> Iterator[str]:
    functions = [node] if isinstance(node, ast.FunctionDef) else methods(node)
    yield "```text"
    if isinstance(node, ast.ClassDef):
        yield f"class {node.name}({', '.join(map(ast.unparse, node.bases))})"
    yield from (_wrapped(signature(function)) for function in functions)
    yield "```"
    rows = [row for function in functions for row in _rows(function, function is node)]
    if rows:
        yield from ("", "| | type and shape |", "|---|---|", *rows)
    yield from ("", "```text", ast.get_docstring(node) or "", "```")


def _wrapped(text: str) -> str:
    """Return a signature, wrapped where it is too long for a page."""
    if len(text) <= LINE:
        return text
    name, arguments = text.removesuffix(")").split("(", 1)
    return "\n".join([f"{name}(", *textwrap.wrap(arguments, LINE, initial_indent="    ",
                      subsequent_indent="    "), ")"])  # fmt: skip


def _rows(function: ast.FunctionDef, alone: bool) -> Iterator[str]:
    prefix = "" if alone or function.name == "__init__" else f"{function.name}: "
    for argument in function.args.args:
        if argument.arg != "self":
            yield f"| `{prefix}{argument.arg}` | {_cell(argument.annotation)} |"
    if returned := plain_type(function.returns).removeprefix("None"):
        yield f"| {prefix}returns | `{_escape(returned)}` |"


def _cell(annotation: ast.expr | None) -> str:
    return f"`{_escape(plain_type(annotation))}`"


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


def feed_docstrings(path: Path, lesson: Interfaces) -> None:
    """Put the docstrings into a solution notebook; it stays as it is where they stand there already."""
    before = path.read_text(encoding="utf-8")
    notebook = json.loads(before)
    wanted = {node.name: node for node in lesson.exercises}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and cell["metadata"].get("nbgrader", {}).get("solution"):
            source = with_docstrings("".join(cell["source"]), wanted)
            cell["source"] = source.splitlines(keepends=True)
    after = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    if after != before:
        path.write_text(after, encoding="utf-8")


def with_docstrings(source: str, wanted: dict[str, Definition]) -> str:
    """Return code whose exercises have the docstrings of the page; methods too."""
    lines = source.split("\n")
    for node, text in reversed(list(_docstrings(ast.parse(source), wanted))):
        lines[node.lineno - 1 : node.end_lineno] = _quoted(text, node.col_offset)
    return "\n".join(lines)


def _docstrings(tree: ast.Module, wanted: dict[str, Definition]) -> Iterator[tuple[ast.expr, str]]:
    """Yield the docstrings of a cell that the page has too, in order, with the page's text."""
    for node in tree.body:
        if isinstance(node, Definition) and node.name in wanted:
            yield from _pair(node, wanted[node.name])
            if isinstance(node, ast.ClassDef):
                on_page = {m.name: m for m in methods(wanted[node.name])}
                for method in methods(node):
                    if method.name in on_page:
                        yield from _pair(method, on_page[method.name])


def _pair(node: Definition, page: Definition) -> Iterator[tuple[ast.expr, str]]:
    text = ast.get_docstring(page)
    if text and ast.get_docstring(node) is not None:
        assert isinstance(node.body[0], ast.Expr)
        yield node.body[0].value, text


def _quoted(text: str, indent: int) -> list[str]:
    first, *rest = text.split("\n")
    pad = " " * indent
    if not rest:
        return [f'{pad}"""{first}"""']
    return [f'{pad}"""{first}', *(pad + line if line else "" for line in rest), f'{pad}"""']


if __name__ == "__main__":
    sys.exit(main())
