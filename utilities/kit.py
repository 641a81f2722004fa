"""Where the kit lies on this machine: its code, what is shipped with it, what it keeps."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
SHARE = PACKAGE / "share"  # in an installed package: data, models and released notebooks
INSTALLED = SHARE.is_dir()
KIT = SHARE if INSTALLED else PACKAGE.parent  # the folder that holds data/ and lab/
CODE = PACKAGE.parent  # the folder that `import utilities` needs on its path


def cache_folder() -> Path:
    """Return where the kit keeps what belongs to a user and to no folder of notebooks."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "attention-lab"
