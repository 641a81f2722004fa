"""Pre-trained models for the notebooks: from a folder, from the Hugging Face hub, or the kit's own.

A model is named by a folder or by its name on the hub. Where it cannot be had, the small one that
the kit ships takes its place under a visible note, so that a notebook runs anywhere. Nothing is
written to stderr.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import tensorflow as tf
import tf_keras
import transformers
from PIL import Image
from safetensors import SafetensorError
from transformers import (
    T5Tokenizer,
    TFT5ForConditionalGeneration,
    TFViTForImageClassification,
    ViTConfig,
    ViTImageProcessor,
)

from utilities.kit import KIT
from utilities.models.hub import ModelError, download_model
from utilities.notes import show_note

EMBEDDED_VIT = KIT / "data" / "models" / "vit-cifar10"
TRANSFER_VIT = KIT / "data" / "models" / "vit-cifar100"  # the same structure; it never saw CIFAR-10
EMBEDDED_T5 = KIT / "data" / "models" / "t5-first-sentence"
PHOTOGRAPHS = KIT / "data" / "photographs"
TEXT = KIT / "data" / "texts" / "photography.txt"
VIT_FILES = ["config.json", "preprocessor_config.json", "model.safetensors"]
T5_FILES = [
    "config.json", "generation_config.json", "model.safetensors",
    "spiece.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
]  # fmt: skip
for library in (transformers, huggingface_hub):  # their warnings go to stderr, which costs points
    library.logging.set_verbosity_error()


def load_vit(
    name: str | os.PathLike = "google/vit-base-patch16-224", fallback: bool = True
) -> tuple[TFViTForImageClassification, ViTImageProcessor]:
    """Return a Vision Transformer that classifies images, and its image processor.

    Args:
        name: a folder that `save_pretrained` wrote, or the name of a model on the hub.
        fallback: take the kit's own model, under a note, where a hub model cannot be had.

    Raises:
        ModelError: the folder holds no such model, or, without `fallback`, the hub's model cannot
            be had.
    """
    folder = _folder_of(name, VIT_FILES, EMBEDDED_VIT if fallback else None, _VIT_NOTE)
    return _read(folder, TFViTForImageClassification, ViTImageProcessor)


def load_t5(
    name: str | os.PathLike = "t5-small", fallback: bool = True
) -> tuple[TFT5ForConditionalGeneration, T5Tokenizer]:
    """Return a T5 model that turns text into text, and its tokenizer; as `load_vit`."""
    folder = _folder_of(name, T5_FILES, EMBEDDED_T5 if fallback else None, _T5_NOTE)
    return _read(folder, TFT5ForConditionalGeneration, T5Tokenizer)


_VIT_NOTE = (
    "The kit's own small ViT takes its place: it has learned CIFAR-10, so it sees 32×32 pixels, "
    "knows ten classes, and takes everything for one of them."
)
_T5_NOTE = (
    "The kit's own tiny T5 takes its place. It is there so that every cell runs: it has "
    "learned to give back the first sentence of passages from one short text, and nothing else."
)


def load_photographs() -> dict[str, np.ndarray]:
    """Return the shipped photographs by name, each uint8 (H, W, 3); data/photographs/README.md."""
    return {path.stem: _pixels(path) for path in sorted(PHOTOGRAPHS.glob("*.jpg"))}


def load_text() -> list[str]:
    """Return the paragraphs of the shipped text; data/texts/README.md."""
    return [" ".join(part.split()) for part in TEXT.read_text(encoding="utf-8").split("\n\n")]


def image_features(model: TFViTForImageClassification, processor: ViTImageProcessor) -> tf_keras.Model:
    """Return a Keras model from images to what the classifier of a ViT reads.

    uint8 images (B, H, W, 3) of any size -> class token of the last layer (B, d). Resizing and
    standardising are part of it.
    """
    size = (processor.size["height"], processor.size["width"])
    images = tf_keras.Input((None, None, 3), dtype=tf.uint8)
    method = "bicubic" if processor.resample == Image.Resampling.BICUBIC else "bilinear"
    pixels = tf.image.resize(tf.cast(images, tf.float32), size, method, antialias=True)
    pixels = tf.round(tf.clip_by_value(pixels, 0, 255))  # as Pillow does for the processor
    pixels = (pixels * processor.rescale_factor - processor.image_mean) / processor.image_std
    pixel_values = tf.transpose(pixels, (0, 3, 1, 2))  # (B, 3, height, width)
    tokens = model.vit(pixel_values=pixel_values).last_hidden_state  # (B, N + 1, d)
    return tf_keras.Model(images, tokens[:, 0], name="image_features")


def image_classifier(
    model: TFViTForImageClassification, processor: ViTImageProcessor
) -> tf_keras.Model:
    """Return a Keras model from uint8 images (B, H, W, 3) to the ViT's logits (B, num_classes)."""
    features = image_features(model, processor)
    return tf_keras.Model(features.input, model.classifier(features.output), name="classifier")


