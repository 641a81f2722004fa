"""Every model of every profile of the extension labs is built and makes two real steps."""

import dataclasses
import gc
import json

import numpy as np
import pytest
import tf_keras

from tests.course import SOLUTIONS, read, run_exercises
from utilities import load_profile, resize_and_augment
from utilities.training.profiles import LABS, Training

PROFILES = (
    "quick",
    *(pytest.param(name, marks=pytest.mark.in_turns(9)) for name in ("standard", "full", "published")),
)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(4, dtype=np.uint8)[:, None] * 33  # of 100 classes
DATA = IMAGES, LABELS
STEPS = Training(1, 2, 1e-4, 1e-4, scheduled=False)  # four images in batches of two


class Lab:
    """A solution notebook in one of its profiles: what its exercises and its given cells define."""

    def __init__(self, stem: str, profile: str):
        cells = read(next(path for path in SOLUTIONS if path.stem == stem))
        self.sources = {cell.id: cell.source for cell in cells.cells}
        self.names = run_exercises(cells)
        self.names |= {"profile": load_profile(profile, lab=stem), "num_classes": 100}

    def run(self, cell: str, until: str = "\0") -> None:
        """Run a cell up to a text in it, such as the line that begins to train."""
        exec(self.sources[cell].split(until)[0], self.names)


def attention_variants(profile):
    lab = Lab("attention_variants", profile)
    lab.run("variants", until="\npublished = ")
    n = lab.names["profile"]
    makers = lab.names["variants_of"](
        n.size.num_heads, n.key_dim, n.size.embedding_proj_dim, n.attention_dropout_rate
    )
    for name in n.variants or makers:
        augmentation = resize_and_augment(n.size.image_size, IMAGES)
        yield (
            name,
            lab.names["create_attention_vit"]((32, 32, 3), 100, n.size, makers[name], augmentation),
        )


def small_datasets(profile):
    lab = Lab("small_datasets", profile)
    lab.names["training_data"] = DATA
    lab.run("token-fields", until="\n\n\ndef token_field")
    lab.run("variants")
    lab.run("switches", until="\nparameters = ")
    for name, settings in (lab.names["VARIANTS"] | lab.names["ARCHITECTURES"]).items():
        augmentation = resize_and_augment(lab.names["profile"].size.image_size, IMAGES)
        yield name, lab.names["create_vit"](lab.names["profile"].size, augmentation, **settings)


def bias_lab(profile):
    lab = Lab("inductive_bias", profile)
    lab.names |= {"x_train": IMAGES, "y_train": LABELS, "validation_data": DATA}
    lab.run("augmentation")
    lab.run("maps-before", until="\n\n\nsize, ")
    for cell in ("patch-tokens", "build-vit", "counts"):
        lab.run(cell, until="\n\n\nfor " if cell == "build-vit" else "\n\n\npublished = ")
    return lab


def inductive_bias(profile):
    lab = bias_lab(profile)
    for positions in ("none", "1-D", "2-D", "relative"):
        yield positions, lab.names["build_vit"](positions, lab.names["augmentation"])
    for name in ("augmentation", "preprocessing"):
        yield f"ResNet, {name}", lab.names["build_resnet"](lab.names[name])


BUILDERS = {
    "attention_variants": attention_variants,
    "small_datasets": small_datasets,
    "inductive_bias": inductive_bias,
}
PUBLISHED_COUNTS = {
    "attention_variants": {"Keras' layer": 21_759_019, "the report's layer": 21_327_915},
    "small_datasets": {"plain": 21_759_019, "both": 21_787_755},
    "inductive_bias": {"1-D": 45_923_307, "ResNet, augmentation": 44_303_460},
}
IN_FULL = {"ResNet, augmentation": 44_303_460 + 7}  # mean and variance of the channels, and a count


def two_steps(model):
    """Make two steps, batches of two images, and return the losses."""
    model.compile(
        tf_keras.optimizers.SGD(STEPS.learning_rate),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,  # tracing a model of ten blocks takes longer than its two steps
    )
    return [model.train_on_batch(IMAGES[i : i + 2], LABELS[i : i + 2]) for i in (0, 2)]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("lab", BUILDERS)
def test_each_model_makes_two_steps(lab, profile):
    """One model after the other, plain gradient descent: a moment more would double their memory."""
    counts = {}
    for name, model in BUILDERS[lab](profile):
        assert np.all(np.isfinite(two_steps(model))), name
        counts[name] = model.count_params()
        del model
        tf_keras.backend.clear_session()
        gc.collect()
    if profile in ("full", "published"):
        assert {name: counts.get(name) for name in PUBLISHED_COUNTS[lab]} == (
            PUBLISHED_COUNTS[lab] | (IN_FULL if (lab, profile) == ("inductive_bias", "full") else {})
        )


@pytest.mark.parametrize("profile", PROFILES)
def test_each_attempt_of_inductive_bias_makes_two_steps(profile):
    """Of the large models only the attempts that build another one: the rest change the training."""
    lab = bias_lab(profile)
    lab.names["profile"] = dataclasses.replace(lab.names["profile"], attempt_steps=2)
    lab.run("attempts", until="\nattempts = {}")
    attempts = lab.names["ATTEMPTS"]
    if profile in ("full", "published"):
        names = ("pixels of 0 to 255", "softmax and from_logits", "the report's settings")
        attempts = {name: attempts[name] for name in names}
    for name, settings in attempts.items():
        summary = lab.names["summary_of"](*lab.names["attempt"](**settings))
        assert len(summary["losses"]) == 2 and np.all(np.isfinite(summary["losses"])), name
        lab.names["release"]()


@pytest.mark.parametrize("profile", PROFILES)
def test_a_vit_with_a_teacher_makes_two_steps(profile):
    lab = bias_lab(profile)
    augmentation = lab.names["augmentation"]
    teacher = lab.names["build_resnet"](augmentation)
    taught = teacher.get_weights()
    lab.names["build_resnet"] = lambda augmentation: teacher
    lab.run("distillation", until="\n\n\ndistilled_history = ")
    model = lab.names["taught_vit"](taught, seed=1)
    before = model.student.get_weights()
    assert np.all(np.isfinite(two_steps(model)))
    assert not all(map(np.array_equal, before, model.student.get_weights()))
    assert all(map(np.array_equal, taught, teacher.get_weights()))
    tf_keras.backend.clear_session()
    gc.collect()


@pytest.mark.parametrize("lab", BUILDERS)
def test_published_runs_are_trained_as_their_sources_say(lab):
    """Settings and counts of images, from what the sources print."""
    stated = {
        "attention_variants": (45_000, 5000, 10, 256, False, True, 0.1),
        "small_datasets": (45_000, 5000, 50, 256, False, False, 0.1),
        "inductive_bias": (40_000, 10_000, 30, 32, False, False, 0.1),
    }
    profile = LABS[lab]["published"]
    run = profile.training
    attention_dropout = getattr(profile, "attention_dropout_rate", profile.size.dropout_rate)
    assert stated[lab] == (
        profile.training_samples, profile.validation_samples, run.epochs, run.batch_size, run.scheduled,
        run.restore_best, attention_dropout,
    )  # fmt: skip
    assert (run.learning_rate, run.weight_decay) == (1e-3, 1e-4)
    assert (profile.size.dropout_rate, profile.size.head_dropout_rate) == (0.1, 0.5)
    assert json.dumps(profile.size.head_units) == "[2048, 1024]"
