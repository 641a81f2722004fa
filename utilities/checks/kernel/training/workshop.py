"""A place for short trainings: a folder of its own, run eagerly, nothing on the screen."""

import contextlib
import gc
import io
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import tensorflow as tf


@dataclass
class Workshop:
    """Where an implementation trains: its folder, what it prints, and what Keras warns of."""

    folder: Path
    printed: io.StringIO = field(default_factory=io.StringIO)
    warned: list[str] = field(default_factory=list)


class _Listening(logging.Handler):
    def __init__(self, warned: list[str]):
        super().__init__(logging.WARNING)
        self.warned = warned

    def emit(self, record: logging.LogRecord) -> None:
        self.warned.append(record.getMessage())


@contextlib.contextmanager
def workshop() -> Iterator[Workshop]:
    """Work in a folder of one's own, eagerly, without a word; leave nothing behind.

    Eagerly: tracing takes most of the time of so short a run, and the layer sees its inputs.
    """
    eager = tf.config.functions_run_eagerly()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = Workshop(Path(folder))
        tf.config.run_functions_eagerly(True)
        try:
            with (
                _heard(place.warned),
                contextlib.chdir(folder),
                contextlib.redirect_stdout(place.printed),
                contextlib.redirect_stderr(io.StringIO()),
                _without_autotuning(),
            ):
                yield place
                if any(place.folder.glob("**/*.index")):
                    gc.collect()  # TensorFlow warns of what a checkpoint held beside the weights: now
        finally:
            tf.config.run_functions_eagerly(eager)


@contextlib.contextmanager
def _heard(warned: list[str]) -> Iterator[None]:
    """Keep what Keras warns of, whatever a notebook or another library has silenced."""
    logger = tf.get_logger()
    before = logger.level, logger.handlers[:], logger.disabled, logger.manager.disable
    logger.handlers[:], logger.disabled = [_Listening(warned)], False
    logging.disable(logging.NOTSET)
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        level, logger.handlers[:], logger.disabled, disable = before
        logging.disable(disable)
        logger.setLevel(level)


@contextlib.contextmanager
def _without_autotuning() -> Iterator[None]:
    """Turn tf.data's autotuning off, whose thread can miss its wake-up and hold a run up."""
    iterate = tf.data.Dataset.__iter__

    def iterate_untuned(dataset: tf.data.Dataset) -> Iterator:
        options = tf.data.Options()
        options.autotune.enabled = False
        return iterate(dataset.with_options(options))

    tf.data.Dataset.__iter__ = iterate_untuned
    try:
        yield
    finally:
        tf.data.Dataset.__iter__ = iterate
