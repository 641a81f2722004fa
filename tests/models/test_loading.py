"""Models by folder and by hub name: downloaded, cached, refused, damaged, replaced."""

import os
import shutil
import socket
import subprocess
import sys

import pytest
import requests
from safetensors.numpy import load_file, save_file

from utilities.models.hub import ModelError, hub_answers
from utilities.models.pretrained import EMBEDDED_T5, EMBEDDED_VIT, load_t5, load_vit

LOAD = """
from utilities import load_vit
model, processor = load_vit("kit/tiny-vit", fallback=False)
print("loaded", model.count_params())
"""


def load_in_a_process(**environment):
    """Load kit/tiny-vit in a fresh process; its hub and cache are settled when it starts."""
    return subprocess.run(
        [sys.executable, "-c", LOAD],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def python_stderr(done) -> list[str]:
    """What Python wrote to stderr; native start-up messages have no place in a notebook anyway."""
    native = ("E0000", "W0000", "I0000", "WARNING: All log messages before absl")
    return [line for line in done.stderr.splitlines() if line and not line.startswith(native)]


def test_hub_model_is_downloaded_with_progress_and_then_taken_from_the_cache(hub, tmp_path):
    place = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": hub}
    first = load_in_a_process(**place)
    assert "loaded 811146" in first.stdout, first.stderr
    assert "model.safetensors" in first.stdout, "progress of the download"
    assert python_stderr(first) == []
    again = load_in_a_process(**{**place, "HF_ENDPOINT": "http://127.0.0.1:9"}, HF_HUB_OFFLINE="1")
    assert again.stdout.split("\n")[-2] == "loaded 811146", again.stderr
    assert python_stderr(again) == []


def test_model_that_the_hub_does_not_have_is_told_in_one_sentence(hub, tmp_path):
    code = LOAD.replace("kit/tiny-vit", "kit/no-such-model")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": hub},
        capture_output=True,
        text=True,
    )
    assert "ModelError: kit/no-such-model could not be downloaded (" in done.stderr
    assert "Run `lab models --fetch kit/no-such-model`" in done.stderr


@pytest.fixture
def no_request(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a request was made")

    monkeypatch.setattr(requests, "head", refuse)
    monkeypatch.setattr(requests.Session, "request", refuse)


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_mode_asks_nobody(variable, monkeypatch, no_request):
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ModelError, match="local cache, and offline mode is on. Run `lab"):
        load_vit("kit/not-cached", fallback=False)


@pytest.mark.parametrize("load, place", [(load_vit, EMBEDDED_VIT), (load_t5, EMBEDDED_T5)])
def test_what_cannot_be_had_is_replaced_under_a_note(load, place, capsys):
    model, companion = load("kit/not-cached")
    assert model.name_or_path == str(place)
    shown = capsys.readouterr()
    assert "hub is out of reach" in shown.out and "The kit's own" in shown.out
    assert shown.err == ""


def test_without_a_network_the_error_says_what_to_do():
    with pytest.raises(ModelError, match="out of reach. Run `lab models --fetch t5-small` where"):
        load_t5("t5-small", fallback=False)


def test_hub_that_never_answers_is_not_waited_for(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts, and says nothing
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert not hub_answers(timeout=0.2)


def test_hub_that_answers_is_found(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub)
    assert hub_answers()


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a/b/c"])
def test_folder_without_a_model_is_told(name):
    with pytest.raises(ModelError, match="holds no model .* give the folder that"):
        load_vit(name)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "preprocessor_config.json"])
def test_damaged_model_is_told_and_never_replaced(file, tmp_path):
    folder = tmp_path / "vit"
    shutil.copytree(EMBEDDED_VIT, folder)
    (folder / file).write_bytes((folder / file).read_bytes()[:100])
    with pytest.raises(ModelError, match="cannot be read .* download or copy it again"):
        load_vit(folder)


def test_model_of_another_kind_is_told():
    with pytest.raises(ModelError, match="is of the kind 't5'; 'vit' is needed"):
        load_vit(EMBEDDED_T5)


def test_model_without_a_classifier_is_told(tmp_path):
    folder = tmp_path / "vit"
    shutil.copytree(EMBEDDED_VIT, folder)
    weights = load_file(folder / "model.safetensors")
    body = {name: array for name, array in weights.items() if "classifier" not in name}
    assert len(body) == len(weights) - 2
    save_file(body, folder / "model.safetensors", {"format": "tf"})
    with pytest.raises(ModelError, match="lacks weights .*classifier.* trained for this task"):
        load_vit(folder)


def test_name_of_a_folder_at_hand_is_a_folder(tmp_path, monkeypatch):
    shutil.copytree(EMBEDDED_VIT, tmp_path / "my" / "vit")
    monkeypatch.chdir(tmp_path)
    assert load_vit("my/vit")[0].num_labels == 10
