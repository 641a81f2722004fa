"""Train the Vision Transformers that the kit ships: for CIFAR-10, and for transfer from CIFAR-100.

    LAB_DATA=/path/to/cifar10 python tools/train_embedded_vit.py --checkpoints runs/vit-cifar10
    LAB_DATA=/path/to/cifar100 python tools/train_embedded_vit.py --checkpoints runs/vit-cifar100 \
        --data cifar100 --teacher-epochs 0 --epochs 8 --activations float32

A compact `TFViTForImageClassification` learns a full data set in two stages: a small convolutional
teacher first, then the Vision Transformer from the labels and from the teacher's probabilities for
the very crops that the student sees (Hinton et al. 2015, arXiv 1503.02531; Beyer et al. 2022, arXiv
2106.05237). Without epochs of the teacher there is none, and the labels are all. The student starts
from mimetic weights (Trockman and Kolter 2023, arXiv 2305.09828), in whose attention every patch
looks at its own surroundings.

After each epoch everything is written to `--checkpoints`; the same command goes on from there, and
a larger `--epochs` stretches the rest of the schedule. At the end the model is evaluated on all
10,000 test images, and weights, processor and model card are written to `--output`.
"""

# ruff: noqa: I001 (utilities first: it settles how TensorFlow starts)
from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utilities import EnergyMeter, load_cifar10, load_cifar100

import tensorflow as tf
import tf_keras
from tf_keras import layers
from transformers import TFViTForImageClassification, ViTConfig, ViTImageProcessor

from utilities.datasets.classes import CIFAR10_CLASSES, CIFAR100_FINE_CLASSES
from utilities.datasets.loading import KerasForm
from utilities.models.pretrained import EMBEDDED_VIT, TRANSFER_VIT, image_classifier, load_vit
from utilities.training.testing import accuracy_of

IMAGE_SIZE = 32
CROP_PIXELS = 4
MEAN, STD = (
    (0.4914, 0.4822, 0.4465),
    (0.2470, 0.2435, 0.2616),
)  # of the pixels of CIFAR-10

TEACHER_WIDTH, TEACHER_BATCH, TEACHER_RATE, TEACHER_WARMUP_EPOCHS = 24, 128, 0.1, 1.5
BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY, WARMUP_EPOCHS = 64, 1.2e-3, 0.03, 1.0
TEMPERATURE, TEACHER_SHARE = 2.0, 0.7
WATCHED = 2000  # test images whose accuracy is shown after each epoch
MIXED = "mixed_bfloat16"  # activations in bfloat16, weights in float32


@dataclass(frozen=True)
class Source:
    """What a model is trained on, and what its card says of what it has seen."""

    title: str
    load: Callable[[], KerasForm]
    classes: tuple[str, ...]
    output: Path
    purpose: str
    warning: str


SOURCES = {
    "cifar10": Source(
        "CIFAR-10",
        lambda: load_cifar10(full=True),
        CIFAR10_CLASSES,
        EMBEDDED_VIT,
        purpose="runs where the hub is out of reach. `load_vit` falls back to it; `lab models "
        "--evaluate` prints its\naccuracy.",
        warning="The model has seen the labels of all training images: a linear probe on its "
        "features says\nhow the code works, not how well features transfer. It knows ten classes and "
        "takes a flower for one\nof them.",
    ),
    "cifar100": Source(
        "CIFAR-100",
        lambda: load_cifar100(fallback=False),
        CIFAR100_FINE_CLASSES,
        TRANSFER_VIT,
        purpose="can show transfer anywhere: what it has learned from the images of CIFAR-100 is "
        "tried on\nthose of CIFAR-10.",
        warning="The model has seen no image and no label of CIFAR-10, only\nthe mean and deviation of "
        "its pixels. Its own classes are others, but close ones: wolf and fox, not\ndog; bus and "
        "pickup truck, not truck.",
    ),
}


def vit_config(classes: tuple[str, ...]) -> ViTConfig:
    """Return the student: 65 tokens of 128 numbers, 6 layers of 4 heads."""
    return ViTConfig(
        image_size=IMAGE_SIZE,
        patch_size=4,
        hidden_size=128,
        num_hidden_layers=6,
        num_attention_heads=4,
        intermediate_size=256,
        hidden_act="gelu_new",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.05,
        id2label=dict(enumerate(classes)),
        label2id={name: index for index, name in enumerate(classes)},
    )


