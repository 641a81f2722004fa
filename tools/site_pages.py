"""Write the source of the site: `make site`. Sphinx makes it HTML in an environment of its own.

Labs as students get them, with what a run of the solution showed where there is one; the mistakes that
checks name; what notebooks may import; and the documents of docs/ and of grading, their links turned.
"""

import argparse
import ast
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

import utilities.checks
from tools.first_cell import CELL as SET_UP
from tools.interfaces import read_interfaces, signature
from tools.site_runs import PROFILE, run_of
from utilities.checks.core.check import Check, Mistake, Only, Sign
from utilities.grading.handed_in import has_tag

KIT = Path(__file__).resolve().parents[1]
OWN = KIT / "docs" / "site"
DOCUMENTS = {
    "tour": "docs/tour.md",
    "installation": "docs/installation.md",
    "your-own-course": "docs/your-own-course.md",
    "grading": "utilities/grading/README.md",
    "proof": "utilities/grading/PROOF.md",
    "elsewhere": "docs/elsewhere.md",
    "interfaces": "docs/interfaces.md",
    "contributing": "CONTRIBUTING.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)]*)?\)")
WIDGET = "application/vnd.jupyter.widget-view+json"
EXPORT = re.compile(r"from \.([\w.]+) import (\w+) as")
ROOMS = {
    "datasets": "Data",
    "models": "Models",
    "training": "Training",
    "figures": "Figures",
    "energy": "Energy",
}
Definition = ast.FunctionDef | ast.ClassDef


