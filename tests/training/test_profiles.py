"""Which profile a notebook gets."""

import pytest

from utilities import load_profile


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch):
    for name in ("LAB_PROFILE", "NBGRADER_EXECUTION"):
        monkeypatch.delenv(name, raising=False)


def test_standard_unless_chosen(monkeypatch):
    assert load_profile().name == "standard"
    monkeypatch.setenv("LAB_PROFILE", "full")
    assert load_profile().name == "full"
    assert load_profile("quick").name == "quick"


def test_a_profile_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ValueError, match="'fast': choose one of quick, standard, full"):
        load_profile("fast")


@pytest.mark.parametrize("doing", ["validate", "autograde"])
def test_nbgrader_always_gets_the_quick_one(monkeypatch, doing):
    monkeypatch.setenv("NBGRADER_EXECUTION", doing)
    monkeypatch.setenv("LAB_PROFILE", "full")
    assert load_profile("standard").name == load_profile().name == "quick"


@pytest.mark.parametrize("lab", ["attention_variants", "small_datasets", "inductive_bias"])
@pytest.mark.parametrize("name", ["quick", "standard", "full", "published"])
def test_the_profiles_of_the_extension_labs_fit_the_data_and_the_model(lab, name):
    profile = load_profile(name, lab=lab)
    size = profile.size
    assert size.mlp_units[-1] == size.embedding_proj_dim
    assert size.image_size % size.patch_size == size.embedding_proj_dim % size.num_heads == 0
    assert profile.training_samples + profile.validation_samples <= 50_000
    assert profile.test_samples <= 10_000


@pytest.mark.parametrize("name", ["quick", "standard", "full", "published"])
def test_cost_is_measured_at_enough_lengths_for_an_exponent(name):
    assert len(load_profile(name, lab="attention_variants").lengths) >= 3
