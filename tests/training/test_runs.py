"""The trainings that are kept, and the settings between the first ViT and the small one."""

from dataclasses import replace

import numpy as np
import pytest

from bench.solution import CORE, reference
from tests.course import read
from tests.tools import load
from utilities import ablation, load_profile, load_runs, vit_arguments
from utilities.models.operations import multiply_adds
from utilities.training.ablation import UNCHANGED
from utilities.training.runs import Run, mean_and_spread, path_of

RUN = Run(
    "vision_transformer", "patches of 8×8", 43, "standard", {"epochs": 2}, 10, 20,
    {"loss": [2.0, 1.0]}, 0.5, 1.5, "a processor", "TensorFlow", "2026-01-01",
)  # fmt: skip


def test_a_run_is_kept_and_found_again_by_name_and_seed(tmp_path):
    path = RUN.save(tmp_path)
    assert path == tmp_path / "vision_transformer" / "patches-of-8x8-seed43.json"
    replace(RUN, seed=42).save(tmp_path)
    replace(RUN, profile="quick").save(tmp_path)
    assert load_runs(folder=tmp_path) == {RUN.name: [replace(RUN, seed=42), RUN]}
    assert load_runs(profile="quick", folder=tmp_path)[RUN.name][0].profile == "quick"
    assert load_runs(lab="another", folder=tmp_path) == {}


def test_every_setting_has_a_file_of_its_own():
    names = ablation(load_profile("standard").ablation)
    assert len({path_of("lab", "standard", name, 42) for name in names}) == len(names)


def test_spread_is_the_sample_standard_deviation():
    assert mean_and_spread([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
    assert mean_and_spread([1.0]) == (1.0, 0.0)


def test_all_settings_spend_about_the_same_computation():
    images = np.zeros((1, 32, 32, 3), np.float32)
    settings = ablation(load_profile("standard").ablation)
    spent = {
        name: setting.training.epochs
        * multiply_adds(reference()["create_vit_classifier"](**vit_arguments(setting.size)), images)
        for name, setting in settings.items()
    }
    assert spent == {name: pytest.approx(spent[UNCHANGED], rel=0.1) for name in settings}


def test_each_setting_changes_one_thing():
    settings = ablation(load_profile("standard").ablation)
    base = settings[UNCHANGED]
    for name, setting in settings.items():
        size = {key for key, value in vars(setting.size).items() if value != vars(base.size)[key]}
        training = {k for k, v in vars(setting.training).items() if v != vars(base.training)[k]}
        switched = {setting.augmented, setting.scheduled} - {True}
        changes = bool(size) + bool(training - {"epochs", "warmup_epochs"}) + len(switched)
        assert changes == (name != UNCHANGED), name


def test_make_runs_executes_cells_that_are_there_and_finds_what_they_made():
    runs = load("runs")
    sources = {cell.id: cell.source for cell in read(CORE).cells}
    for cell, model, history in [*runs.CELLS.values(), runs.ABLATION]:
        assert f"{model} = " in sources[cell] and f"{history} = run_experiment(" in sources[cell]
    assert "changes = " in sources["changes"] and "place = " in sources["place"]