def main(arguments: list[str] | None = None) -> int:
    """Write all pages, after the runs that were asked for."""
    parser = argparse.ArgumentParser(prog="make site", description=__doc__)
    parser.add_argument("--output", type=Path, default=KIT / "build" / "site" / "source")
    parser.add_argument(
        "--run", nargs="*", default=[], metavar="NOTEBOOK",
        help="notebooks, by name, whose solution is run where no run of it is kept; all: every one",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    write(options.output, options.run)
    print(f"{options.output}: {sum(1 for _ in options.output.rglob('*.*'))} files")
    return 0


def write(folder: Path, run: list[str] | None = None) -> None:
    """Write the site's source into an empty folder; what stands there is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(OWN, folder)
    shutil.copytree(KIT / "docs" / "pictures", folder / "pictures")
    (folder / "labs").mkdir()
    for path in sorted((KIT / "lab").glob("*/*.ipynb")):
        wanted = bool(run) and (path.stem in run or "all" in run)
        nbformat.write(lab(path, wanted), folder / "labs" / path.name)
    for page, source in DOCUMENTS.items():
        (folder / f"{page}.md").write_text(document(KIT / source), encoding="utf-8")
    (folder / "mistakes.md").write_text(mistakes_page(), encoding="utf-8")
    (folder / "reference.md").write_text(reference_page(), encoding="utf-8")


# --- labs ---------------------------------------------------------------------------------------


def lab(path: Path, wanted: bool = False) -> NotebookNode:
    """Return a released notebook with what its cells showed when the solution was run, if it was."""
    notebook = nbformat.read(path, as_version=4)
    solution = KIT / "solutions" / path.relative_to(KIT / "lab")
    run = run_of(solution, make=wanted)
    shown = {cell.id: cell.get("outputs", []) for cell in run.cells} if run else {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and has_tag(cell):
            cell.outputs = [o for o in shown.get(cell.id, []) if WIDGET not in o.get("data", {})]
    notebook.cells = [cell for cell in notebook.cells if cell.id != SET_UP]
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(_note(bool(run)), id="site-note"))
    return notebook


def _note(run: bool) -> str:
    figures = (
        f"The figures are those of a real run of the model solution, in the profile `{PROFILE}`, which "
        "trains next to nothing: accuracies mean little here."
        if run
        else "This copy of the site shows no figures: nothing was run when it was made."
    )
    return f":::{{note}}\nThis is the notebook as students get it, to be read. {figures}\n:::"


# --- documents ----------------------------------------------------------------------------------


def document(path: Path) -> str:
    """Return a document of the repository as a page, its links led to pages and pictures of the site.

    A link to a file that the site does not have becomes its text.
    """
    pages = {(KIT / source).resolve(): f"{page}.md" for page, source in DOCUMENTS.items()}

    def turn(found: re.Match) -> str:
        picture, text, target, part = found.groups()
        there = (path.parent / target).resolve()
        if there in pages:
            return f"[{text}]({pages[there]}{part or ''})"
        return f"{picture}[{text}](pictures/{there.name})" if there.suffix == ".png" else text

    return LINK.sub(turn, path.read_text(encoding="utf-8"))


# --- what the checks say ------------------------------------------------------------------------


def mistakes_page() -> str:
    """Return the page of everything that checks look at, and of the mistakes they know by name."""
    lines = [
        "# What the checks say",
        "",
        "For each exercise: what its check looks at, and the mistakes that it knows by name, with what",
        "a student who makes one reads. A mistake is told only where it explains every number that",
        "differs; where none does, the report shows the smallest failing case.",
    ]
    for lesson in read_interfaces(KIT):
        lines += ["", f"## {lesson.notebook.split('/')[1]}"]
        for name in exercises_of(lesson.notebook):
            lines += ["", f"### {name}", "", *_about(getattr(utilities.checks, f"test_{name}").check)]
    return "\n".join(lines) + "\n"


def exercises_of(notebook: str) -> list[str]:
    """Return the names of a notebook's exercises, in its order."""
    cells = nbformat.read(KIT / "lab" / f"{notebook}.ipynb", as_version=4).cells
    marks = [cell.metadata.get("nbgrader", {}) for cell in cells if cell.cell_type == "code"]
    return [mark["grade_id"] for mark in marks if mark.get("solution")]


def _about(check: Check) -> Iterator[str]:
    yield "Looked at:"
    yield ""
    yield from (f"- {_plain(finding.text)}" for finding in check.findings)
    yield ""
    yield from ("| mistake | what the student reads |", "|---|---|")
    named: list[Mistake | Sign | Only] = [*check.mistakes, *check.signs, *check.kinds]
    for mistake in named:
        yield f"| {_plain(mistake.name)} | {_plain(mistake.message)} |"


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    return re.sub(r"([\\`*_{}\[\]<>|$#~^])", r"\\\1", " ".join(text.split()))


# --- what notebooks may import ------------------------------------------------------------------


def reference_page() -> str:
    """Return the page of every name that `from utilities import …` offers, room by room."""
    lines = [
        "# What notebooks import",
        "",
        "Every name that `from utilities import …` offers, with its signature and docstring. The",
        "checks, `test_…`, are called alike: `test_gaussian(gaussian, seed=42, points=None,",
        "thorough=False)`; [](mistakes.md) says what each looks at, and [](interfaces.md) what",
        "students write.",
    ]
    stub = (KIT / "utilities" / "__init__.pyi").read_text(encoding="utf-8")
    names = [(module, name) for module, name in EXPORT.findall(stub) if module != "checks"]
    for room, title in ROOMS.items():
        lines += ["", f"## {title}"]
        for module, name in names:
            if module.split(".")[0] == room:
                lines += ["", f"### {name}", "", *_entry(module, name)]
    return "\n".join(lines) + "\n"


def _entry(module: str, name: str) -> Iterator[str]:
    """Yield what a module's source says of one of its names; nothing is imported."""
    source = KIT / "utilities" / f"{module.replace('.', '/')}.py"
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, Definition) and node.name == name:
            shown = signature(node) if isinstance(node, ast.FunctionDef) else _class(node)
            yield from ("```python", shown, "```", "", "```text", ast.get_docstring(node) or "", "```")
            return
    yield f"A constant, in `utilities.{module}`."


def _class(node: ast.ClassDef) -> str:
    """Return a class's name with the arguments it is made with, and its public methods."""
    functions = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
    made = signature(functions["__init__"]) if "__init__" in functions else "__init__()"
    made = made.replace("__init__(self, ", "(").replace("__init__(self)", "()").replace("__init__", "")
    methods = [signature(item) for name, item in functions.items() if not name.startswith("_")]
    return "\n".join([f"class {node.name}{made}", *(f"    {method}" for method in methods)])


if __name__ == "__main__":
    sys.exit(main())