def build_teacher(num_classes: int, width: int = TEACHER_WIDTH) -> tf_keras.Model:
    """Return a residual network of 8 convolutions; (B, 32, 32, 3) -> logits (B, num_classes)."""

    def convolution(x, filters, pool=False):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.MaxPool2D()(x) if pool else x
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

    def residual(x, filters):
        return layers.Add()([x, convolution(convolution(x, filters), filters)])

    images = layers.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
    x = convolution(images, width)
    x = residual(convolution(x, 2 * width, pool=True), 2 * width)
    x = convolution(x, 4 * width, pool=True)
    x = residual(convolution(x, 8 * width, pool=True), 8 * width)
    x = layers.GlobalMaxPool2D()(x)
    logits = layers.Dense(num_classes, use_bias=False, dtype="float32")(x)
    return tf_keras.Model(images, logits * 0.125, name="teacher")


def build_student(classes: tuple[str, ...], seed: int) -> TFViTForImageClassification:
    """Return the Vision Transformer at its mimetic start."""
    student = TFViTForImageClassification(vit_config(classes))
    student(tf.zeros((1, 3, IMAGE_SIZE, IMAGE_SIZE)))
    start_mimetic(student, np.random.default_rng(seed))
    return student


def start_mimetic(student: TFViTForImageClassification, rng: np.random.Generator) -> None:
    """Let W_q W_kᵀ resemble the identity and W_v W_o its negative; sinusoidal positions."""
    config = student.config
    width, num_heads = config.hidden_size, config.num_attention_heads
    head_width = width // num_heads
    for layer in student.vit.encoder.layer:
        heads = [factorise(rng, width, 0.7, 0.7, rank=head_width) for _ in range(num_heads)]
        queries, keys = zip(*heads, strict=True)
        values, outputs = factorise(rng, width, 0.4, -0.4, rank=width)
        attention = layer.attention
        attention.self_attention.query.kernel.assign(np.concatenate(queries, axis=1))
        attention.self_attention.key.kernel.assign(np.concatenate(keys, axis=1))
        attention.self_attention.value.kernel.assign(values)
        attention.dense_output.dense.kernel.assign(outputs.T)
    embeddings = student.vit.embeddings
    kernel = embeddings.patch_embeddings.projection.kernel
    kernel.assign(rng.normal(0, np.prod(kernel.shape[:3]) ** -0.5, kernel.shape))
    side = config.image_size // config.patch_size
    positions = np.concatenate([np.zeros((1, width)), sinusoidal_positions(side, width)])
    embeddings.position_embeddings.assign(positions[np.newaxis])


