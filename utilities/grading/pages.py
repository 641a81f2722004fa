"""What pages for the instructor have in common: one style, two themes, files for their owner alone."""

import argparse
import os
from pathlib import Path

FOLDER = "reports"  # where pages and tables are written, if nothing else is said
STYLE = """
:root { color-scheme: light dark; --text: #1a1a1a; --page: #fff; --line: #767676; --soft: #f1f1f1;
  --solved: #009e73; --partly: #e69f00; --without: #56b4e9; --quiet: #595959; --marked: #ffe58f; }
@media (prefers-color-scheme: dark) { :root { --text: #eee; --page: #16181c; --line: #8f8f8f;
  --soft: #24272d; --quiet: #b5b5b5; --marked: #5c4a00; } }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 68rem; margin: 0 auto; padding: 1rem; }
h1, h2, h3 { line-height: 1.25; } h2 { margin-top: 2.5rem; } h3 { margin-bottom: .3rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; color: var(--quiet);
  padding-bottom: .4rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.wide { overflow-x: auto; } .quiet { color: var(--quiet); }
pre { background: var(--soft); padding: .7rem; overflow-x: auto; font-size: .85rem; }
summary { cursor: pointer; }
"""


def add_page_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that writes pages on an assignment."""
    parser.add_argument("assignment", help="the assignment's name, such as vision_transformer")
    parser.add_argument("--course", type=Path, default=Path(), help="the course's folder (default: .)")
    parser.add_argument("--to", type=Path, help=f"the folder to write into (default: {FOLDER}/)")
    parser.add_argument("--db-url", metavar="URL", help="another gradebook than the course's own")


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read."""
    with open(
        os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
