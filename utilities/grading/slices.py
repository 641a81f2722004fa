"""Cut the named definitions, and what they need, out of a module's source."""

import ast
import threading
from collections.abc import Iterable

IMPORTS = (ast.Import, ast.ImportFrom)
ATTEMPTS = 5
_parsing = threading.Lock()


def parse(source: str) -> ast.Module:
    """Return what `ast.parse` does, from any thread.

    CPython 3.11 counts the depth of all threads' trees in one number and raises SystemError where
    two of them meet (fixed later); the lock keeps our own apart, another attempt those of
    libraries.
    """
    for attempt in range(ATTEMPTS):
        try:
            with _parsing:
                return ast.parse(source)
        except SystemError:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def slice_source(source: str, names: Iterable[str]) -> str:
    """Return the source of the named top-level definitions and of all that they use.

    Raises KeyError for a name that the source does not define.
    """
    tree = parse(source)
    defined = {name: node for node in tree.body for name in _defined(node)}
    wanted: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name in wanted:
            continue
        node = defined[name]
        wanted.add(name)
        used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        queue += [name for name in used if name in defined]
    kept = [n for n in tree.body if isinstance(n, IMPORTS) or wanted & set(_defined(n))]
    return ast.unparse(ast.Module(kept, []))


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []
