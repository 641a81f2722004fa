"""`lab new --check NAME`: the worked example of CONTRIBUTING.md, under a name of one's own."""

import keyword
import re
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from utilities.grading.course import CourseError

EXAMPLE, LESSON = "softmax_temperature", "own"
BLOCK = re.compile(r"```python\n# (\S+(?: \S+)?)\n(.*?)```", re.DOTALL)
REGISTERED = "utilities/checks/__init__.py"
VOCABULARY = "utilities/__init__.pyi"
OFFERED = re.compile(r"^from \.checks import (test_\w+) as \1$", re.MULTILINE)
TASK = """### Exercise · {name} (2 points)

Say what is to be written, with its formula: $y = f(x)$.

Difficulty: easy · about 10 minutes

<details><summary>Hint 1</summary>…</details>"""
POINTS = 2


def write_check(kit: Path, name: str, notebook: Path | None = None) -> str:
    """Write the files of an exercise into a kit; return what was written and what is next.

    notebook: where task, exercise and graded cell are appended; without it they are only named.
    Raises CourseError, and writes nothing, for a name that cannot be used.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise CourseError(f"{name!r} is no name for an exercise: a Python function's, in lower case.")
    files, cells = example(kit, name)
    files |= _packages(kit, files) | _registered(kit, name)
    if there := [path for path in files if "__init__" not in path and (kit / path).exists()]:
        raise CourseError(f"{there[0]} is there already.")
    if notebook is not None:
        append_cells(notebook, name, cells)
    for path, text in files.items():
        (kit / path).parent.mkdir(parents=True, exist_ok=True)
        (kit / path).write_text(text)
    told = "\n".join(f"  {path}" for path in files)
    return (
        f"Written, as the worked example of CONTRIBUTING.md, which explains each part:\n{told}\n"
        f"It works as it is. Put your own cases, formula, mistakes and solution into it; then\n"
        f"`lab check --run` says whether the model solution earns all points."
    )


def example(kit: Path, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the worked example under another name: files by path, cells by their place."""
    blocks = BLOCK.findall((kit / "CONTRIBUTING.md").read_text())
    lessons = {Path(place).parent.name for place, _ in blocks if "/lessons/" in place}
    files, cells = {}, {}
    for place, source in blocks:
        for lesson in lessons:
            source = re.sub(rf"\b(lessons|kernel)\.{lesson}\b", rf"\1.{LESSON}", source)
            place = place.replace(f"/{lesson}/", f"/{LESSON}/").replace(f"/{lesson}.py", f"/{name}.py")
        source = source.replace(EXAMPLE, name)
        if place.endswith(".py"):
            files[place.replace(EXAMPLE, name)] = source
        elif place.startswith("cell "):
            cells["check" if "check-" in place else "exercise"] = source.rstrip("\n")
    return files, cells


def append_cells(path: Path, name: str, cells: dict[str, str]) -> None:
    """Append task, exercise and graded cell to a notebook, and import the check in its imports."""
    notebook = nbformat.read(path, as_version=4)
    dashed = name.replace("_", "-")
    notebook.cells += [
        new_markdown_cell(TASK.format(name=name), id=f"{dashed}-text"),
        _marked(new_code_cell(cells["exercise"], id=dashed), name, solution=True),
        _marked(new_code_cell(cells["check"], id=f"check-{dashed}"), f"check_{name}",
                grade=True, locked=True, points=POINTS),
    ]  # fmt: skip
    imports = next((c for c in notebook.cells if "from utilities import" in c.source), None)
    if imports is None:
        imports = _marked(new_code_cell("", id=f"{dashed}-import"), f"import_{name}", locked=True)
        notebook.cells.insert(len(notebook.cells) - 3, imports)
    imports.source = f"{imports.source}\nfrom utilities import test_{name}".lstrip("\n")
    nbformat.write(notebook, path)


def _packages(kit: Path, files: dict[str, str]) -> dict[str, str]:
    """Return what makes packages of the folders that have no __init__.py yet."""
    folders = {Path(path).parent for path in files if path.startswith("utilities/")}
    inits = [folder / "__init__.py" for folder in sorted(folders)]
    text = '"""Exercises of this course\'s own."""\n'
    return {path.as_posix(): text for path in inits if not (kit / path).exists()}


def _registered(kit: Path, name: str) -> dict[str, str]:
    """Return the two files in which an exercise is named, with its name in them."""
    checks, vocabulary = ((kit / path).read_text() for path in (REGISTERED, VOCABULARY))
    if re.search(rf"\btest_{name}\b", checks):
        raise CourseError(f"The kit has an exercise {name} already.")
    line = f"from .checks import test_{name} as test_{name}\n"
    after = next((found for found in OFFERED.finditer(vocabulary) if found[1] > f"test_{name}"), None)
    place = after.start() if after else [*OFFERED.finditer(vocabulary)][-1].end() + 1
    return {
        REGISTERED: f'{checks}test_{name} = Exercise("{name}", "{LESSON}")\n',
        VOCABULARY: vocabulary[:place] + line + vocabulary[place:],
    }


def _marked(cell: NotebookNode, grade_id: str, **marks: bool | int) -> NotebookNode:
    defaults = {"grade": False, "solution": False, "locked": False, "task": False}
    cell.metadata["nbgrader"] = {**defaults, **marks, "grade_id": grade_id, "schema_version": 3}
    return cell
