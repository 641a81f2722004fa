"""Row e: accuracy against processor time, the standard profile beside the old course's settings.

Both train on the same 7,500 images by the solution's `run_experiment`; after each epoch the test
images are classified, outside the clock. The old settings train until they have had as much
processor time as the standard profile took.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench.measuring import Row, Settings
from tests.course import ROOT
from utilities.models.sizes import FIRST_VIT, SMALL_VIT, ViTSize
from utilities.training.profiles import Profile, Training, load_profile

TITLE = "accuracy against processor time"
STANDARD, OLD = "standard profile", "old settings"
PROGRESS = ROOT / "runs" / "accuracy-cpu.jsonl"
PICTURE = ROOT / "docs" / "pictures" / "accuracy-cpu.png"
NOTE = (
    "Row e is one training of each, seed 42; its accuracies are those of the last epoch that had "
    "ended by then, on 2,000 test images, and more is better. Picture: docs/pictures/accuracy-cpu.png."
)
UNLIMITED_EPOCHS = 10_000  # the processor time ends the training first


@dataclass(frozen=True)
class Point:
    """The accuracy on the test images after an epoch, and the processor minutes until then."""

    run: str
    epoch: int
    minutes: float
    accuracy: float


@dataclass(frozen=True)
class Run:
    """One of the two trainings."""

    name: str
    size: ViTSize
    training: Training
    augmented: bool
    scheduled: bool


def measure(settings: Settings) -> list[Row]:
    """Train both, draw the curves, and return rows at equal processor time."""
    if settings.train:
        train_both(load_profile("standard"), settings.epochs, PROGRESS)
    points = read(PROGRESS)
    draw(points, PICTURE)
    ended = datetime.fromtimestamp(PROGRESS.stat().st_mtime, UTC)
    return [
        replace(row, note=f"{row.note} Trained until {ended:%Y-%m-%d %H:%M} UTC.")
        for row in rows(points)
    ]


def train_both(
    profile: Profile,
    epochs: int | None,
    progress: Path,
    sizes: tuple[ViTSize, ViTSize] = (SMALL_VIT, FIRST_VIT),
) -> list[Point]:
    """Train one after the other and return their points; Ctrl-C ends it with those there are.

    epochs: of the standard profile, or None for its own number. sizes: of the standard and the old
    model.
    """
    progress.parent.mkdir(parents=True, exist_ok=True)
    progress.write_text("")
    standard = replace(profile.training, epochs=epochs or profile.training.epochs)
    old = replace(profile.first_training, epochs=UNLIMITED_EPOCHS)
    data = _images(profile)
    try:
        _train(Run(STANDARD, sizes[0], standard, True, True), data, None, progress)
        _train(Run(OLD, sizes[1], old, False, False), data, read(progress)[-1].minutes, progress)
    except KeyboardInterrupt:
        tqdm.write(f"Interrupted; the points so far are in {progress}.")
    return read(progress)


def read(progress: Path) -> list[Point]:
    """Return the points that a run has written."""
    return [Point(**json.loads(line)) for line in progress.read_text().splitlines()]


def rows(points: Iterable[Point]) -> list[Row]:
    """Return the accuracies after equal processor time, and the times until equal accuracy."""
    curves = {name: [p for p in points if p.run == name] for name in (STANDARD, OLD)}
    if not all(curves.values()):
        return []
    end = min(curve[-1].minutes for curve in curves.values())
    note = NOTE
    if curves[OLD][-1].minutes < curves[STANDARD][-1].minutes:
        note += f" The run of the old settings was ended early, after {end:.1f} CPU minutes."
    found = []
    for minutes in (end / 4, end / 2, end):
        ours, theirs = (_accuracy_after(curves[name], minutes) for name in (STANDARD, OLD))
        if ours and theirs:
            what = f"test accuracy after {minutes:.1f} CPU minutes"
            found.append(Row("e", what, "%", STANDARD, [ours], OLD, [theirs], note))
    best = max(curves[OLD], key=lambda point: point.accuracy)
    reached = next((p for p in curves[STANDARD] if p.accuracy >= best.accuracy), None)
    if reached is not None:
        what = f"CPU minutes to the old settings' best, {best.accuracy:.1%}"
        found.append(Row("e", what, "min", STANDARD, [reached.minutes], OLD, [best.minutes], note))
    return found


def draw(points: Iterable[Point], path: Path) -> None:
    """Draw both curves into a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    for name, colour, marker in ((STANDARD, "#0072B2", "o"), (OLD, "#D55E00", "s")):
        curve = [point for point in points if point.run == name]
        minutes = [point.minutes for point in curve]
        accuracies = [100 * point.accuracy for point in curve]
        axes.plot(minutes, accuracies, marker=marker, markersize=4, color=colour, label=name)
    axes.set_xlabel("processor time of the training (minutes)")
    axes.set_ylabel("accuracy on 2,000 test images (%)")
    axes.set_title("CIFAR-10, 7,500 training images")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_figure(path, dpi=120)


