"""The vision transformer's oracles against known facts, and the classifier judged by itself."""

import numpy as np
import pytest

import utilities
from tests.checks.catalogue import vision_transformer as catalogue
from utilities.checks.core import oracles
from utilities.checks.lessons.vit_family import Sizes, parameter_count

CLASSIFIER = utilities.test_vit_classifier


@pytest.mark.parametrize(
    "width, num_heads, layers, head_units, count",
    [(768, 12, 12, [3074], 371_104_544), (512, 4, 3, [2048], 17_207_306)],
)
def test_parameter_count_of_the_course_models(width, num_heads, layers, head_units, count):
    sizes = Sizes(16, width, layers, (2 * width, width), tuple(head_units), 10)
    attention = 4 * layers * num_heads * width**2
    formula = parameter_count(sizes, (32, 32, 3), attention, 2 * layers, lambda n, d: d, True)
    assert formula == count


def test_patches_of_a_numbered_image():
    image = np.arange(4 * 6).reshape(1, 4, 6, 1)
    first, second, third, *_ = oracles.patches(image, 2)[0].tolist()
    assert (first, second, third) == ([0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11])
    assert oracles.patches(image, 2).shape == (1, 6, 4)


def test_encoded_patches_put_the_class_token_first():
    patches, kernel = np.ones((2, 3, 4)), np.ones((4, 5))
    class_token, positions = np.full((1, 1, 5), 7.0), np.arange(4)[:, None] * np.ones(5)
    tokens = oracles.encoded_patches(patches, kernel, np.zeros(5), class_token, positions)
    assert tokens.shape == (2, 4, 5)
    np.testing.assert_array_equal(tokens[0, :, 0], [7, 4 + 1, 4 + 2, 4 + 3])


def unscaled_attention(q, k, v, mask=None):
    weights = catalogue.tf.nn.softmax(catalogue.tf.matmul(q, k, transpose_b=True))
    return catalogue.tf.matmul(weights, v), weights


def mlp_without_hidden_layers(x, hidden_units, dropout_rate):
    return catalogue.layers.Dense(hidden_units[-1])(x)


def block_without_attention(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return catalogue.layers.LayerNormalization()(x + catalogue.mlp(x, mlp_units, dropout_rate))


BROKEN = {
    "scaled_dot_product_attention": unscaled_attention,
    "mlp": mlp_without_hidden_layers,
    "transformer_block": block_without_attention,
    "PatchExtractor": catalogue.PatchesColumnByColumn,
    "PatchEncoder": catalogue.TokenLast,
}


@pytest.mark.parametrize("name", BROKEN)
def test_classifier_earns_its_points_with_a_broken_earlier_step(name, monkeypatch):
    monkeypatch.setattr(catalogue, name, BROKEN[name])
    report = CLASSIFIER.report(catalogue.create_vit_classifier)
    assert report.passed, str(report)
    assert f"Fix your {name}" in report.notes[0] or f"or {name}" in report.notes[0]


def test_a_step_that_was_not_run_after_a_restart_is_told_as_that(monkeypatch):
    monkeypatch.delattr(catalogue, "scaled_dot_product_attention")
    report = CLASSIFIER.report(catalogue.create_vit_classifier)
    assert report.passed, str(report)
    assert "scaled_dot_product_attention is not defined: run its cell" in report.notes[0]


def test_broken_classifier_is_not_excused_by_a_broken_earlier_step(monkeypatch):
    monkeypatch.setattr(catalogue, "PatchEncoder", catalogue.TokenLast)
    report = CLASSIFIER.report(catalogue.softmax_at_the_end)
    assert not report.passed
    assert "softmax in the model" in report.mistakes


def test_observing_twice_gives_the_same():
    """Nothing of an observation depends on how the model's weights were initialised."""
    cases = [case for case in CLASSIFIER.cases(3) if case.stage == "blocks"]  # nothing is dropped
    first, second = (
        CLASSIFIER.observe(catalogue.create_vit_classifier, cases)[0].values for _ in range(2)
    )
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
