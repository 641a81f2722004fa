"""Give each notebook its first code cell, which sets the profile and, elsewhere, installs the kit.

`make interfaces` writes it into solutions/, the same in all but the profiles that a lab has. The
address of the wheel stays empty there: `make handout` and `make student-repo` fill it in.
"""

import json
import sys
from pathlib import Path

from utilities.training.profiles import LABS

KIT = Path(__file__).resolve().parents[1]
CELL = "set-up"
NO_WHEEL = 'WHEEL = ""'
SOURCE = """\
# @title Set-up: run this first {{ display-mode: "form" }}
# @markdown Where the kit is installed, this only sets the profile; elsewhere it installs the kit.
PROFILE = "default"  # @param {profiles}
WHEEL = ""  # @param {{type: "string"}}

import importlib.util
import os
import subprocess
import sys

if PROFILE != "default":  # by default LAB_PROFILE chooses, or else it is the standard profile
    os.environ["LAB_PROFILE"] = PROFILE
if importlib.util.find_spec("utilities") is None:
    if not WHEEL:
        raise ModuleNotFoundError(
            "The kit is not installed here, and this notebook does not know where to find it. "
            "Ask your lecturer for the address of the kit's wheel (attention_lab_kit-….whl, a link "
            "or the path of a file), write it behind WHEEL above, and run this cell again."
        )
    pip = [sys.executable, "-m", "pip", "install", "--quiet", WHEEL]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"pip could not install the kit:\\n{{done.stderr}}")
    importlib.invalidate_caches()
    print("The kit is installed.")"""


def main() -> int:
    """Write the cell into every solution notebook that has another one."""
    for path in sorted((KIT / "solutions").glob("*/*.ipynb")):
        before = path.read_text(encoding="utf-8")
        if (after := with_first_cell(before, path.parent.name)) != before:
            path.write_text(after, encoding="utf-8")
    return 0


def source(lab: str) -> str:
    """Return the cell's code for a lab: the profiles that it has, to choose from."""
    return SOURCE.format(profiles=json.dumps(["default", *LABS[lab]]))


def with_first_cell(text: str, lab: str) -> str:
    """Return a notebook's JSON with the cell behind its title."""
    notebook = json.loads(text)
    others = [cell for cell in notebook["cells"] if cell["id"] != CELL]
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": CELL,
        "metadata": {},
        "outputs": [],
        "source": source(lab).splitlines(keepends=True),
    }
    notebook["cells"] = [others[0], cell, *others[1:]]
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def with_wheel(text: str, address: str) -> str:
    """Return a notebook's JSON whose first code cell knows where the wheel is."""
    if not address:
        return text
    notebook = json.loads(text)
    cell = next(cell for cell in notebook["cells"] if cell["id"] == CELL)
    named = [line.replace(NO_WHEEL, f"WHEEL = {json.dumps(address)}") for line in cell["source"]]
    if named == cell["source"]:
        raise ValueError(f"The first code cell has no line {NO_WHEEL!r}.")
    cell["source"] = named
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