def _accuracy_after(curve: list[Point], minutes: float) -> float | None:
    """Return the accuracy (%) after the last epoch that had ended by then."""
    done = [point for point in curve if point.minutes <= minutes]
    return 100 * done[-1].accuracy if done else None


def _images(profile: Profile) -> tuple[Any, Any]:
    """Return the training and the test images, standardised as in the notebook, with labels."""
    from utilities import load_cifar10

    (x_train, y_train), (x_test, y_test) = load_cifar10()
    x_train, y_train = x_train[: profile.training_samples], y_train[: profile.training_samples]
    x_test, y_test = x_test[: profile.test_samples], y_test[: profile.test_samples]
    mean, deviation = x_train.mean(axis=(0, 1, 2)), x_train.std(axis=(0, 1, 2))  # (3,)
    training, test = (((x - mean) / deviation).astype("float32") for x in (x_train, x_test))
    return (training, y_train), (test, y_test)


def _train(run: Run, data: tuple[Any, Any], limit: float | None, progress: Path) -> None:
    """Train by the solution's own code; the test images take the place of the validation ones."""
    import tf_keras

    from bench.solution import reference
    from utilities import crop_and_flip, learning_rate_schedule, vit_arguments

    tf_keras.utils.set_random_seed(42)
    training_data, test_data = data
    rate = run.training.learning_rate
    if run.scheduled:
        rate = learning_rate_schedule(run.training, len(training_data[0]))
    model = reference()["create_vit_classifier"](
        **vit_arguments(run.size), data_augmentation=crop_and_flip() if run.augmented else None
    )
    with tempfile.TemporaryDirectory() as folder, _bar(run, limit) as bar:
        reference()["run_experiment"](
            model,
            training_data,
            test_data,
            epochs=run.training.epochs,
            batch_size=run.training.batch_size,
            learning_rate=rate,
            weight_decay=run.training.weight_decay,
            callbacks=[_clock(run.name, limit, progress, bar)],
            ckpt_path=f"{folder}/best.weights.h5",
            run_testing=False,
        )


def _bar(run: Run, limit: float | None) -> tqdm:
    if limit is None:
        return tqdm(total=run.training.epochs, desc=run.name, unit="epoch")
    shown = "{l_bar}{bar}| {n:.1f}/{total:.1f} CPU minutes{postfix}"
    return tqdm(total=limit, desc=run.name, bar_format=shown)


def _clock(name: str, limit: float | None, progress: Path, bar: tqdm) -> Any:
    """Return a callback that times the batches in processor time and writes a point each epoch."""
    import tf_keras

    class Clock(tf_keras.callbacks.Callback):
        seconds = began = last = 0.0

        def on_epoch_begin(self, epoch, logs=None):
            self.began = time.process_time()

        def on_train_batch_end(self, batch, logs=None):
            self.last = time.process_time()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds += self.last - self.began
            minutes = self.seconds / 60
            point = Point(name, epoch + 1, round(minutes, 4), float(logs["val_accuracy"]))
            with progress.open("a") as file:
                print(json.dumps(asdict(point)), file=file)
            bar.update(1 if limit is None else min(minutes, limit) - bar.n)
            bar.set_postfix_str(f"accuracy {point.accuracy:.1%}")
            if limit is not None and minutes >= limit:
                self.model.stop_training = True

    return Clock()
