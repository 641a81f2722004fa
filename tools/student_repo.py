"""Write a repository for students, ready for git: `make student-repo REPOSITORY=owner/name`.

It holds the released notebooks, the wheel with all that they need, and what GitHub Codespaces, Binder
and Colab read; no solutions, no tests, no grading. Files of other names that lie there are left alone.
"""

import argparse
import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tools.first_cell import with_wheel

KIT = Path(__file__).resolve().parents[1]
WORKFLOW = KIT / "tools" / "elsewhere" / "check.yml"
WHOLE_FILES = ("LICENSE", "CITATION.cff", "requirements-student.lock")
REPOSITORY = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
COLAB_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
BINDER_BADGE = "https://mybinder.org/badge_logo.svg"
CODESPACES_BADGE = "https://github.com/codespaces/badge.svg"
DEVCONTAINER = {
    "name": "Attention Lab",
    "image": "python:3.11-bookworm",
    "hostRequirements": {"cpus": 2, "memory": "8gb"},
    "postCreateCommand": "pip install --quiet -r requirements.txt",
    "customizations": {"vscode": {"extensions": ["ms-python.python", "ms-toolsai.jupyter"]}},
}
IGNORED = (".ipynb_checkpoints/", "__pycache__/", ".venv/", "checkpoints/", "runs/", "data/")
README = """\
# Attention Lab

From kernel regression to the Vision Transformer, in notebooks with checks that say what is wrong.

Open a notebook where you like to work; nothing has to be installed first.

| notebook | Colab | Binder |
|---|---|---|
{rows}

[![Open in GitHub Codespaces]({codespaces_badge})]({codespaces})

- **Colab**: run the first code cell; it installs the kit, which takes some minutes, and lets you choose
  the profile. *File, Save a copy in Drive* keeps your work.
- **Codespaces** and VS Code: the environment is made when the container starts. Choose its Python as
  the notebook's kernel.
- **Binder**: the machine is small and goes away when idle. Choose the profile `quick`, and download
  your notebook before you close the tab.
- **Your own machine**, with Python 3.11 (64-bit):

  ```sh
  python3.11 -m venv .venv
  .venv/bin/pip install -r requirements.txt      # Windows: .venv\\Scripts\\pip
  .venv/bin/jupyter lab
  ```

Write your code in place of each `raise NotImplementedError(...)` and run the cell below it, which
checks it and says what it found. In JupyterLab, *Validate* runs a whole notebook and says what does not
hold yet; on GitHub, the workflow *checks* does so on each push. Hand in the notebook itself, under its
own name. Do not delete, copy or split cells.
"""


@dataclass(frozen=True)
class Place:
    """Where a repository will be on GitHub."""

    repository: str
    branch: str

    def raw(self, path: str) -> str:
        """Return the address of a file."""
        return f"https://github.com/{self.repository}/raw/{self.branch}/{quote(path)}"

    def colab(self, path: str) -> str:
        """Return the address at which Colab opens a notebook."""
        place = f"github/{self.repository}/blob/{self.branch}"
        return f"https://colab.research.google.com/{place}/{quote(path)}"

    def binder(self, path: str) -> str:
        """Return the address at which Binder opens a notebook in JupyterLab."""
        branch, opened = quote(self.branch, safe=""), quote(f"lab/tree/{path}", safe="")
        return f"https://mybinder.org/v2/gh/{self.repository}/{branch}?urlpath={opened}"

    def codespaces(self) -> str:
        """Return the address at which GitHub makes a codespace."""
        return f"https://codespaces.new/{self.repository}/tree/{self.branch}?quickstart=1"


def main(arguments: list[str] | None = None) -> int:
    """Write the folder and print what is left to do."""
    parser = argparse.ArgumentParser(prog="make student-repo", description=__doc__)
    parser.add_argument("--repository", default="", help="its name on GitHub: owner/name")
    parser.add_argument("--branch", default="main")
    parser.add_argument("--wheel", default="", help="address of the wheel, where it lies elsewhere")
    parser.add_argument("--output", type=Path, default=KIT / "dist" / "student-repo")
    options = parser.parse_args(arguments)
    if not REPOSITORY.fullmatch(options.repository):
        parser.error("name the students' repository: make student-repo REPOSITORY=owner/name")
    place = Place(options.repository, options.branch)
    write(options.output, built_wheel(KIT), place, options.wheel)
    print(f"{options.output}: commit it and push it to {place.repository}, branch {place.branch}")
    return 0


def built_wheel(kit: Path) -> Path:
    """Return the wheel that `make package` has built. Raises FileNotFoundError where there is none."""
    project = tomllib.loads((kit / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name = project["name"].replace("-", "_")
    for path in (kit / "dist").glob(f"{name}-{project['version']}-*.whl"):
        return path
    raise FileNotFoundError(f"No wheel of version {project['version']} in {kit / 'dist'}: make package")


def write(folder: Path, wheel: Path, place: Place, address: str = "") -> None:
    """Write the repository; without an address, the wheel is the one that lies in it."""
    for old in folder.glob(f"{wheel.name.split('-')[0]}-*.whl"):
        old.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(wheel, folder / wheel.name)
    for name in WHOLE_FILES:
        shutil.copyfile(KIT / name, folder / name)
    notebooks = sorted((KIT / "lab").glob("*/*.ipynb"))
    for path in notebooks:
        target = folder / path.relative_to(KIT / "lab")
        target.parent.mkdir(exist_ok=True)
        text = path.read_text(encoding="utf-8")
        target.write_text(with_wheel(text, address or place.raw(wheel.name)), encoding="utf-8")
    written = {
        "README.md": readme(place, (p.relative_to(KIT / "lab").as_posix() for p in notebooks)),
        "requirements.txt": f"-r requirements-student.lock\n./{wheel.name}\n",
        "runtime.txt": "python-3.11\n",
        ".devcontainer/devcontainer.json": json.dumps(DEVCONTAINER, indent=2) + "\n",
        ".github/workflows/check.yml": WORKFLOW.read_text(encoding="utf-8"),
        ".gitignore": "\n".join(IGNORED) + "\n",
    }
    for name, text in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def readme(place: Place, notebooks: Iterable[str]) -> str:
    """Return the README, with a badge for each notebook and each place to open it in."""
    rows = [
        f"| [{Path(path).stem}]({path}) | {_badge('Colab', COLAB_BADGE, place.colab(path))} "
        f"| {_badge('Binder', BINDER_BADGE, place.binder(path))} |"
        for path in notebooks
    ]
    return README.format(
        rows="\n".join(rows), codespaces=place.codespaces(), codespaces_badge=CODESPACES_BADGE
    )


def _badge(name: str, picture: str, address: str) -> str:
    return f"[![Open in {name}]({picture})]({address})"


if __name__ == "__main__":
    sys.exit(main())
