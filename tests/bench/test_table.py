"""The table: what is kept, what is shown, and what the command line chooses."""

import subprocess
import sys

import pytest

from bench import __main__ as command
from bench import results
from bench.measuring import Cost, Row, interleave, row, timed
from tests.course import ROOT

RUN = {"date": "today", "machine": "a toaster", "versions": "Python", "load": "1.0"}


def test_candidates_take_turns():
    order = []

    def candidate(name):
        def run():
            order.append(name)
            return Cost(len(order), 2 * len(order))

        return run

    costs = interleave({"A": candidate("A"), "B": candidate("B")}, 3, "turns")
    assert order == ["A", "B", "A", "B", "A", "B"]
    assert costs["B"] == [Cost(2, 4), Cost(4, 8), Cost(6, 12)]


def test_a_cost_is_of_one_step():
    def work():
        return sum(i * i for i in range(100_000))

    whole, part = timed(work)(), timed(work, steps=1000)()
    assert 0 < part.cpu < whole.cpu and 0 < part.wall < whole.wall


def test_a_row_is_a_ratio_of_medians_with_quartiles():
    costs = {"A": [Cost(n, n) for n in (1, 2, 30)], "B": [Cost(n, 1) for n in (2, 4, 4)]}
    line = row("c", "work", "ms", costs, "A", "B")
    assert (line.ratio, line.wall_ratio, line.quartiles) == (0.5, 2.0, (0.5, 4.0))
    assert row("c", "work", "ms", costs, "A", None).ratio is None
    assert results.cells(line) == [
        "c", "work", "A: 2 CPU ms (2 ms)", "B: 4 CPU ms (1 ms)", "0.50", "0.50 to 4.00", "2.00", "3",
    ]  # fmt: skip


def test_a_row_taken_anew_replaces_its_last_one_and_leaves_the_others(tmp_path):
    store, document = tmp_path / "results.json", tmp_path / "RESULTS.md"

    def save(letter, what):
        rows = [Row(letter, what, "s", "ours", [1.0], "theirs", [2.0], "A note.")]
        results.save(letter, results.Group("title", **RUN, rows=rows), store, document)

    save("c", "old")
    save("a", "other")
    save("c", "new")
    assert [group.rows[0].what for group in results.load(store).values()] == ["other", "new"]
    text = document.read_text()
    assert "| new | ours: 1 s | theirs: 2 s | 0.50 |" in text and "old" not in text
    assert "a toaster" in text and text.count("A note.") == 2
    assert results.screen(results.load(store)).row_count == 2


def test_the_document_is_made_from_the_stored_results():
    assert results.DOCUMENT.read_text() == results.markdown(results.load())
    assert set(results.load()) == set(command.ROWS)


@pytest.mark.parametrize("arguments", [["h"], ["-n", "0"], ["--epochs", "x"]])
def test_bad_arguments_are_refused_and_nothing_is_run(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(arguments)
    assert stopped.value.code == 2 and "error" in capsys.readouterr().err


def test_one_rows_trouble_does_not_cost_the_others(monkeypatch, capsys):
    monkeypatch.setattr(
        command, "ROWS", {"a": ("no.such.module", "broken"), "b": ("sys", "broken too")}
    )
    assert command.main(["a", "b"]) == 1
    said = capsys.readouterr().out
    assert "Row a failed: ModuleNotFoundError" in said and "Row b failed: AttributeError" in said


def test_make_bench_passes_the_choice_on():
    plan = subprocess.run(
        ["make", "--dry-run", "bench", "ROWS=a c", "BENCH_OPTIONS=-n 3", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "python -m bench a c -n 3\n" in plan.stdout