def factorise(
    rng: np.random.Generator, width: int, noise: float, identity: float, rank: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return two (width, rank) matrices L, R with L Rᵀ close to noise·Z + identity·I."""
    target = noise * rng.normal(0, width**-0.5, (width, width)) + identity * np.eye(width)
    left, strengths, right = np.linalg.svd(target)
    root = np.sqrt(strengths[:rank])
    return left[:, :rank] * root, right[:rank].T * root


def sinusoidal_positions(side: int, width: int) -> np.ndarray:
    """Return sines and cosines of row and column, (side², width); arXiv 2104.02057 uses the same."""
    frequencies = 100.0 ** -(np.arange(width // 4) / (width // 4))
    angles = np.arange(side)[:, np.newaxis] * frequencies
    waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)  # (side, width/2)
    rows, columns = np.repeat(waves, side, axis=0), np.tile(waves, (side, 1))
    return np.concatenate([rows, columns], axis=1)


def standardise(images: np.ndarray) -> np.ndarray:
    return ((images / np.float32(255) - np.float32(MEAN)) / np.float32(STD)).astype(np.float32)


def augmented_batches(
    images: np.ndarray, labels: np.ndarray, batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield one epoch in a new order: each image shifted by up to 4 pixels, half of them mirrored."""
    edge = (CROP_PIXELS, CROP_PIXELS)
    padded = np.pad(images, ((0, 0), edge, edge, (0, 0)), mode="reflect")
    order = rng.permutation(len(images))
    for start in range(0, len(order) - batch_size + 1, batch_size):
        chosen = order[start : start + batch_size]
        top, left = rng.integers(0, 2 * CROP_PIXELS + 1, (2, batch_size, 1))
        rows, columns = top + np.arange(IMAGE_SIZE), left + np.arange(IMAGE_SIZE)  # (B, 32)
        mirrored = rng.random(batch_size) < 0.5
        columns[mirrored] = columns[mirrored, ::-1]
        crops = padded[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
        yield standardise(crops), labels[chosen]


def cosine_rate(peak: float, progress: float, warmup: float) -> float:
    """Return the learning rate after the share `progress` of the training, `warmup` of it rising."""
    if progress < warmup:
        return peak * progress / warmup
    return peak * 0.5 * (1 + np.cos(np.pi * (progress - warmup) / (1 - warmup)))


def make_teacher_step(teacher, optimizer) -> Callable:
    cross_entropy = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = teacher(images, training=True)
            loss = cross_entropy(labels, logits)
        apply_gradients(tape, loss, teacher, optimizer)
        return loss, share_right(logits, labels)

    return step


def make_student_step(student, teacher, optimizer) -> Callable:
    """Return a step of the student; where `teacher` is None, from the labels alone."""
    cross_entropy = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    divergence = tf_keras.losses.KLDivergence()

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = logits_of(student, images, training=True)
            loss = cross_entropy(labels, logits)
            if teacher is not None:
                taught = tf.nn.softmax(teacher(images, training=False) / TEMPERATURE)
                told = TEMPERATURE**2 * divergence(taught, tf.nn.softmax(logits / TEMPERATURE))
                loss = TEACHER_SHARE * told + (1 - TEACHER_SHARE) * loss
        apply_gradients(tape, loss, student, optimizer)
        return loss, share_right(logits, labels)

    return step


def apply_gradients(tape, loss, model, optimizer) -> None:
    weights = model.trainable_variables
    gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, weights), 1.0)
    optimizer.apply_gradients(zip(gradients, weights, strict=True))


def share_right(logits, labels):
    hits = tf.argmax(logits, axis=-1, output_type=tf.int32) == tf.cast(labels, tf.int32)
    return tf.reduce_mean(tf.cast(hits, tf.float32))


def logits_of(student, images, training: bool = False):
    pixel_values = tf.transpose(images, (0, 3, 1, 2))  # (B, 3, 32, 32), as the processor gives
    return tf.cast(student(pixel_values=pixel_values, training=training).logits, tf.float32)


def evaluate(predict: Callable, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of images whose largest logit is the label's."""
    hits = 0
    for start in range(0, len(images), 500):
        logits = predict(tf.constant(standardise(images[start : start + 500])))
        hits += np.sum(np.argmax(logits, axis=-1) == labels[start : start + 500])
    return float(hits / len(images))


@dataclass
class Stage:
    """One of the two trainings: what is trained, how, and for how long."""

    name: str
    model: tf_keras.Model
    optimizer: tf_keras.optimizers.Optimizer
    make_step: Callable[[], Callable]
    predict: Callable
    epochs: int
    batch_size: int
    peak_rate: float
    warmup_epochs: float


def train(stage: Stage, data, options: argparse.Namespace) -> list[dict]:
    """Train a stage, or go on training it; return its log, one record per epoch."""
    folder = options.checkpoints / stage.name
    folder.mkdir(parents=True, exist_ok=True)
    stage.optimizer.build(stage.model.trainable_variables)
    checkpoint = tf.train.Checkpoint(model=stage.model, optimizer=stage.optimizer)
    manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=2)
    records = restore(checkpoint, manager, folder / "log.json")
    if records:
        print(f"{stage.name}: going on after epoch {len(records)}", flush=True)
    step = stage.make_step()
    for epoch in range(len(records), stage.epochs):
        records.append(train_epoch(stage, step, epoch, data, options))
        (folder / "log.json").write_text(json.dumps(records, indent=1))
        manager.save(checkpoint_number=epoch + 1)
        figures = (f"{k} {v:.4g}" for k, v in records[-1].items() if isinstance(v, float))
        print(f"\n{time.strftime('%H:%M:%S')} {stage.name} {epoch + 1}", *figures, flush=True)
    return records


