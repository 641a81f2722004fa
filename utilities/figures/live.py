"""Learning curves while a model trains. Apart, because the import of TensorFlow takes seconds."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping
from typing import Any

from tf_keras.callbacks import Callback

from utilities.figures.curves import history_figure
from utilities.figures.showing import display_bundle, in_notebook, mime_bundle, sentence
from utilities.figures.style import styled


class LiveCurves(Callback):
    """Show how training goes on: a line of progress, and curves drawn anew after an epoch.

    Both are displays that are replaced in place, so that an unattended run, too, ends with one
    line and one figure however long it trains. Nothing goes to stderr. Outside a notebook, it
    prints a line an epoch. Fit with `verbose=0` beside it.
    """

    seconds_between_lines = 0.5
    seconds_between_figures = 2.0

    def __init__(self, name: str = "this run") -> None:
        super().__init__()
        self.name = name
        self.history: dict[str, list[float]] = {}

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self.history = {}
        self._line = self._figure = None
        self._begun = time.monotonic()
        self._line_due = self._figure_due = 0.0
        self._first_epoch: int | None = None
        self._epoch = 0
        if in_notebook():
            self._line = display_bundle(sentence("Training begins …"), display_id=True)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self._first_epoch is None:
            self._first_epoch = epoch
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self._line is not None and time.monotonic() >= self._line_due:
            self._show_line(batch + 1, logs or {})

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        logs = logs or {}
        for key, value in logs.items():
            self.history.setdefault(key, []).append(float(value))
        self._show_line(self.params.get("steps"), logs)
        if self._line is not None and time.monotonic() >= self._figure_due:
            self._show_figure()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        if self._line is not None and self.history.get("loss"):
            self._show_figure()

    def _show_line(self, step: int | None, logs: Mapping[str, Any]) -> None:
        text, share = self._progress(step, logs)
        if self._line is None:
            print(text, flush=True)
            return
        bar = f'<progress max="1" value="{share:.4f}" aria-label="training"></progress>'
        data = {"text/html": f"<p>{bar} {html.escape(text)}</p>", "text/plain": text}
        self._line.update(data, raw=True)
        self._line_due = time.monotonic() + self.seconds_between_lines

    def _progress(self, step: int | None, logs: Mapping[str, Any]) -> tuple[str, float]:
        """Return the line of progress and the share of the work done."""
        epochs, steps = self.params.get("epochs", 1), self.params.get("steps")
        within = step / steps if step and steps else 0.0
        first = self._first_epoch or 0
        share = min((self._epoch - first + within) / max(epochs - first, 1), 1.0)
        elapsed = time.monotonic() - self._begun
        parts = [f"Epoch {self._epoch + 1}/{epochs}"]
        if step and steps and step < steps:
            parts.append(f"step {step}/{steps}")
        parts += [
            f"{key.replace('val_', 'validation ')} {float(value):.3f}"
            for key, value in logs.items()
            if key.removeprefix("val_") in ("loss", "accuracy")
        ]
        parts.append(f"{_clock(elapsed)} elapsed")
        if 0 < share < 1:
            parts.append(f"about {_clock(elapsed / share * (1 - share))} left")
        return " · ".join(parts), share

    @styled
    def _show_figure(self) -> None:
        fig, alt = history_figure({self.name: self.history})
        data, metadata = bundle = mime_bundle(fig, alt)
        if self._figure is None:
            self._figure = display_bundle(bundle, display_id=True)
        else:
            self._figure.update(data, raw=True, metadata=metadata)
        self._figure_due = time.monotonic() + self.seconds_between_figures


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"
