"""Write the map of the rooms into README.md, from the first line of each room: `make map`."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

KIT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- map: made by `make map` -->\n", "<!-- end of the map -->\n"
PARTS = ("utilities", "tests", "bench")
WRITTEN_BY_HAND = (
    ("solutions/", "The lessons: the only place where they are written."),
    ("lab/", "The student version, generated from `solutions/`; never edited."),
    ("data/", "What is shipped, with provenance and licences."),
    ("docs/", "Installation, and what students read first."),
    (
        "tools/",
        "Scripts that are run rarely: the hand-out, this map, the training of the shipped models.",
    ),
)


def main() -> int:
    """Write README.md anew where its map is out of date."""
    readme = KIT / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(with_map(text, KIT), encoding="utf-8")
    return 0


def with_map(text: str, kit: Path) -> str:
    """Return the README with the map of a kit between its two marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{render_map(kit)}\n{END}{after}"


def render_map(kit: Path) -> str:
    """Return the table of the rooms, and below it a list of the modules that unfolds."""
    rows = [*WRITTEN_BY_HAND, *((f"{room}/", line) for room, line in rooms(kit))]
    table = "\n".join(["| room | what is in it |", "|---|---|", *(f"| `{r}` | {d} |" for r, d in rows)])
    return (
        f"{table}\n\n<details><summary>Every module</summary>\n\n{render_modules(kit)}\n\n</details>\n"
    )


def render_modules(kit: Path) -> str:
    """Return a list of the modules of each room of `utilities/`."""
    blocks = []
    for room in ("utilities", *(room for room, _ in rooms(kit) if room.startswith("utilities/"))):
        lines = [f"- `{path.stem}`: {first_line(path)}" for path in modules(kit / room)]
        if lines:
            blocks.append("\n".join([f"`{room}/`", "", *lines]))
    return "\n\n".join(blocks)


def rooms(kit: Path) -> Iterator[tuple[str, str]]:
    """Yield the packages that say what they are, with their first line; lessons are left out."""
    for part in PARTS:
        for path in sorted((kit / part).rglob("__init__.py")):
            room = path.parent.relative_to(kit)
            if len(room.parts) <= 3 and (line := first_line(path)):
                yield room.as_posix(), line


def modules(folder: Path) -> list[Path]:
    """Return the modules of a package, stubs first."""
    found = [path for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
    return [*sorted(folder.glob("*.pyi")), *found]


def first_line(path: Path) -> str:
    """Return the first line of a module's docstring, or nothing."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
