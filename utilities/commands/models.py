"""`lab models`: list, evaluate or fetch the pre-trained models."""

import argparse
import sys
from pathlib import Path

import numpy as np

from utilities.datasets.classes import CIFAR10_CLASSES, CIFAR100_FINE_CLASSES
from utilities.datasets.files import DataError
from utilities.datasets.loading import load_cifar10, load_cifar100
from utilities.models.hub import REVISIONS

HUB_MODELS = tuple(REVISIONS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `lab models` understands; without an option it lists the models."""
    parser.add_argument(
        "--evaluate",
        nargs="?",
        const="",
        metavar="FOLDER",
        help="print the accuracy of the shipped ViT, or of another for CIFAR-10 or CIFAR-100",
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
    from utilities.models.hub import ModelError
    from utilities.models.pretrained import image_classifier, load_vit
    from utilities.training.testing import accuracy_of

    model, processor = load_vit(folder)
    classes = tuple(model.config.id2label[index] for index in range(model.config.num_labels))
    if classes == CIFAR10_CLASSES:
        test_data, which = _cifar10_test_data()
    elif classes == CIFAR100_FINE_CLASSES:
        _, test_data = load_cifar100(fallback=False)
        which = f"all {len(test_data[0]):,} test images of CIFAR-100"
    else:
        raise ModelError(f"The classes of {folder.name} are neither CIFAR-10's nor CIFAR-100's.")
    return f"{folder.name}: {accuracy_of(image_classifier(model, processor), test_data):.2%} of {which}"


def _cifar10_test_data() -> tuple[tuple[np.ndarray, np.ndarray], str]:
    """Return the test images and labels that are at hand, and which they are."""
    try:
        _, test_data = load_cifar10(full=True)
        return test_data, f"all {len(test_data[0]):,} test images of CIFAR-10"
    except DataError:
        _, test_data = load_cifar10()
        some = f"the {len(test_data[0]):,} shipped test images of CIFAR-10"
        return test_data, f"{some} (`lab data cifar10` downloads all)"


def listing() -> str:
    """Return one line a model: where it is, and how large."""
    from utilities.models.pretrained import EMBEDDED_T5, EMBEDDED_VIT, TRANSFER_VIT

    lines = []
    for folder in (EMBEDDED_VIT, TRANSFER_VIT, EMBEDDED_T5):
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