def restore(checkpoint, manager, log_file: Path) -> list[dict]:
    """Read the newest checkpoint and return the log up to it; nothing where there is none."""
    if not manager.latest_checkpoint:
        return []
    checkpoint.restore(manager.latest_checkpoint).expect_partial()
    finished = int(manager.latest_checkpoint.rsplit("-", 1)[1])
    return json.loads(log_file.read_text())[:finished]


def train_epoch(stage: Stage, step: Callable, epoch: int, data, options) -> dict:
    """Train for one epoch; return its loss, accuracies, duration and energy."""
    (images, labels), (x_test, y_test) = data
    num_steps = len(images) // stage.batch_size
    rng = np.random.default_rng((options.seed, epoch))
    began, totals = time.time(), np.zeros(2)
    with EnergyMeter(stage.name, location=options.location) as meter:
        batches = augmented_batches(images, labels, stage.batch_size, rng)
        for index, batch in enumerate(batches):
            progress = (epoch + index / num_steps) / stage.epochs
            rate = cosine_rate(stage.peak_rate, progress, stage.warmup_epochs / stage.epochs)
            stage.optimizer.learning_rate.assign(rate)
            totals += [float(value) for value in step(*batch)]
            if index % 50 == 0:
                where = f"epoch {epoch + 1}/{stage.epochs}, step {index}/{num_steps}"
                print(f"\r{stage.name}: {where}", end="", file=sys.stderr, flush=True)
    loss, accuracy = totals / num_steps
    return {
        "loss": loss,
        "accuracy": accuracy,
        "seconds": time.time() - began,
        "test_accuracy": evaluate(stage.predict, x_test[:WATCHED], y_test[:WATCHED]),
        "kwh": meter.report.kwh,
        "basis": meter.report.basis,
    }


def main() -> int:
    options = parse_arguments()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    tf_keras.utils.set_random_seed(options.seed)
    tf_keras.mixed_precision.set_global_policy(options.activations)
    source = SOURCES[options.data]
    (x_train, y_train), (x_test, y_test) = source.load()
    training_data = x_train[: options.images], y_train.ravel()[: options.images]
    data = training_data, (x_test, y_test.ravel())

    teaching = teacher_stage(source, options.teacher_epochs) if options.teacher_epochs else None
    teacher_log = train(teaching, data, options) if teaching else []
    learning = student_stage(source, teaching, options.epochs, options.seed)
    student_log = train(learning, data, options)
    export(learning.model, source, teaching, teacher_log, student_log, data, options)
    return 0


def teacher_stage(source: Source, epochs: int) -> Stage:
    teacher = build_teacher(len(source.classes))
    optimizer = tf_keras.optimizers.SGD(0.0, momentum=0.9, nesterov=True, weight_decay=5e-3)
    return Stage(
        name="teacher",
        model=teacher,
        optimizer=optimizer,
        make_step=lambda: make_teacher_step(teacher, optimizer),
        predict=tf.function(lambda images: teacher(images, training=False)),
        epochs=epochs,
        batch_size=TEACHER_BATCH,
        peak_rate=TEACHER_RATE,
        warmup_epochs=TEACHER_WARMUP_EPOCHS,
    )


def student_stage(source: Source, teaching: Stage | None, epochs: int, seed: int) -> Stage:
    student = build_student(source.classes, seed)
    optimizer = tf_keras.optimizers.AdamW(0.0, weight_decay=WEIGHT_DECAY)
    return Stage(
        name="student",
        model=student,
        optimizer=optimizer,
        make_step=lambda: make_student_step(student, teaching and teaching.model, optimizer),
        predict=tf.function(lambda images: logits_of(student, images)),
        epochs=epochs,
        batch_size=BATCH_SIZE,
        peak_rate=LEARNING_RATE,
        warmup_epochs=WARMUP_EPOCHS,
    )


