"""Models on the Hugging Face hub: found, downloaded, or the reason why they cannot be had.

A model is taken from the local cache where it is there, else downloaded (about 350 MB for ViT-Base,
250 MB for T5-Small), unless offline mode is on (HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE) or the hub
does not answer within a few seconds. Nothing is written to stderr.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import requests
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

HUB = "https://huggingface.co"
# What "main" was when the kit was made: the same files for everybody, whoever writes to the hub later.
REVISIONS = {
    "google/vit-base-patch16-224": "3f49326eb077187dfe1c2a2bb15fbd74e6ab91e3",
    "t5-small": "df1b051c49625cf57a3d0d8d3863ed4d13564fe4",
}
HUB_TIMEOUT = 5.0  # seconds until a hub that does not answer counts as out of reach


class ModelError(RuntimeError):
    """A model that cannot be had; the message says what to do."""


def download_model(name: str, files: list[str]) -> Path:
    """Return the local folder of a hub model; download what is missing, with progress on stdout.

    The labs' own models are taken at the commits of `REVISIONS`, others at their newest.

    Raises:
        ModelError: offline mode is on, the hub cannot be reached, or it has no such model.
    """
    snapshot = partial(
        snapshot_download, name, revision=REVISIONS.get(name), allow_patterns=files, max_workers=2
    )
    with contextlib.suppress(LocalEntryNotFoundError, FileNotFoundError):
        folder = Path(snapshot(local_files_only=True))
        if (folder / "model.safetensors").exists():
            return folder
    if offline() or not hub_answers():
        reason = "offline mode is on" if offline() else "the hub is out of reach"
        raise ModelError(f"{name} is not in the local cache, and {reason}. {_remedy(name)}")
    try:
        with _progress_on_stdout():
            return Path(snapshot())
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise ModelError(
            f"{name} could not be downloaded ({type(error).__name__}). {_remedy(name)}"
        ) from error


@contextlib.contextmanager
def _progress_on_stdout() -> Iterator[None]:
    """Let the hub's bars show on stdout, also where that is no terminal, and not on stderr."""
    asked = os.environ.get("TQDM_POSITION")
    os.environ["TQDM_POSITION"] = "-1"  # huggingface_hub's own sign for "always show the bars"
    try:
        with contextlib.redirect_stderr(sys.stdout):
            yield
    finally:
        if asked is None:
            del os.environ["TQDM_POSITION"]
        else:
            os.environ["TQDM_POSITION"] = asked


def offline() -> bool:
    """Return whether the user has asked that no network be used."""
    asked = (os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value.strip().lower() in ("1", "on", "yes", "true") for value in asked)


def hub_answers(timeout: float = HUB_TIMEOUT) -> bool:
    """Return whether the hub answers within `timeout` seconds.

    Asked in a thread, since looking up a host name can take long and knows no time limit.
    """
    answers: list[int] = []

    def ask() -> None:
        with contextlib.suppress(requests.RequestException):
            endpoint = os.environ.get("HF_ENDPOINT", HUB)
            answers.append(requests.head(endpoint, timeout=timeout).status_code)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout)
    return bool(answers)


def _remedy(name: str) -> str:
    return (
        f"Run `lab models --fetch {name}` where there is a network, or give the folder of a "
        "downloaded copy instead of the name."
    )
