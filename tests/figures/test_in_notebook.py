"""The figures in a notebook that runs unattended, and in the HTML made from it."""

import os
import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from nbconvert import HTMLExporter

SET_UP = """
import numpy as np
from utilities import plot_attention, regression_slider, show_figure, summary_slider
weights = np.array([[0.25, 0.75], [0.5, 0.5]])
def gaussian(distance, sigma=1.0):
    return np.exp(-distance**2 / (2 * sigma**2))
def nadaraya_watson(q, k, v, kernel, sigma=1.0):
    similarity = kernel(np.linalg.norm(q[:, None] - k[None], axis=-1), sigma)
    attention_weights = similarity / similarity.sum(axis=-1, keepdims=True)
    return attention_weights @ v, attention_weights
def not_yet(*arguments):
    raise NotImplementedError
x, x_query = np.linspace(0, 5, 20), np.linspace(0, 5, 30)
data = x, np.sin(x), x_query, np.sin(x_query)
"""
SLIDER = "regression_slider(nadaraya_watson, gaussian, *data)"
MOVE_SLIDER = """
from ipywidgets import FloatLogSlider, widgets
slider, = (w for w in list(widgets.widget._instances.values()) if isinstance(w, FloatLogSlider))
slider.value = {}
"""
TRAIN = """
import numpy as np
from utilities import LiveCurves
import tensorflow as tf
import tf_keras
model = tf_keras.Sequential([tf_keras.layers.Dense(2)])
model.compile("sgd", tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"])
data = tf.data.Dataset.from_tensor_slices((np.ones((40, 3), "float32"), np.zeros(40))).batch(4)
options = tf.data.Options()
options.autotune.enabled = False  # fit can hang with it
data = data.with_options(options)
live = LiveCurves("ViT")
live.seconds_between_lines = live.seconds_between_figures = 0  # the most that it can send
"""


def run(*sources):
    """Execute cells without anyone watching."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    # under pytest, ipykernel would not tell of what libraries write to stderr themselves
    environment = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    client = NotebookClient(notebook, timeout=60, kernel_name="python3")
    return client.execute(env=environment)


def images(output):
    return BeautifulSoup(output.get("data", {}).get("text/html", ""), "html.parser").find_all("img")


def is_remark_of_keras(output):
    """Whether Keras, and nobody else, says that the callback is slower than a step."""
    lines = output.get("text", "").splitlines()
    remark = "WARNING:tensorflow:Callback method `on_train_batch_end` is slow"
    return bool(lines) and all(line.startswith(remark) for line in lines)


@pytest.fixture(scope="module")
def notebook():
    return run(
        SET_UP,
        "fig = plot_attention(weights, title='Toy')\nfig",
        "fig",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nshow_figure(plt.gcf(), 'a line')",
        SLIDER,
        MOVE_SLIDER.format(2),
        "regression_slider(not_yet, gaussian, *data)",
    )


@pytest.fixture(scope="module")
def training():
    return run(
        TRAIN,
        "history = model.fit(data, validation_data=data, epochs=5, verbose=0, callbacks=[live])",
        "assert live.history.keys() == history.history.keys()\n"
        "assert live.history['loss'] == history.history['loss']\n"
        "import pickle\npickle.loads(pickle.dumps(type(live)))",
    )


def test_a_figure_is_shown_once_and_again_when_asked_for(notebook):
    for cell in notebook.cells[1:3]:
        (output,) = cell.outputs
        (image,) = images(output)
        assert image["alt"].startswith("Toy: heat map of 2 queries × 2 keys.")
        assert output["data"]["text/plain"] == output["metadata"]["text/html"]["alt"] == image["alt"]


def test_a_pyplot_figure_is_shown_once(notebook):
    shown = [image["alt"] for output in notebook.cells[3].outputs for image in images(output)]
    assert shown == ["a line"]
    assert not any("image/png" in o.get("data", {}) for o in notebook.cells[3].outputs)


def test_the_slider_moves_the_picture_that_an_unattended_run_leaves(notebook):
    alone = run(SET_UP, SLIDER)
    for cell, sigma in ((alone.cells[1], "0.5"), (notebook.cells[4], "2")):
        widget, picture = cell.outputs
        assert "application/vnd.jupyter.widget-view+json" in widget["data"]
        (image,) = images(picture)
        assert f"prediction with σ = {sigma}," in image["alt"]


def test_the_length_slider_changes_the_summary_that_an_unattended_run_leaves():
    slider = "summary_slider(lambda length: 'word ' * length, value=6)"
    move = MOVE_SLIDER.replace("FloatLogSlider", "IntSlider").format(9)
    alone, moved = run(SET_UP, slider), run(SET_UP, slider, move)
    for notebook, length in ((alone, 6), (moved, 9)):
        widget, summary = notebook.cells[1].outputs
        assert "application/vnd.jupyter.widget-view+json" in widget["data"]
        assert f"At most {length} tokens" in summary["data"]["text/plain"]


def test_the_slider_before_the_exercise_is_a_sentence(notebook):
    _, sentence = notebook.cells[6].outputs
    assert "complete both exercises" in sentence["data"]["text/plain"]


def test_nbconvert_keeps_every_alt(notebook):
    page, _ = HTMLExporter(template_name="lab").from_notebook_node(notebook)
    expected = [i["alt"] for cell in notebook.cells for o in cell.outputs for i in images(o)]
    found = BeautifulSoup(page, "html.parser").select(".jp-OutputArea-output img")
    assert len(expected) == 4
    assert [image["alt"] for image in found] == expected
    assert "No description has been provided" not in page


def test_live_curves_leave_one_line_and_one_figure(training):
    # on a busy machine Keras finds that drawing after every step takes longer than such tiny steps
    line, figure = (output for output in training.cells[1].outputs if not is_remark_of_keras(output))
    assert re.fullmatch(
        r"Epoch 5/5 · loss \S+ · accuracy \S+ · validation loss \S+ · "
        r"validation accuracy \S+ · \d+:\d\d elapsed",
        line["data"]["text/plain"],
    )
    assert 'value="1.0000"' in line["data"]["text/html"]
    (image,) = images(figure)
    assert image["alt"].startswith("Learning curves. ViT after 5 epochs: loss ")


def test_nothing_goes_to_stderr(notebook, training):
    # but what TensorFlow 2.19 writes when it is imported, before its log level holds
    cells = [*notebook.cells, *training.cells[1:]]
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs
    assert [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"] == []


def test_live_curves_print_a_line_an_epoch_outside_a_notebook(capfd):
    from utilities import LiveCurves

    live = LiveCurves()
    live.set_params({"epochs": 2, "steps": 10})
    live.on_train_begin()
    for epoch in range(2):
        live.on_epoch_begin(epoch)
        for batch in range(10):
            live.on_train_batch_end(batch, {"loss": 1.0})
        live.on_epoch_end(epoch, {"loss": 1.0, "val_accuracy": 0.5})
    live.on_train_end()
    out = capfd.readouterr().out.splitlines()
    assert [line.split(" · ")[0] for line in out] == ["Epoch 1/2", "Epoch 2/2"]
    assert "validation accuracy 0.500" in out[1]