def export(student, source, teaching, teacher_log, student_log, data, options) -> None:
    """Write weights, processor and model card; the accuracy is that of what was written."""
    tf_keras.mixed_precision.set_global_policy("float32")
    output = options.output or source.output
    shipped = TFViTForImageClassification(vit_config(source.classes))
    shipped(tf.zeros((1, 3, IMAGE_SIZE, IMAGE_SIZE)))
    shipped.set_weights(student.get_weights())
    output.mkdir(parents=True, exist_ok=True)
    shipped.save_pretrained(output, safe_serialization=True)
    side = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    ViTImageProcessor(size=side, image_mean=MEAN, image_std=STD).save_pretrained(output)
    (output / "model.safetensors").chmod(0o644)

    test_accuracy = accuracy_of(image_classifier(*load_vit(output)), data[1])
    kwh = sum(record["kwh"] or 0 for record in teacher_log + student_log)
    seconds = sum(record["seconds"] for record in teacher_log + student_log)
    basis = " and ".join(sorted({record["basis"] for record in teacher_log + student_log}))
    card = MODEL_CARD.format(
        title=source.title,
        purpose=source.purpose,
        warning=source.warning,
        watched=WATCHED,
        classes="ten" if len(source.classes) == 10 else f"{len(source.classes)} fine ones",
        activations="bfloat16" if options.activations == MIXED else options.activations,
        taught=taught(teaching, teacher_log, data[1]),
        parameters=shipped.count_params(),
        layers=shipped.config.num_hidden_layers,
        heads=shipped.config.num_attention_heads,
        width=shipped.config.hidden_size,
        images=len(data[0][0]),
        accuracy=test_accuracy,
        epochs=len(student_log),
        rate=LEARNING_RATE,
        decay=WEIGHT_DECAY,
        batch=BATCH_SIZE,
        seed=options.seed,
        note=options.note or "none",
        watt_hours=1000 * kwh,
        basis=basis,
        minutes=seconds / 60,
    )
    (output / "README.md").write_text(card, encoding="utf-8")
    print(f"{test_accuracy:.2%} of {len(data[1][0]):,} test images; written to {output}")


def taught(teaching: Stage | None, log: list[dict], test_data) -> str:
    """Return what the card says of the teacher."""
    if teaching is None:
        return "none; the loss is the cross-entropy with the labels"
    return (
        f"a residual CNN with {teaching.model.count_params():,} parameters, {len(log)} epochs on the "
        f"same images, {evaluate(teaching.predict, *test_data):.2%} of the test images; loss: "
        f"{TEACHER_SHARE:g} × divergence from its probabilities at temperature {TEMPERATURE:g}, the "
        "rest cross-entropy with the labels"
    )


MODEL_CARD = """# ViT for {title}

A compact `TFViTForImageClassification` that the kit ships so that the notebook `pretrained_models`
{purpose}

| | |
|---|---|
| structure | {layers} layers, {heads} heads, width {width}, patches of 4×4 pixels, {parameters:,} parameters |
| input | 32×32 pixels, RGB, standardised with mean and deviation of CIFAR-10's training pixels |
| classes | the {classes} of {title} |
| training data | the first {images:,} training images of {title}; no other data |
| test accuracy, all 10,000 test images | **{accuracy:.2%}** |
| recipe | `tools/train_embedded_vit.py`: {epochs} epochs, AdamW, peak learning rate {rate:g}, weight decay {decay:g}, batch {batch}, warm-up of an epoch and cosine; random crops and flips; mimetic start; activations in {activations} |
| teacher | {taught} |
| note on this run | {note} |
| seed | {seed} (threads and hardware change the last digits) |
| energy, teacher included | {watt_hours:.0f} Wh ({basis}: nominal power times time, on a machine that other programs used as well), {minutes:.0f} minutes on 2 cores |
| licence | CC0 1.0 for the weights; for the images see `data/README.md` |

The test images were not used to choose anything, but the first {watched:,} of them were watched while
it trained. {warning} Not for use outside teaching.
"""  # noqa: E501 (a row of a table is a line)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder to go on from")
    parser.add_argument("--data", choices=SOURCES, default="cifar10")
    parser.add_argument("--output", type=Path, help="folder of the model; the kit's own by default")
    parser.add_argument("--activations", choices=(MIXED, "float32"), default=MIXED)
    parser.add_argument("--teacher-epochs", type=int, default=6, help="0: no teacher")
    parser.add_argument("--epochs", type=int, default=17)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, default=50_000, help="training images to use")
    parser.add_argument("--note", help="what the model card should say of this run")
    parser.add_argument("--location", default=None, help="country code for the carbon intensity")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