def with_linear_head(features: tf_keras.Model, weights: np.ndarray, bias: np.ndarray) -> tf_keras.Model:
    """Return `features` followed by a linear layer: images -> logits (B, num_classes).

    weights (d, num_classes), bias (num_classes,).
    """
    head = tf_keras.layers.Dense(len(bias), name="head")
    model = tf_keras.Sequential([features, head], name="linear_probe")
    head.set_weights([weights, bias])
    return model


def with_new_head(features: tf_keras.Model, num_classes: int = 10) -> tf_keras.Model:
    """Return `features` followed by an untrained linear layer: images -> logits (B, num_classes)."""
    head = tf_keras.layers.Dense(num_classes, name="head")
    return tf_keras.Sequential([features, head], name="with_new_head")


def vit_from_scratch(num_classes: int = 10) -> tf_keras.Model:
    """Return an untrained ViT of the structure that the kit's two trained ones have.

    uint8 images (B, H, W, 3) of any size -> logits (B, num_classes).
    """
    config = ViTConfig(**ViTConfig.get_config_dict(TRANSFER_VIT)[0])
    processor = ViTImageProcessor.from_pretrained(TRANSFER_VIT)
    return with_new_head(image_features(TFViTForImageClassification(config), processor), num_classes)


def next_token_log_probabilities(
    model: TFT5ForConditionalGeneration, tokenizer: T5Tokenizer, text: str
) -> Callable[[Any], np.ndarray]:
    """Return the function that a beam search over summaries of `text` asks.

    Given the tokens so far, a list of t numbers that may be empty, it returns the logarithms of
    the probabilities of the next token, (vocabulary size,).
    """
    source = tokenizer(text, return_tensors="tf", truncation=True, max_length=512)
    encoded = model.get_encoder()(**source)
    start = model.config.decoder_start_token_id

    @tf.function(input_signature=[tf.TensorSpec((1, None), tf.int32)])
    def last_logits(target: tf.Tensor) -> tf.Tensor:  # (1, t + 1) -> (vocabulary size,)
        output = model(
            None,  # no text: it is encoded already
            encoder_outputs=encoded,
            attention_mask=source["attention_mask"],
            decoder_input_ids=target,
        )
        return output.logits[0, -1]

    def log_probabilities(tokens: Any) -> np.ndarray:
        target = tf.constant([[start, *(int(token) for token in tokens)]])  # (1, t + 1)
        return tf.nn.log_softmax(last_logits(target)).numpy()

    return log_probabilities


def _folder_of(name: str | os.PathLike, files: list[str], embedded: Path | None, note: str) -> Path:
    """Return the folder of a model: the one named, the hub's local copy, or the embedded one."""
    if _names_a_folder(name):
        folder = Path(name).expanduser()
        if not (folder / "config.json").exists():
            raise ModelError(
                f"{folder} holds no model (there is no config.json in it): give the folder that "
                "`save_pretrained` wrote, or a model's name on the hub."
            )
        return folder
    try:
        return download_model(str(name), files)
    except ModelError as error:
        if embedded is None:
            raise
        show_note(f"{error} {note}")
        return embedded


def _names_a_folder(name: str | os.PathLike) -> bool:
    """Return whether a name is meant as a path: hub names are NAME or OWNER/NAME."""
    text = str(name)
    return (
        isinstance(name, os.PathLike)
        or Path(text).expanduser().is_dir()
        or text.startswith((".", "~", os.sep))
        or text.count("/") > 1
        or "\\" in text
    )


def _read(folder: Path, model_class: Any, companion_class: Any) -> tuple[Any, Any]:
    """Return model and processor or tokenizer of a folder."""
    try:
        options = {"legacy": True} if companion_class is T5Tokenizer else {}
        _refuse_other_kinds(folder, model_class.config_class.model_type)
        companion = companion_class.from_pretrained(folder, local_files_only=True, **options)
        model, loaded = model_class.from_pretrained(
            folder, local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"The model in {folder} cannot be read ({reason}): download or copy it again."
        ) from error
    if loaded["missing_keys"]:  # they would be random numbers, and nobody would notice
        raise ModelError(
            f"The model in {folder} lacks weights that are needed here, such as "
            f"{loaded['missing_keys'][0]}: choose a model that was trained for this task."
        )
    return model, companion


def _refuse_other_kinds(folder: Path, expected: str) -> None:
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    if kind != expected:
        raise ModelError(f"The model in {folder} is of the kind {kind!r}; {expected!r} is needed.")


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
