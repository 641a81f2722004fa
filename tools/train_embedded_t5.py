"""Train the tiny T5 that the kit ships so that the summary section runs without a network.

    python tools/train_embedded_t5.py

The smallest honest stand-in: a vocabulary of SentencePiece (Kudo and Richardson 2018, arXiv
1808.06226) and a `TFT5ForConditionalGeneration`, both trained on data/texts/photography.txt alone.
The task is to give back the first sentence of a passage of two to four successive sentences. With
so little text the model learns the sentences by heart; it can do nothing with other texts. About
three minutes on two cores. Weights, vocabulary and model card are written to `--output`.
"""

# ruff: noqa: I001 (utilities first: it settles how TensorFlow starts)
from __future__ import annotations

import argparse
import io
import re
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from utilities import EnergyMeter

import sentencepiece
import tensorflow as tf
import tf_keras
from transformers import T5Config, T5Tokenizer, TFT5ForConditionalGeneration

from utilities.models.pretrained import EMBEDDED_T5, load_text

PREFIX = "summarize: "  # T5's own word for the task
VOCABULARY = 600
BATCH_SIZE, PEAK_RATE = 32, 2e-3
MAX_SOURCE, MAX_TARGET = 160, 48
PAD, IGNORED = 0, -100


def sentences_of(paragraph: str) -> list[str]:
    return re.split(r"(?<=[.!?]) ", paragraph)


def train_vocabulary(folder: Path, paragraphs: list[str]) -> T5Tokenizer:
    """Train SentencePiece on the text; ids 0, 1, 2 are padding, end and unknown, as in T5."""
    vocabulary = io.BytesIO()  # a file would have its own path written into it
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(paragraphs + [PREFIX.strip()] * 5),
        model_writer=vocabulary, vocab_size=VOCABULARY, character_coverage=1.0,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    (folder / "spiece.model").write_bytes(vocabulary.getvalue())
    return T5Tokenizer(str(folder / "spiece.model"), extra_ids=0, legacy=True)


def t5_config(vocabulary: int) -> T5Config:
    return T5Config(
        vocab_size=vocabulary, d_model=96, d_kv=24, num_heads=4, d_ff=256, num_layers=2,
        num_decoder_layers=2, dropout_rate=0.0, decoder_start_token_id=PAD,
        feed_forward_proj="relu", tie_word_embeddings=True,
    )  # fmt: skip


def passage(rng: np.random.Generator, paragraphs: list[list[str]]) -> tuple[str, str]:
    """Return two to five successive sentences, and the first of them."""
    sentences = paragraphs[rng.integers(len(paragraphs))]
    start = int(rng.integers(len(sentences) - 1))
    stop = int(rng.integers(start + 2, len(sentences) + 1))
    return PREFIX + " ".join(sentences[start:stop]), sentences[start]


def main() -> int:
    options = parse_arguments()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf_keras.utils.set_random_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    paragraphs = load_text()
    sentences = [sentences_of(paragraph) for paragraph in paragraphs]
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = train_vocabulary(Path(scratch), paragraphs)
        model = TFT5ForConditionalGeneration(t5_config(len(tokenizer)))
        with EnergyMeter("T5 stand-in", location=options.location) as meter:
            loss = train(model, tokenizer, sentences, rng, options.steps)
        options.output.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(options.output, safe_serialization=True)
        tokenizer.save_pretrained(options.output)
    right = share_recited(model, tokenizer, paragraphs, sentences)
    write_card(options, model, meter.report, loss, right, len(paragraphs))
    print(f"loss {loss:.4f}, {right} of {len(paragraphs)} first sentences given back")
    return 0


def train(model, tokenizer, sentences, rng, steps: int) -> float:
    """Train with AdamW under a linear warm-up and a cosine; return the mean of the last losses."""
    optimizer = tf_keras.optimizers.AdamW(PEAK_RATE, weight_decay=0.01)

    @tf.function(reduce_retracing=True)
    def step(source, mask, labels):
        with tf.GradientTape() as tape:
            output = model(input_ids=source, attention_mask=mask, labels=labels, training=True)
            loss = tf.reduce_mean(output.loss)
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, model.trainable_variables), 1.0)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    losses, began = [], time.time()
    for index in range(steps):
        progress = index / steps
        rate = min(progress / 0.05, 1.0) * 0.5 * (1 + np.cos(np.pi * progress))
        optimizer.learning_rate.assign(PEAK_RATE * rate)
        sources, targets = zip(*(passage(rng, sentences) for _ in range(BATCH_SIZE)), strict=True)
        source = tokenizer(
            list(sources), padding="max_length", truncation=True, max_length=MAX_SOURCE,
            return_tensors="tf",
        )  # fmt: skip
        target = tokenizer(
            list(targets), padding="max_length", truncation=True, max_length=MAX_TARGET,
            return_tensors="tf",
        )  # fmt: skip
        labels = tf.where(target["attention_mask"] == 1, target["input_ids"], IGNORED)
        losses.append(float(step(source["input_ids"], source["attention_mask"], labels)))
        if index % 50 == 49:
            print(
                f"step {index + 1}/{steps} loss {np.mean(losses[-50:]):.4f} "
                f"{time.time() - began:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    return float(np.mean(losses[-50:]))


def share_recited(model, tokenizer, paragraphs, sentences) -> int:
    """Return how many whole paragraphs are answered with exactly their first sentence (beams of 4)."""
    right = 0
    for paragraph, (first, *_) in zip(paragraphs, sentences, strict=True):
        source = tokenizer(PREFIX + paragraph, return_tensors="tf")
        tokens = model.generate(**source, num_beams=4, max_new_tokens=MAX_TARGET)
        right += tokenizer.decode(tokens[0], skip_special_tokens=True) == first
    return right


def write_card(options, model, report, loss: float, right: int, total: int) -> None:
    card = f"""# T5 stand-in: gives back the first sentence

**What it is.** Not a summariser. A `TFT5ForConditionalGeneration` with {model.num_parameters():,}
parameters that was trained for {options.steps} steps to give back the first sentence of a passage
of two to five successive sentences of `data/texts/photography.txt`, {total} paragraphs. It has
learned these sentences by heart and can do nothing with another text. It is shipped so that the
summary section of `pretrained_models` runs, and is tested, where `t5-small` cannot be had: the code
path (vocabulary, encoder, decoder, beam search) is the real one.

| | |
|---|---|
| data | `data/texts/photography.txt` of this kit, CC0; nothing else |
| vocabulary | SentencePiece, trained on the same text |
| recipe | `tools/train_embedded_t5.py`: AdamW, peak rate {PEAK_RATE:g}, warm-up and cosine, batch {BATCH_SIZE}, {options.steps} steps |
| seed | {options.seed} |
| training loss at the end | {loss:.4f} |
| whole paragraphs answered with exactly their first sentence, 4 beams | {right} of {total} |
| energy | {1000 * report.kwh:.2f} Wh ({report.basis}), {report.seconds:.0f} s |
| licence | CC0 1.0, as the text |
"""  # noqa: E501 (a row of a table is a line)
    (options.output / "README.md").write_text(card, encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=EMBEDDED_T5)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--location", default=None, help="country code for the carbon intensity")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
