"""A number in the core's text has a source: a kept run, a computation, or a paper that is cited.

Papers are cited and listed alike in every notebook.
"""

import re

import pytest

from tests.course import ROOT, SOLUTIONS, read
from utilities import load_runs
from utilities.training.runs import mean_and_spread

NOTEBOOK = read(ROOT / "solutions" / "vision_transformer" / "vision_transformer.ipynb")
TEXTS = {cell.id: cell.source for cell in NOTEBOOK.cells if cell.cell_type == "markdown"}
QUOTED = re.compile(r"<!-- run: (.+?) -->([\d.]+)(?: ± ([\d.]+))? %")
PERCENTAGE = re.compile(r"\d[\d.,]*\s?%")
MINUTES = re.compile(r"\d[\d.,]* (?:processor )?minutes")
SOURCED = {
    "4 %": "question 3: 6.5 of 160 million",
    "11 %": "question 3: 59.6 of 524 million",
    "91.5 %": "question 10: 339,738,624 of 371,104,544",
    "90 %": "question 10, marking scheme",
    "1 %": "question 10, marking scheme",
    "10 %": "guessing among ten classes",
    "99.50 %": "Dosovitskiy et al. 2021, Table 2",
}
ARXIV = re.compile(r"arXiv (\d{4}\.\d{5})")
AUTHOR = re.compile(r"^\* (?:[A-Z][.\w-]*\.-?(?:[A-Z]\.)? )+([^\W\d_][\w-]+)", re.MULTILINE)  # surname


def quotes(text: str) -> list[tuple[str, str, str]]:
    """Return what a text quotes of kept runs: the run, its mean, its spread, or an empty one."""
    return QUOTED.findall(text)


def unsourced(text: str) -> list[str]:
    """Return the percentages of a text that neither a run nor the list above accounts for."""
    return [found for found in PERCENTAGE.findall(QUOTED.sub("", text)) if found not in SOURCED]


@pytest.mark.parametrize("cell", TEXTS)
def test_every_percentage_has_a_source(cell):
    assert unsourced(TEXTS[cell]) == []


def test_quoted_accuracies_are_those_of_the_kept_runs():
    runs = load_runs()
    for text in TEXTS.values():
        for name, mean, spread in quotes(text):
            assert name in runs, f"no run of {name!r} is kept"
            got = mean_and_spread([100 * run.test_accuracy for run in runs[name]])
            assert [f"{x:.{len(mean.partition('.')[2])}f}" for x in got[: 1 + bool(spread)]] == [
                mean,
                *([spread] if spread else []),
            ]


def test_minutes_stand_in_the_tasks_alone_where_they_are_the_readers():
    told = {cell: MINUTES.findall(text) for cell, text in TEXTS.items() if MINUTES.search(text)}
    tasks = {cell for cell, text in TEXTS.items() if "Difficulty: " in text}
    assert set(told) <= tasks and all(len(found) == 1 for found in told.values())


def test_a_number_without_a_run_would_be_seen():
    assert unsourced("It got 37 % after 12 epochs.") == ["37 %"]
    assert unsourced("It got <!-- run: CNN -->63.1 ± 0.4 %.") == []
    assert quotes("It got <!-- run: CNN -->63.1 ± 0.4 %.") == [("CNN", "63.1", "0.4")]


def cited_and_listed(path) -> tuple[str, str]:
    """Return the texts of a notebook without its references, and the references."""
    texts = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    before, _, references = texts.pop().partition("## References")
    return "\n".join([*texts, before]), references


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_every_paper_that_is_cited_stands_in_the_references_and_no_other(path):
    text, references = cited_and_listed(path)
    assert set(ARXIV.findall(text)) - set(ARXIV.findall(references)) == set()
    first_authors = AUTHOR.findall(references)
    assert len(first_authors) > 4
    assert [name for name in first_authors if name not in text] == []
