"""The trainings that are kept, and the settings between the first ViT and the small one."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from bench.solution import reference
from tests.course import ROOT, read
from tests.tools import load
from utilities import ablation, load_profile, load_runs, vit_arguments
from utilities.figures.runs import runs_table
from utilities.models.operations import multiply_adds
from utilities.training.ablation import UNCHANGED
from utilities.training.profiles import LABS
from utilities.training.runs import Run, mean_and_spread, pack_hits, path_of

RUNS = load("runs")  # the tool
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


def test_a_run_knows_which_images_were_right_and_an_old_one_does_not(tmp_path):
    hits = np.array([True, False, False, True, True, False, True, True, False, True, True])
    settings = {"test_samples": len(hits)}
    replace(RUN, packed_hits=pack_hits(hits), settings=settings).save(tmp_path)
    ((run,),) = load_runs(folder=tmp_path).values()
    np.testing.assert_array_equal(run.hits, hits)
    assert len(pack_hits(np.ones(5000, bool))) < 1000 and RUN.hits is None


def test_the_table_says_where_minutes_come_from_machines_of_different_speed():
    slower = replace(RUN, seed=44, processor_minutes=4.0, machine="a slower one")
    table = runs_table({"alone": [RUN], "two": [RUN, slower], "twice": [RUN, replace(RUN, seed=44)]})
    assert list(table["processor minutes"]) == ["1.5", "1.5 to 4.0", "1.5"]
    assert list(table["machine"]) == ["a processor", "a processor / a slower one", "a processor"]
    assert list(table["test accuracy"]) == ["50.0%", "50.0% ± 0.0", "50.0% ± 0.0"]


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
    sources = sources_of("vision_transformer")
    for cell, model, history in [*RUNS.CELLS.values(), RUNS.ABLATION]:
        assert f"{model} = " in sources[cell] and f"{history} = run_experiment(" in sources[cell]
    of_transfer = sources_of("pretrained_models")
    for cell, model, history in RUNS.TRANSFER.values():
        assert f"\n{model} = " in of_transfer[cell] and f"\n{history}, " in of_transfer[cell]
    assert "changes = " in sources["changes"] and "place = " in sources["place"]


def sources_of(lab):
    (path,) = ROOT.glob(f"solutions/*/{lab}.ipynb")
    return {cell.id: cell.source for cell in read(path).cells}


@pytest.mark.parametrize("lab", RUNS.LABS)
def test_the_cells_that_make_runs_executes_end_where_it_says(lab):
    sources = sources_of(lab)
    for cell, until in RUNS.LABS[lab].cells.items():
        assert until == RUNS.WHOLE or sources[cell].count(until) >= 1, cell


@pytest.mark.parametrize(
    "lab, name, own",
    [
        ("small_datasets", "CutMix", {"mix": "cutmix"}),
        ("attention_variants", "linear attention", {}),
        ("inductive_bias", "distilled ViT", {"images": 400}),
        ("inductive_bias", "ResNet, 25%, no augmentation", {"images": 100}),
        ("pretrained_models", "fine-tuning", {"learning_rate": 1.5e-3 / 5}),
    ],
)
def test_make_runs_trains_with_the_labs_own_functions(lab, name, own, monkeypatch):
    monkeypatch.setenv("LAB_PROFILE", "quick")
    names = RUNS.notebook(lab)
    assert name in RUNS.LABS[lab].runs(names)
    run = RUNS.train(lab, names, name, 42)
    assert (run.lab, run.name, run.seed, run.profile) == (lab, name, 42, "quick")
    profile = LABS.get(lab, LABS["vision_transformer"])["quick"]
    assert run.settings.items() >= (asdict(profile.training) | own).items()
    assert len(run.history["val_accuracy"]) == run.settings["epochs"]
    assert run.hits.mean() == pytest.approx(run.test_accuracy, abs=1e-5)
    assert run.top_5_accuracy >= run.test_accuracy and run.parameters > 0 and run.multiply_adds > 0


def test_every_training_of_the_lab_on_inductive_bias_is_among_those_of_make_runs():
    runs = RUNS.LABS["inductive_bias"].runs({"profile": LABS["inductive_bias"]["standard"]})
    assert len(set(runs)) == len(runs) == 16
    assert "ViT, 100%" not in runs and "ResNet, 5%, no augmentation" in runs
    assert runs.index("distilled ViT") == runs.index("ResNet") + 1


def test_the_switches_of_small_datasets_are_told_apart_in_what_is_kept(monkeypatch):
    monkeypatch.setenv("LAB_PROFILE", "quick")
    names, lab = RUNS.notebook("small_datasets"), RUNS.LABS["small_datasets"]
    settings = {name: str(lab.settings(names, name)) for name in lab.runs(names)}
    assert len(set(settings.values())) == len(settings) == 11
    assert "'pooling': 'SequencePooling'" in settings["sequence pooling"]
    assert "'scheduled': False" in settings["constant rate"]
