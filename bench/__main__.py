"""Measure the kit: one table of ratios, each of medians taken side by side in one run.

A letter chooses a row; without any, all are measured. Each one's result replaces its last one in
bench/results.json, from which bench/RESULTS.md is written.
"""

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Iterator

from rich.console import Console

from bench import results
from bench.measuring import Settings

ROWS = {
    "a": ("bench.grading", "grading the whole core: lab grade against stock nbgrader autograde"),
    "b": ("bench.first_report", "seconds to the first report, in a cold and a warm kernel"),
    "c": ("bench.attention", "multi-head attention against Keras' and its bare matrix products"),
    "d": ("bench.training_step", "the ViT's training step against Keras' layers; XLA, tf.data"),
    "e": ("bench.accuracy", "accuracy against processor time (about 2 × 11 CPU minutes)"),
    "f": ("bench.notebooks", "wall time of every solution notebook in the quick profile"),
    "g": ("bench.grading_profile", "where the time of one submission goes in lab grade"),
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Measure the chosen rows; 1 where one of them failed, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    settings = Settings(options.repetitions, options.epochs, options.submissions, options.train)
    console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160)
    failed = False
    for letter in dict.fromkeys(options.rows or ROWS):
        title = ROWS[letter][1]
        console.print(f"[bold]{letter}[/] {title}")
        try:
            _measure(letter, title, settings)
        except KeyboardInterrupt:
            console.print(f"Interrupted in row {letter}; the rows before it are kept.")
            return 130
        except Exception as error:  # one row's trouble must not cost the others
            console.print(f"Row {letter} failed: {type(error).__name__}: {error}", markup=False)
            failed = True
    console.print(results.screen(results.load()))
    console.print(f"Written to {results.DOCUMENT}", highlight=False)
    return 1 if failed else 0


def _measure(letter: str, title: str, settings: Settings) -> None:
    load_before = os.getloadavg()[0]
    with _native_messages_dropped():
        module = importlib.import_module(ROWS[letter][0])
    rows = module.measure(settings)
    if rows:
        results.save(letter, results.Group(title, **results.describe_run(load_before), rows=rows))


@contextlib.contextmanager
def _native_messages_dropped() -> Iterator[None]:
    """Keep what TensorFlow's native side writes to stderr on import off the screen."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="\n".join(f"{letter}: {title}" for letter, (_, title) in ROWS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rows", nargs="*", metavar="row", type=_row, help="letters, a to g")
    parser.add_argument(
        "-n",
        "--repetitions",
        type=_positive,
        metavar="N",
        help="of each candidate (without it, each row's own number)",
    )
    parser.add_argument(
        "--epochs", type=_positive, metavar="N", help="row e: epochs of the standard profile (40)"
    )
    parser.add_argument(
        "--no-training",
        dest="train",
        action="store_false",
        help="row e: take the points of the last run, also of one that was interrupted",
    )
    parser.add_argument(
        "--submissions",
        type=_positive,
        default=4,
        metavar="N",
        help="rows a and g: submissions, at most 6 (4)",
    )
    return parser


def _row(text: str) -> str:
    if text not in ROWS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(ROWS)}")
    return text


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


if __name__ == "__main__":
    raise SystemExit(main())
