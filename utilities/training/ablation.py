"""One change at a time: the settings between the first ViT and the small one, at equal cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

import tf_keras

from utilities.models.sizes import FIRST_VIT, SMALL_VIT, ViTSize
from utilities.training.augmentation import crop_and_flip
from utilities.training.profiles import Training
from utilities.training.schedules import learning_rate_schedule

UNCHANGED = "nothing changed"


@dataclass(frozen=True)
class Setting:
    """A model and how it is trained; `augmented` and `scheduled` switch off what they name."""

    size: ViTSize
    training: Training
    augmented: bool = True
    scheduled: bool = True

    def augmentation(self) -> tf_keras.Model | None:
        """Return the layer that varies the training images, or None."""
        return crop_and_flip() if self.augmented else None

    def learning_rate(
        self, num_samples: int
    ) -> float | tf_keras.optimizers.schedules.LearningRateSchedule:
        """Return the schedule for that many training images, or the constant rate."""
        if self.scheduled:
            return learning_rate_schedule(self.training, num_samples)
        return self.training.learning_rate


def ablation(training: Training) -> dict[str, Setting]:
    """Return the small ViT's setting and others that differ from it in one thing, by name.

    A change that makes an image cheaper, such as larger patches, gets as many more epochs, so that
    all settings spend about the same number of multiply-adds. Its schedule is stretched with it.
    """
    base = Setting(SMALL_VIT, training)
    large, medium = (replace(SMALL_VIT, patch_size=size) for size in (FIRST_VIT.patch_size, 8))
    shallow = replace(SMALL_VIT, transformer_layers=SMALL_VIT.transformer_layers // 2)
    dropout = replace(
        SMALL_VIT,
        msa_dropout_rate=FIRST_VIT.msa_dropout_rate,
        mlp_classification_head_dropout_rate=FIRST_VIT.mlp_classification_head_dropout_rate,
    )
    return {
        UNCHANGED: base,
        "patches of 8×8": Setting(medium, _longer(training, 5)),
        "patches of 16×16": Setting(large, _longer(training, 16)),
        "half the blocks": Setting(shallow, _longer(training, 2)),
        "no augmentation": replace(base, augmented=False),
        "constant learning rate": replace(base, scheduled=False),
        "learning rate ÷ 15": replace(
            base, training=replace(training, learning_rate=training.learning_rate / 15)
        ),
        "dropout": replace(base, size=dropout),
        "no weight decay": replace(base, training=replace(training, weight_decay=0.0)),
    }


def _longer(training: Training, times: int) -> Training:
    return replace(
        training, epochs=times * training.epochs, warmup_epochs=times * training.warmup_epochs
    )
