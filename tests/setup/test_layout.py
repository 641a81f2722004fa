"""The rooms of the kit: who imports whom, without circles, and nothing private from elsewhere."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.course import ROOT

PACKAGE = ROOT / "utilities"


@dataclass(frozen=True)
class Import:
    """One name that a module takes from another one; None: the module itself."""

    importer: str
    module: str
    name: str | None


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_modules(package: Path) -> dict[str, ast.Module]:
    """Return every module of a package, by its dotted name."""
    return {
        module_name(path, package.parent): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(package.rglob("*.py"))
    }


def read_imports(modules: dict[str, ast.Module]) -> list[Import]:
    """Return all imports of modules of the package, inside functions and for type checkers too."""
    return [item for name, tree in modules.items() for item in _imports(name, tree, modules)]


def _imports(importer: str, tree: ast.Module, modules: dict[str, ast.Module]) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in modules:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (
                    Import(importer, inner, None)
                    if inner in modules
                    else Import(importer, node.module, alias.name)
                )
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in modules:
                    yield Import(importer, alias.name, None)


def room(module: str) -> str:
    """Return the room that a module stands in; those beside the rooms are rooms by themselves."""
    return module.split(".")[1] if "." in module else module


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return a circle in who imports whom, or an empty list."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def graph_of(imports: list[Import], key=str) -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for item in imports:
        importer, module = key(item.importer), key(item.module)
        if importer != module:
            graph.setdefault(importer, set()).add(module)
    return graph


def private(imports: list[Import]) -> list[Import]:
    """Return the private names that are taken from another module."""
    return [item for item in imports if item.name and item.name.startswith("_")]


def private_attributes(modules: dict[str, ast.Module]) -> list[str]:
    """Return the private attributes of imported modules, written as `module._name`."""
    found = []
    for name, tree in modules.items():
        bound = {
            alias.asname or alias.name.split(".")[-1]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module in modules
            for alias in node.names
            if f"{node.module}.{alias.name}" in modules
        }
        found += [
            f"{name}: {node.value.id}.{node.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in bound
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
        ]
    return found


MODULES = read_modules(PACKAGE)
IMPORTS = read_imports(MODULES)


def test_all_of_the_kit_is_seen():
    assert len(MODULES) > 100 and len(IMPORTS) > 200
    assert Import("utilities.figures.live", "utilities.figures.curves", "history_figure") in IMPORTS


def test_no_modules_import_each_other_in_a_circle():
    assert circle(graph_of(IMPORTS)) == []


def test_no_rooms_import_each_other_in_a_circle():
    assert circle(graph_of(IMPORTS, room)) == []


def test_nothing_private_is_imported_from_another_module():
    assert private(IMPORTS) == []
    assert private_attributes(MODULES) == []


def test_a_name_is_imported_from_where_it_is_defined():
    elsewhere = [
        item
        for item in IMPORTS
        if item.name and item.module != "utilities" and item.name not in _defined(MODULES[item.module])
    ]
    assert elsewhere == []


def _defined(tree: ast.Module) -> set[str]:
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
    return names


def test_the_tests_stand_in_the_same_rooms():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    tests = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert rooms <= tests


@pytest.mark.parametrize("source", ["from utilities.b import x", "def f():\n    import utilities.b"])
def test_a_circle_would_be_seen(source):
    modules = {
        "utilities": ast.parse(""),
        "utilities.a": ast.parse(source),
        "utilities.b": ast.parse("if TYPE_CHECKING:\n    from utilities import a"),
    }
    assert set(circle(graph_of(read_imports(modules)))) == {"utilities.a", "utilities.b"}


def test_a_private_name_from_elsewhere_would_be_seen():
    modules = {
        "utilities": ast.parse(""),
        "utilities.a": ast.parse("from utilities.b import _x\nfrom utilities import b\nb._y()"),
        "utilities.b": ast.parse(""),
    }
    assert private(read_imports(modules)) == [Import("utilities.a", "utilities.b", "_x")]
    assert private_attributes(modules) == ["utilities.a: b._y"]
