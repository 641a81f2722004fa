"""`lab models`: list, evaluate or fetch the pre-trained models."""

import argparse
import sys
from pathlib import Path

from utilities.datasets.files import DataError
from utilities.datasets.loading import load_cifar10
from utilities.models.hub import REVISIONS

HUB_MODELS = tuple(REVISIONS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `lab models` understands; without an option it lists the models."""
    parser.add_argument(
        "--evaluate",
        nargs="?",
        const="",
        metavar="FOLDER",
        help="print the accuracy on CIFAR-10 of the shipped ViT, or of another with its classes",
    )
    parser.add_argument(
        "--fetch", metavar="NAME", help=f"download a model, such as {' or '.join(HUB_MODELS)}"
    )


def run(options: argparse.Namespace) -> int:
    """Do what was asked; 1 where a model or the data cannot be had."""
    # TensorFlow takes seconds to import, and --help has no need of it
    from utilities.models.hub import ModelError
    from utilities.models.pretrained import EMBEDDED_VIT

    try:
        if options.fetch:
            print(f"{options.fetch} is in {fetch(options.fetch)}")
        elif options.evaluate is not None:
            print(evaluate(Path(options.evaluate or EMBEDDED_VIT)))
        else:
            print(listing())
    except (ModelError, DataError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def fetch(name: str) -> Path:
    """Download a hub model into the local cache and return its folder."""
    from utilities.models import hub, pretrained

    is_t5 = "t5" in name.lower()
    return hub.download_model(name, pretrained.T5_FILES if is_t5 else pretrained.VIT_FILES)


def evaluate(folder: Path) -> str:
    """Return the accuracy of a ViT in a sentence: on all test images where they are at hand."""
    from utilities.models.pretrained import image_classifier, load_vit
    from utilities.training.testing import accuracy_of

    classifier = image_classifier(*load_vit(folder))
    try:
        _, (images, labels) = load_cifar10(full=True)
        which = f"all {len(images):,} test images"
    except DataError:
        _, (images, labels) = load_cifar10()
        which = f"the {len(images):,} shipped test images (`lab data cifar10` downloads all)"
    accuracy = accuracy_of(classifier, (images, labels))
    return f"{folder.name}: {accuracy:.2%} of {which} of CIFAR-10"


def listing() -> str:
    """Return one line a model: where it is, and how large."""
    from utilities.models.pretrained import EMBEDDED_T5, EMBEDDED_VIT

    lines = []
    for folder in (EMBEDDED_VIT, EMBEDDED_T5):
        megabytes = (folder / "model.safetensors").stat().st_size / 1e6
        lines.append(f"{folder.name:32} shipped, {megabytes:.1f} MB")
    for name in HUB_MODELS:
        how = "in the local cache" if is_cached(name) else f"lab models --fetch {name}"
        lines.append(f"{name:32} {how}")
    return "\n".join(lines)


def is_cached(name: str, cache: Path | None = None) -> bool:
    """Return whether a hub model is in the local cache, or in another one."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(
        name, "model.safetensors", cache_dir=cache, revision=REVISIONS.get(name)
    )
    return isinstance(found, str)
