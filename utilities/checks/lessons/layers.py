"""What the checks of layers have in common: a batch of unknown size, training, freezing, a name."""

from utilities.checks.core.check import Only, Remark, Wrong
from utilities.checks.kernel.case import Observation

BATCH_SIZE_FIXED = Only(
    "batch size fixed",
    "It works when it is given numbers, but not inside a functional model, where the batch size is not "
    "known yet (None) and tensors hold no numbers. Take −1 or tf.shape(x)[0] for the batch size, and "
    "TensorFlow operations throughout.",
    lambda case: case.stage == "model",
)
TAKES_NO_NAME = Remark(
    "Your class takes no name: hand the further arguments (**kwargs) on to Keras' Layer, which needs "
    "them to load a saved model.",
    lambda case, seen: not seen["takes_a_name"],
)


def unchanged(seen: Observation, in_training: Wrong) -> Wrong | None:
    """Judge that training and freezing change nothing; `in_training` is told where training does."""
    if seen["repeats"] and not seen["same_in_training"]:
        return in_training
    if seen["made_once"] and not seen["freezes"]:
        return Wrong(
            "weights made anew when frozen",
            "With layer.trainable = False your layer makes new weights. Ask whether there are any "
            "weights yet, not whether there are any to train.",
        )
    return None
