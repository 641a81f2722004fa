"""Judge the exercises of the lab on inductive bias, and name the mistakes people make."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.report import Finding
from utilities.checks.inductive_bias import formulas
from utilities.checks.inductive_bias.judge_relative import relative_position_bias
from utilities.checks.judging import (
    Mistake,
    Oracle,
    Stage,
    Values,
    agrees,
    fact,
    judge_stages,
    when,
)
from utilities.checks.kernel.case import Case, Observation

__all__ = [
    "position_embedding_2d",
    "relative_position_bias",
    "resnet_classifier",
    "vital_signs",
]

Pair = tuple[Case, Observation]

# --- position embeddings ---------------------------------------------------------------------


def position_embedding_2d(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the tokens stage by stage, then whether both tables are trained."""
    stages = [
        Stage("one row", "in one row of patches, every column has its own position"),
        Stage("grid", "in a grid, the X half says the column and the Y half the row", 2.0),
        Stage("functional", "works inside a functional model, for any batch size"),
    ]
    findings = judge_stages(cases, observations, stages, _with_positions, POSITION_MISTAKES, depth=2)
    return [*findings, _tables_are_trained(_seen(cases, observations), len(cases))]


def _tables_are_trained(pairs: list[Pair], count: int) -> Finding:
    name = "both tables are trained, and nothing else is"
    if len(pairs) < count:
        return _not_seen(name)
    if not all(np.all(observation["trained"]) for _, observation in pairs):
        return fact(
            name,
            False,
            "A layer trains what it holds as weights: make the tables with self.add_weight (or as "
            "Embedding layers) in __init__ or build, trainable, one of shape (columns, proj_dim/2) "
            f"and one of shape (rows, proj_dim/2). {_weights_in_words(*pairs[1])}",
            "tables not trained",
        )
    wrong = [(c, o) for c, o in pairs if o["trainable_count"] != (c["rows"] + c["columns"]) * _half(c)]
    return fact(
        name,
        not wrong,
        "Your layer trains other weights beside the two tables; (rows + columns)·proj_dim/2 numbers "
        f"are all it needs. {_weights_in_words(*(wrong or pairs)[0])}",
        "other weights are trained",
    )


def _weights_in_words(case: Case, observation: Observation) -> str:
    shapes = ", ".join(str(shape) for shape in observation["shapes"]) or "none"
    sizes = f"{case['rows']} rows, {case['columns']} columns and proj_dim {case['proj_dim']}"
    return f"For {sizes} it has: {shapes}."


def _half(case: Case) -> int:
    return case["proj_dim"] // 2


def _tables(case: Case) -> tuple[np.ndarray, np.ndarray]:
    return case["x_table"].astype(np.float64), case["y_table"].astype(np.float64)


def _with_positions(case: Case, _: Observation) -> Values:
    return {"output": case["tokens"] + formulas.position_embedding_2d(*_tables(case))}


def _positions(combine: Callable, place: Callable = formulas.places) -> Oracle:
    """Return the oracle of another use of X (N, d/2) and Y (N, d/2), or of another place of patches."""

    def oracle(case: Case, _: Observation) -> Values:
        x_table, y_table = _tables(case)
        row, column = place(case["rows"], case["columns"])
        return {"output": combine(case["tokens"].astype(np.float64), x_table[column], y_table[row])}

    return oracle


def _joined(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts, axis=-1)


def _has_shape(shape: Callable[[Case], tuple[int, ...]]) -> Oracle:
    """Return the oracle of a layer with a weight of that shape and without one of the tables."""

    def made(case: Case, observation: Observation) -> bool:
        text = "×".join(map(str, shape(case)))
        return not observation["found"].all() and text in observation["shapes"].tolist()

    return when(made)


