"""What the shipped models and the real ViT-Tiny do, and the helpers around them."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import RidgeClassifier

from utilities import (
    image_features,
    load_cifar10,
    load_photographs,
    load_text,
    load_vit,
    make_dataset,
    next_token_log_probabilities,
    vit_from_scratch,
    with_linear_head,
)
from utilities.checks.lessons.pretrained.beam_search import search
from utilities.commands.lab import main as lab
from utilities.datasets.classes import CIFAR10_CLASSES, CIFAR100_FINE_CLASSES
from utilities.datasets.loading import has_cifar100
from utilities.kit import KIT
from utilities.models.pretrained import (
    EMBEDDED_T5,
    EMBEDDED_VIT,
    PHOTOGRAPHS,
    TRANSFER_VIT,
    image_classifier,
)

LARGEST_WEIGHTS = 12e6  # bytes
PLACES = [folder / "shared" / "models" / "vit-tiny-patch16-224" for folder in KIT.parents]
VIT_TINY = next((place for place in PLACES if place.is_dir()), None)
real_model = pytest.mark.skipif(VIT_TINY is None, reason="no ../shared/models beside the kit")


@pytest.fixture(scope="module")
def vit_tiny():
    return load_vit(VIT_TINY)


def stated(pattern: str, folder: Path) -> float:
    """Return a number that the model card states."""
    return float(re.search(pattern, (folder / "README.md").read_text())[1].replace(",", ""))


def test_shipped_vit_has_the_accuracy_its_card_states(embedded_vit):
    _, (images, labels) = load_cifar10()
    logits = image_classifier(*embedded_vit).predict(make_dataset((images, labels), 500), verbose=0)
    accuracy = np.mean(np.argmax(logits, axis=-1) == labels[:, 0])
    on_all = stated(r"all 10,000 test images \| \*\*([\d.]+)%", EMBEDDED_VIT) / 100
    # three standard errors of a share among 2,000 images
    assert abs(accuracy - on_all) < 3 * np.sqrt(on_all * (1 - on_all) / len(labels))


@pytest.mark.parametrize(
    "folder, classes", [(EMBEDDED_VIT, CIFAR10_CLASSES), (TRANSFER_VIT, CIFAR100_FINE_CLASSES)]
)
def test_shipped_vit_is_what_its_card_says(folder, classes):
    model, processor = load_vit(folder)
    assert model.count_params() == stated(r"([\d,]+) parameters \|", folder)
    assert (folder / "model.safetensors").stat().st_size <= LARGEST_WEIGHTS
    assert tuple(model.config.id2label.values()) == classes
    assert processor.size == {"height": 32, "width": 32}
    card = (folder / "README.md").read_text()
    for fact in ("training data", "recipe", "seed", "energy", "estimated", "licence"):
        assert fact in card


def test_the_model_for_transfer_has_never_seen_what_it_is_tried_on():
    assert not set(CIFAR100_FINE_CLASSES) & set(CIFAR10_CLASSES)
    card = (TRANSFER_VIT / "README.md").read_text()
    assert "training images of CIFAR-100; no other data" in card


def test_features_of_cifar100_tell_the_classes_of_cifar10_apart():
    (images, labels), _ = load_cifar10()
    trained, untrained = (
        probe_accuracy(features, images[:1500], labels[:1500, 0])
        for features in (image_features(*load_vit(TRANSFER_VIT)), vit_from_scratch().layers[0])
    )
    assert trained > untrained + 0.1


def probe_accuracy(features, images, labels) -> float:
    """Fit a linear classifier on two thirds of the images; return its accuracy on the rest."""
    x = features.predict(make_dataset((images, labels), 500), verbose=0)  # (n, d)
    split = len(x) * 2 // 3
    return RidgeClassifier(alpha=100).fit(x[:split], labels[:split]).score(x[split:], labels[split:])


@pytest.mark.skipif(not has_cifar100(), reason="CIFAR-100 is not here")
def test_command_evaluates_on_the_images_of_the_models_own_classes(capsys):
    assert lab(["models", "--evaluate", str(TRANSFER_VIT)]) == 0
    said = re.search(r"vit-cifar100: ([\d.]+)% of all 10,000 .* of CIFAR-100", capsys.readouterr().out)
    on_all = stated(r"all 10,000 test images \| \*\*([\d.]+)%", TRANSFER_VIT)
    assert float(said[1]) == pytest.approx(on_all, abs=0.05)


def test_no_path_of_a_machine_is_in_the_shipped_models():
    for folder in (EMBEDDED_VIT, TRANSFER_VIT, EMBEDDED_T5):
        for file in folder.iterdir():
            assert b"/tmp" not in file.read_bytes() and b"/home" not in file.read_bytes(), file


@real_model
@pytest.mark.parametrize("name, label", [("cat", "cat"), ("coffee", "espresso")])
def test_real_vit_knows_the_photographs(vit_tiny, name, label):
    model, processor = vit_tiny
    outputs = model(**processor(images=load_photographs()[name], return_tensors="tf"))
    assert label in model.config.id2label[int(tf.argmax(outputs.logits[0]))]


@real_model
def test_features_of_the_real_vit_hardly_depend_on_who_resizes(vit_tiny):
    photographs = np.stack([image[:300, :400] for image in load_photographs().values()])
    assert relative_difference(vit_tiny, photographs) < 0.05


def test_features_are_those_of_the_model_itself(embedded_vit):
    (images, _), _ = load_cifar10()
    assert relative_difference(embedded_vit, images[:8]) < 1e-4  # nothing is resized


def relative_difference(vit, images) -> float:
    """How far the features of TensorFlow's resizing are from those of Pillow's."""
    model, processor = vit
    seen = image_features(model, processor).predict(images, verbose=0)
    inputs = processor(images=list(images), return_tensors="tf")
    expected = model.vit(**inputs).last_hidden_state[:, 0].numpy()
    return float(np.abs(seen - expected).mean() / np.abs(expected).mean())


def test_linear_head_adds_scores_to_features(embedded_vit):
    (images, _), _ = load_cifar10()
    features = image_features(*embedded_vit)
    d = features.output_shape[-1]
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(d, 7)), rng.normal(size=7)
    model = with_linear_head(features, weights, bias)
    expected = features.predict(images[:5], verbose=0) @ weights + bias
    np.testing.assert_allclose(model.predict(images[:5], verbose=0), expected, rtol=1e-4, atol=1e-4)


def test_vit_from_scratch_is_untrained_and_trains(embedded_vit):
    (images, labels), _ = load_cifar10()
    model = vit_from_scratch(10)
    assert model.count_params() == embedded_vit[0].count_params()
    with tf.GradientTape() as tape:
        logits = model(images[:4], training=True)
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels[:4, 0].astype(int), logits)
        )
    gradients = tape.gradient(loss, model.trainable_variables)
    assert logits.shape == (4, 10) and all(gradient is not None for gradient in gradients)


def test_stand_in_gives_first_sentences_back(embedded_t5):
    model, tokenizer = embedded_t5
    right = 0
    for paragraph in load_text():
        tokens = model.generate(
            **tokenizer("summarize: " + paragraph, return_tensors="tf"), max_new_tokens=48
        )
        right += paragraph.startswith(tokenizer.decode(tokens[0], skip_special_tokens=True))
    assert right >= 0.9 * stated(r"4 beams \| (\d+) of", EMBEDDED_T5)


def test_next_token_probabilities_drive_a_search_like_generate(embedded_t5):
    model, tokenizer = embedded_t5
    text = "summarize: " + load_text()[3]
    ask = next_token_log_probabilities(model, tokenizer, text)
    assert np.exp(ask([])).sum() == pytest.approx(1, abs=1e-4)
    tokens, _ = search(ask, 1, 48, tokenizer.eos_token_id)[0]
    expected = model.generate(**tokenizer(text, return_tensors="tf"), max_new_tokens=48)[0].numpy()
    assert list(tokens) == list(expected[1:])  # generate puts its start token in front


def test_photographs_and_text_have_a_provenance():
    stated_files = (PHOTOGRAPHS / "README.md").read_text()
    for name, photograph in load_photographs().items():
        assert photograph.dtype == np.uint8 and photograph.shape[-1] == 3
        assert f"| `{name}.jpg` |" in stated_files
        assert (PHOTOGRAPHS / f"{name}.jpg").stat().st_size <= 200_000
    assert "CC0" in (KIT / "data" / "texts" / "README.md").read_text()
    assert len(load_text()) == 11


def test_command_lists_the_models(capsys):
    assert lab(["models"]) == 0
    shown = capsys.readouterr().out
    assert "vit-cifar10 " in shown and "vit-cifar100 " in shown
    assert "google/vit-base-patch16-224" in shown


def test_command_prints_the_accuracy(capsys):
    assert lab(["models", "--evaluate"]) == 0
    assert re.search(r"vit-cifar10: \d\d\.\d\d% of .*0 .*test images", capsys.readouterr().out)


def test_command_says_what_to_do_without_a_network(capsys):
    assert lab(["models", "--fetch", "t5-small"]) == 1
    assert "out of reach" in capsys.readouterr().err