def _column_by_column(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    column, row = np.divmod(np.arange(rows * columns), rows)
    return row, column


def _same(t: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return t + _joined(x, y)


POSITION_MISTAKES = [
    Mistake(
        "tables made in every call",
        "Your layer makes new weights in every call, so that what it learns is thrown away. Weights "
        "are made once: in __init__ or in build.",
        when(lambda case, o: not o["made_once"]),
    ),
    Mistake(
        "one vector per patch",
        "Your layer holds one vector for every patch: that is the one-dimensional position embedding. "
        "In two dimensions a column has a vector and a row has one, and patches share them.",
        _has_shape(lambda case: (case["rows"] * case["columns"], case["proj_dim"])),
    ),
    Mistake(
        "tables of full width",
        "Your tables are proj_dim wide. The two vectors stand side by side in a token of width "
        "proj_dim: how wide may each of them be?",
        _has_shape(lambda case: (case["columns"], case["proj_dim"])),
    ),
    Mistake(
        "rows and columns exchanged",
        "Your first half says the row and your second half the column; X, the column, comes first.",
        _positions(lambda t, x, y: t + _joined(y, x)),
    ),
    Mistake(
        "patches column by column",
        "Your patches are numbered column by column. They come row by row: the first `columns` "
        "patches are the first row.",
        _positions(_same, _column_by_column),
    ),
    Mistake(
        "halves interleaved",
        "The entries of X and Y alternate in your output. One half stands before the other.",
        _positions(lambda t, x, y: t + np.stack([x, y], axis=-1).reshape(len(x), -1)),
    ),
    Mistake(
        "halves added",
        "You add X and Y to each other. Side by side they keep column and row apart.",
        _positions(lambda t, x, y: t + np.tile(x + y, 2)),
    ),
    Mistake(
        "Y missing",
        "Your tokens know their column only: the half that says the row is missing.",
        _positions(lambda t, x, y: t + _joined(x, 0 * y)),
    ),
    Mistake(
        "X missing",
        "Your tokens know their row only: the half that says the column is missing.",
        _positions(lambda t, x, y: t + _joined(0 * x, y)),
    ),
    Mistake(
        "positions alone",
        "You return the positions without the tokens. They are to be added to them.",
        _positions(lambda t, x, y: _joined(x, y) + 0 * t),
    ),
    Mistake(
        "positions alone",
        "You return the positions without the tokens. They are to be added to them.",
        _positions(lambda t, x, y: _joined(x, y)),
    ),
    Mistake(
        "positions alone",
        "You return the positions without the tokens. They are to be added to them.",
        _positions(lambda t, x, y: _joined(x, y)[None]),
    ),
    Mistake(
        "multiplied",
        "You multiply tokens and positions. They are added.",
        _positions(lambda t, x, y: t * _joined(x, y)),
    ),
    Mistake(
        "positions behind the tokens",
        "You put the positions behind the tokens, which are now twice as wide. Add them: the width "
        "stays.",
        _positions(lambda t, x, y: _joined(t, np.broadcast_to(_joined(x, y), t.shape))),
    ),
    Mistake(
        "tokens scaled",
        "You multiply the tokens by √proj_dim before the positions are added. That is a habit of "
        "language models; here nothing is scaled.",
        _positions(lambda t, x, y: t * np.sqrt(t.shape[-1]) + _joined(x, y)),
    ),
    Mistake(
        "nothing added",
        "Your tokens come out as they went in. If you do add positions: are they weights of this "
        "layer, and does the table of the columns have shape (columns, proj_dim/2), that of the rows "
        "(rows, proj_dim/2)?",
        when(lambda case, o: agrees(o["output"], case["tokens"].astype(float), 1)),
    ),
    Mistake(
        "tables are no weights",
        "Your layer adds something, but holds no weights that could be trained. Numbers that are "
        "drawn or computed in the layer stay what they are; self.add_weight makes what training "
        "changes.",
        when(lambda case, o: o["shapes"].tolist() == [""]),
    ),
    Mistake(
        "one table for both axes",
        "Your layer has only one of the two tables: columns and rows each need their own.",
        when(lambda case, o: o["found"].sum() == 1),
    ),
]


# --- the convolutional rival -----------------------------------------------------------------


def resnet_classifier(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the logits stage by stage, then how the backbone was made and whether it is trained."""
    stages = [
        Stage("one layer", "one hidden layer: pooled features, Dense, logits"),
        Stage("head", "hidden layers of any number and width", 2.0),
        Stage("augmentation", "images go through the augmentation first"),
    ]
    findings = judge_stages(cases, observations, stages, _logits, CLASSIFIER_MISTAKES, depth=4)
    pairs = _seen(cases, observations)
    if len(pairs) < len(cases):
        return [*findings, _not_seen(FROM_SCRATCH), _not_seen(ALL_TRAINED)]
    return [*findings, _from_scratch(pairs), _all_trained(pairs)]


FROM_SCRATCH = "the backbone comes without its own top and without trained weights"
ALL_TRAINED = "everything is trained, the backbone's statistics too"


def _from_scratch(pairs: list[Pair]) -> Finding:
    if any(o["weights_asked"] for _, o in pairs):
        return fact(
            FROM_SCRATCH,
            False,
            "You ask for trained weights, which is also what happens if nothing is said. They know a "
            "million images; the comparison is between models that start from scratch. Which value of "
            "weights says so?",
            "trained weights",
        )
    return fact(
        FROM_SCRATCH,
        not any(o["include_top"] for _, o in pairs),
        "Your backbone brings its own classifier for the 1,000 classes of ImageNet. You need its "
        "feature maps, and put your own head on them.",
        "include_top",
    )


def _all_trained(pairs: list[Pair]) -> Finding:
    if not all(o["backbone_trainable"] for _, o in pairs):
        return fact(
            ALL_TRAINED,
            False,
            "Your backbone is frozen. With random weights it has learned nothing that could be kept: "
            "it has to be trained with the rest.",
            "backbone frozen",
        )
    if not all(o["statistics_move"] for _, o in pairs):
        return fact(
            ALL_TRAINED,
            False,
            "In training your backbone runs as if it were at inference: its batch normalisation never "
            "learns mean and variance. Leave `training` to Keras.",
            "backbone at inference",
        )
    wrong = [(c, o) for c, o in pairs if o["trainable_count"] != o["expected_count"]]
    case, observation = (wrong or pairs)[0]
    return fact(
        ALL_TRAINED,
        not wrong,
        f"Your model trains {int(observation['trainable_count'])} numbers; backbone and head have "
        f"{int(observation['expected_count'])} for {case.describe()}.",
        "other weights are trained",
    )


def _head(case: Case) -> tuple[list[np.ndarray], list[np.ndarray]]:
    count = len(case["head_units"]) + 1
    kernels, biases = (
        [case[f"{name}_{i}"] for i in range(1, count + 1)] for name in ("kernel", "bias")
    )
    return kernels, biases


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3))) / 2.0


ACTIVATIONS = (oracles.gelu, _gelu_tanh, lambda x: np.maximum(x, 0.0))


def _classified(
    finish: Callable = lambda logits: logits,
    activations: Sequence[Callable] = ACTIVATIONS,
    pool: Callable = np.mean,
    features: str = "features",
) -> Oracle:
    """Return the oracle of a head on the observed feature maps; of the non-linearities, the closest."""

    def oracle(case: Case, observation: Observation) -> Values:
        kernels, biases = _head(case)
        candidates = [
            finish(formulas.pooled_logits(observation[features], kernels, biases, activation, pool))
            for activation in activations
        ]
        return {"output": min(candidates, key=lambda c: _distance(c, observation["output"]))}

    return oracle


def _distance(expected: np.ndarray, observed: np.ndarray) -> float:
    if expected.shape != observed.shape:
        return np.inf
    return float(np.abs(expected - observed).max())


_logits = _classified()


def _has_kernel(shape: Callable[[Case, Observation], tuple[int, int]], found: bool = False) -> Oracle:
    """Return the oracle of a head that has a kernel of that shape, and lacks one it should have."""

    def made(case: Case, observation: Observation) -> bool:
        text = "×".join(str(int(n)) for n in shape(case, observation))
        return observation["found"].all() == found and text in observation["kernels"].tolist()

    return when(made)


def _flat(case: Case, observation: Observation) -> tuple[int, int]:
    return int(np.prod(observation["features"].shape[1:])), case["head_units"][0]


CLASSIFIER_MISTAKES = [
    Mistake(
        "include_top",
        "Your backbone brings its own classifier for the 1,000 classes of ImageNet. You need its "
        "feature maps, and put your own head on them.",
        when(lambda case, o: bool(o["include_top"])),
    ),
    Mistake(
        "flattened instead of averaged",
        "You flatten the feature maps, so that the head gets a weight for every place. Average them "
        "over height and width: what was found counts, not where.",
        _has_kernel(_flat),
    ),
    Mistake(
        "head missing",
        "Your logits come straight from the pooled features: the hidden layers of the head are "
        "missing.",
        _has_kernel(lambda case, o: (case["filters"], case["num_classes"])),
    ),
    Mistake(
        "head units reversed",
        "Your hidden layers come in the reverse order of head_units.",
        when(
            lambda case, o: (
                len(case["head_units"]) < 2
                or f"{case['filters']}×{case['head_units'][-1]}" in o["kernels"].tolist()
            )
        ),
    ),
    Mistake(
        "first hidden layer alone",
        "Only the first entry of head_units becomes a layer; each of them does.",
        when(
            lambda case, o: (
                len(case["head_units"]) < 2
                or f"{case['head_units'][0]}×{case['num_classes']}" in o["kernels"].tolist()
            )
        ),
    ),
    Mistake(
        "wrong number of classes",
        "Your last layer has another width than num_classes.",
        when(lambda case, o: o["output"].shape[-1] != case["num_classes"]),
    ),
    Mistake(
        "softmax at the end",
        "You return probabilities. Return logits: the loss, which is told from_logits=True, applies "
        "the softmax itself.",
        _classified(finish=oracles.softmax),
    ),
    Mistake(
        "sigmoid at the end",
        "Your logits went through a sigmoid. Return them as the last Dense layer gives them.",
        _classified(finish=oracles.sigmoid),
    ),
    Mistake(
        "non-linearity at the end",
        "Your logits went through a ReLU. The last layer is linear: a logit may be negative.",
        _classified(finish=lambda logits: np.maximum(logits, 0.0)),
    ),
    Mistake(
        "non-linearity at the end",
        "Your logits went through a GELU. The last layer is linear: a logit may be negative.",
        _classified(finish=oracles.gelu),
    ),
    Mistake(
        "no non-linearity",
        "Your hidden layers have no non-linearity: without one, several Dense layers are no more "
        "than one.",
        _classified(activations=(lambda x: x,)),
    ),
    Mistake(
        "largest instead of mean",
        "You take the largest value of each feature map; the mean over height and width is asked for.",
        _classified(pool=np.max),
    ),
    Mistake(
        "summed instead of averaged",
        "You add the feature maps up over height and width; their mean is asked for.",
        _classified(pool=np.sum),
    ),
    Mistake(
        "augmentation left out",
        "Your model never applies data_augmentation. The images go through it before the backbone.",
        lambda case, o: (
            _classified(features="features_not_augmented") if case["augmented"] else _logits
        )(case, o),
    ),
]


# --- vital signs -----------------------------------------------------------------------------


def vital_signs(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the three numbers stage by stage, and whether the model is left as it was."""
    stages = [
        Stage("model", "loss, spread and gradient norm of a model that lives", 2.0),
        Stage("dropout", "the model is looked at as it is at inference: without dropout"),
        Stage("frozen", "gradients of the trainable weights count, and only these"),
        Stage("dead", "a model that gives every image the same logits has spread 0"),
    ]
    findings = judge_stages(cases, observations, stages, _signs_of, SIGN_MISTAKES, depth=4)
    name = "the model is as it was before"
    pairs = _seen(cases, observations)
    if len(pairs) < len(cases):
        return [*findings, _not_seen(name)]
    return [
        *findings,
        fact(
            name,
            all(o["unchanged"] for _, o in pairs),
            "Your function changes the model's weights. It is to look, not to train: no optimiser "
            "takes a step.",
            "model trained",
        ),
    ]


def _parts(case: Case) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return the flat images, the labels in one row, and the four weights."""
    flat = case["images"].reshape(len(case["images"]), -1).astype(np.float64)
    weights = [case[n].astype(np.float64) for n in ("kernel_1", "bias_1", "kernel_2", "bias_2")]
    return flat, np.ravel(case["labels"]), weights


def _trained_gradients(case: Case) -> list[np.ndarray]:
    flat, labels, weights = _parts(case)
    gradients = formulas.gradients(flat, labels, *weights)
    return gradients[2:] if case.stage == "frozen" else gradients


def _global_norm(gradients: Sequence[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.square(gradient).sum() for gradient in gradients)))


def _signs_of(case: Case, observation: Observation) -> Values:
    flat, labels, weights = _parts(case)
    _, logits = formulas.forward(flat, *weights)
    return {
        "loss": np.array(formulas.crossentropy(logits, labels)),
        "spread": np.array(logits.std(axis=0).mean()),
        "gradient_norm": np.array(_global_norm(_trained_gradients(case))),
    }


def _of(name: str, value: Callable[[Case, np.ndarray, np.ndarray], float]) -> Oracle:
    """Return the oracle that gives one of the three another value: of case, logits (n, K), labels."""

    def oracle(case: Case, observation: Observation) -> Values:
        flat, labels, weights = _parts(case)
        _, logits = formulas.forward(flat, *weights)
        return {name: np.array(value(case, logits, labels))}

    return oracle


def _gradient(norm: Callable[[list[np.ndarray]], float]) -> Oracle:
    return _of("gradient_norm", lambda case, logits, labels: norm(_trained_gradients(case)))


def _unless_small(oracle: Oracle, least: float = 0.0) -> Oracle:
    """Return the oracle, left out of consideration in cases where all values would be 0."""
    return lambda case, o: oracle(case, o) if case.stage != "dead" else {}


def _as_probabilities(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return what Keras makes of logits that it takes for probabilities."""
    clipped = np.clip(logits, 1e-7, 1 - 1e-7)
    return formulas.crossentropy(np.log(clipped), labels)


def _twice_softmax(logits: np.ndarray, labels: np.ndarray) -> float:
    return formulas.crossentropy(oracles.softmax(logits), labels)


def _norms(gradients: Sequence[np.ndarray]) -> list[float]:
    return [float(np.sqrt(np.square(gradient).sum())) for gradient in gradients]


SIGN_MISTAKES = [
    Mistake(
        "dropout active",
        "Your numbers change where the model has dropout: it is active while you look. Call the "
        "model with training=False.",
        lambda case, o: _dropout_differs(case, o),
    ),
    Mistake(
        "logits taken for probabilities",
        "Your loss takes the logits for probabilities. The model ends in logits: tell the loss so.",
        _of("loss", lambda case, z, y: _as_probabilities(z, y)),
    ),
    Mistake(
        "softmax twice",
        "Your loss equals that of a softmax of a softmax: say from_logits=True of logits, not of "
        "probabilities.",
        _of("loss", lambda case, z, y: _twice_softmax(z, y)),
    ),
    Mistake(
        "loss summed",
        "Your loss is the sum over the images; the mean does not depend on how many there are.",
        _of("loss", lambda case, z, y: formulas.crossentropy(z, y) * len(z)),
    ),
    Mistake(
        "spread between classes",
        "Your spread is taken over the classes of one image. A dead model can have that too: what "
        "tells it is that nothing changes from image to image.",
        _of("spread", lambda case, z, y: z.std(axis=1).mean()),
    ),
    Mistake(
        "spread of all logits",
        "Your spread is that of all logits together, so that biases which differ from class to class "
        "count as well. Take it for each class over the images, then the mean.",
        _of("spread", lambda case, z, y: z.std()),
    ),
    Mistake(
        "variance",
        "Your spread is a mean variance; the standard deviation is its root.",
        _of("spread", lambda case, z, y: z.var(axis=0).mean()),
    ),
    Mistake(
        "n − 1",
        "Your standard deviation divides by n − 1 (ddof=1); divide by n, as np.std and "
        "tf.math.reduce_std do.",
        _of("spread", lambda case, z, y: z.std(axis=0, ddof=1).mean()),
    ),
    Mistake(
        "spread of probabilities",
        "Your spread is that of the probabilities; take it of the logits.",
        _of("spread", lambda case, z, y: oracles.softmax(z).std(axis=0).mean()),
    ),
    Mistake(
        "largest spread",
        "Your spread is that of the class that spreads most; the mean over the classes is asked for.",
        _unless_small(_of("spread", lambda case, z, y: z.std(axis=0).max())),
    ),
    Mistake(
        "norms added",
        "You add the norms of the single gradients. The norm of all of them together is the root of "
        "the sum of their squares.",
        _gradient(lambda gradients: sum(_norms(gradients))),
    ),
    Mistake(
        "norms averaged",
        "You average the norms of the single gradients. The norm of all of them together is the root "
        "of the sum of their squares.",
        _gradient(lambda gradients: float(np.mean(_norms(gradients)))),
    ),
    Mistake(
        "squared norm",
        "Your gradient norm is squared: the root is missing.",
        _gradient(lambda gradients: _global_norm(gradients) ** 2),
    ),
    Mistake(
        "largest norm",
        "Your gradient norm is the largest of the single ones; all of them count.",
        _gradient(lambda gradients: max(_norms(gradients))),
    ),
    Mistake(
        "sum of absolute values",
        "Your gradient norm is the sum of absolute values; the Euclidean norm is asked for.",
        _gradient(lambda gradients: float(sum(np.abs(g).sum() for g in gradients))),
    ),
    Mistake(
        "last gradient alone",
        "Your gradient norm is that of the last weight alone; all trainable weights count.",
        _gradient(lambda gradients: _norms(gradients)[-1]),
    ),
    Mistake(
        "first gradient alone",
        "Your gradient norm is that of the first weight alone; all trainable weights count.",
        _gradient(lambda gradients: _norms(gradients)[0]),
    ),
    Mistake(
        "gradient of the summed loss",
        "Your gradient belongs to the sum over the images; take that of their mean.",
        _of(
            "gradient_norm",
            lambda case, z, y: _global_norm(_trained_gradients(case)) * len(z),
        ),
    ),
]


def _dropout_differs(case: Case, observation: Observation) -> Values:
    """Return the right numbers where there is no dropout, and what came where there is."""
    right = _signs_of(case, observation)
    if case.stage != "dropout":
        return right
    if agrees(observation["loss"], right["loss"], case.longest_axis, 4):
        raise ValueError("this mistake was not made")
    return {}


# --- shared ----------------------------------------------------------------------------------


def _seen(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Pair]:
    """Return the cases in which nothing stopped the observation."""
    pairs = zip(cases, observations, strict=True)
    return [(case, observation) for case, observation in pairs if observation.problem is None]


def _not_seen(name: str) -> Finding:
    return fact(name, False, "This could not be looked at: see above.", kind="")
