"""Judge the steps of this lesson: the formulas, and the mistakes people make with them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.report import Finding
from utilities.checks.judging import Mistake, Oracle, Stage, Values, judge_stages, when
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.pretrained.cases import first_finished, mean_score
from utilities.checks.pretrained.signs import from_table

PROBE_DEPTH = 8  # means, Gram matrix, elimination, products


def top_classes(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge classes and probabilities, stage by stage."""
    stages = [
        Stage("one image", "the most probable classes of one image, best first"),
        Stage("images", "several images, each on its own", 2.0),
        Stage("five", "five classes where k is not given"),
        Stage("large logits", "large logits do not overflow"),
    ]
    return judge_stages(cases, observations, stages, _top(oracles.top_classes), TOP_MISTAKES)


def attention_rollout(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the roll-out, stage by stage."""
    stages = [
        Stage("one layer", "one layer of one head: half attention, half identity"),
        Stage("heads", "the heads are averaged, each image on its own"),
        Stage("layers", "the layers are multiplied, the last one leftmost", 2.0),
    ]
    depth = max(len(case["attentions"]) for case in cases)
    return judge_stages(
        cases, observations, stages, _rolled(oracles.attention_rollout), ROLLOUT_MISTAKES, depth
    )


def fit_linear_probe(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge weights and bias, stage by stage."""
    stages = [
        Stage("many samples", "weights and bias of the least penalised squared error", 2.0),
        Stage("default penalty", "a penalty of 1 where none is given"),
        Stage("labels in a column", "labels of shape (n, 1), as CIFAR-10 has them"),
        Stage("a class without samples", "a column for every class, also for one never seen"),
        Stage("fewer samples than features", "fewer samples than features"),
    ]
    return judge_stages(
        cases, observations, stages, _fitted(oracles.ridge), PROBE_MISTAKES, PROBE_DEPTH
    )


def beam_search(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the sequence found and its score, stage by stage."""
    stages = [
        Stage("one beam", "with one beam, the most probable token at every step"),
        Stage("beams", "several beams find a sequence that the greedy choice misses", 2.0),
        Stage("endings", "a sequence is finished at the end token", 2.0),
    ]
    return judge_stages(cases, observations, stages, _found(), BEAM_MISTAKES)


# --------------------------------------------------------------------------- top classes


def _top(formula: Callable) -> Oracle:
    """Return the oracle that applies `formula(logits, k)` to the case."""

    def oracle(case: Case, _: Observation) -> Values:
        k = 5 if case["k"] is None else case["k"]
        classes, probabilities = formula(case["logits"].astype(np.float64), k)
        return {"classes": classes, "probabilities": probabilities}

    return oracle


def _ordered(
    logits: np.ndarray, k: int, order: oracles.Step, values: oracles.Step = oracles.softmax
) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes of `order`, and `values(logits)` at these classes."""
    classes = order(logits)[:, :k]
    return classes, np.take_along_axis(values(logits), classes, axis=-1)


def _best_first(logits: np.ndarray) -> np.ndarray:
    return np.argsort(-logits, axis=-1)


def _of_best(values: Callable) -> Oracle:
    """Return the oracle with the right classes and something else for their probabilities."""
    return _top(lambda logits, k: _ordered(logits, k, _best_first, values))


def _softmax_over_the_top(logits: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    classes, probabilities = oracles.top_classes(logits, k)
    return classes, probabilities / probabilities.sum(axis=-1, keepdims=True)


def _worst_of_the_best_first(logits: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    classes, probabilities = oracles.top_classes(logits, k)
    return classes[:, ::-1], probabilities[:, ::-1]


def _unmatched(logits: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    return np.argsort(logits, axis=-1)[:, -k:], oracles.top_classes(logits, k)[1]


def _ranks(logits: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    ranks = np.argsort(_best_first(logits), axis=-1)
    return ranks[:, :k], oracles.top_classes(logits, k)[1]


TOP_MISTAKES = [
    Mistake(
        "no softmax",
        "Your probabilities are the logits themselves: they are neither between 0 and 1 nor do "
        "they sum to 1. What turns scores into probabilities?",
        _of_best(lambda logits: logits),
    ),
    Mistake(
        "log-softmax",
        "Your probabilities are negative: they are logarithms of probabilities.",
        _of_best(lambda logits: np.log(oracles.softmax(logits))),
    ),
    Mistake(
        "sigmoid",
        "Your probabilities are sigmoids of the logits, which treats each class as a yes-or-no "
        "question of its own. Here the classes exclude each other: their probabilities sum to 1.",
        _of_best(oracles.sigmoid),
    ),
    Mistake(
        "softmax over the images",
        "Your softmax runs over the images of the batch. It has to run over the classes.",
        _of_best(lambda logits: oracles.softmax(logits, axis=0)),
    ),
    Mistake(
        "softmax over the whole batch",
        "Your probabilities sum to 1 over all images together. Each image has its own.",
        _of_best(lambda logits: oracles.softmax(logits.reshape(1, -1)).reshape(logits.shape)),
    ),
    Mistake(
        "softmax over the top k",
        "Your probabilities sum to 1 over the k classes you return. The classes that are left out "
        "have their share, too: softmax first, choose then.",
        _top(_softmax_over_the_top),
    ),
    Mistake(
        "worst of the best first",
        "You have found the right classes, but in the wrong order: the most probable comes first.",
        _top(_worst_of_the_best_first),
    ),
    Mistake(
        "least probable classes",
        "You return the least probable classes. Sorting goes from small to large.",
        _top(lambda logits, k: _ordered(logits, k, partial(np.argsort, axis=-1))),
    ),
    Mistake(
        "classes and probabilities do not match",
        "Your probabilities go from large to small, your classes from less to more probable: the "
        "two lists do not belong together.",
        _top(_unmatched),
    ),
    Mistake(
        "ranks for classes",
        "Your first result holds the rank of each class, not the classes in order of rank.",
        _top(_ranks),
    ),
    Mistake(
        "overflow",
        "Your probabilities are not numbers: the exponential of a large logit is infinite. Softmax "
        "stays the same when the largest logit is taken off all of them; TensorFlow's own does so.",
        when(lambda _, observation: not np.all(np.isfinite(observation["probabilities"]))),
    ),
]


# ----------------------------------------------------------------------- attention roll-out


def _rolled(formula: Callable) -> Oracle:
    """Return the oracle that applies `formula(attentions)` to the case."""

    def oracle(case: Case, _: Observation) -> Values:
        return {"rollout": formula(case["attentions"].astype(np.float64))}

    return oracle


def _stepwise(step: Callable) -> Oracle:
    """Return the oracle of a roll-out whose layers are taken by `step(attention)`."""
    return _rolled(partial(oracles.attention_rollout, step=step))


def _with_identity(weights: np.ndarray) -> np.ndarray:
    return (weights + np.eye(weights.shape[-1])) / 2


def _columns_normalised(attention: np.ndarray) -> np.ndarray:
    mixed = _with_identity(attention.mean(axis=1))
    return mixed / mixed.sum(axis=-2, keepdims=True)


def _rows_normalised(weights: np.ndarray) -> np.ndarray:
    mixed = weights + np.eye(weights.shape[-1])
    return mixed / mixed.sum(axis=-1, keepdims=True)


def _identity_at_the_end(attentions: np.ndarray) -> np.ndarray:
    return _with_identity(oracles.attention_rollout(attentions, lambda layer: layer.mean(axis=1)))


def _entry_by_entry(attentions: np.ndarray) -> np.ndarray:
    return np.prod([oracles.rollout_step(layer) for layer in attentions], axis=0)


def _mean_of_layers(attentions: np.ndarray) -> np.ndarray:
    return np.mean([oracles.rollout_step(layer) for layer in attentions], axis=0)


def _sum_of_layers(attentions: np.ndarray) -> np.ndarray:
    return np.sum([oracles.rollout_step(layer) for layer in attentions], axis=0)


def _first_left_out(attentions: np.ndarray) -> np.ndarray:
    if len(attentions) == 1:
        return np.broadcast_to(
            np.eye(attentions.shape[-1]), (attentions.shape[1], *attentions.shape[-2:])
        )
    return oracles.attention_rollout(attentions[1:])


ROLLOUT_MISTAKES = [
    Mistake(
        "no residual",
        "Your roll-out multiplies the attention alone. A token also keeps itself, through the "
        "residual connection: that is what the identity stands for.",
        _stepwise(lambda layer: layer.mean(axis=1)),
    ),
    Mistake(
        "not normalised",
        "The rows of your roll-out do not sum to 1: after the identity is added, they have to be "
        "brought back to 1 in every layer.",
        _stepwise(lambda layer: layer.mean(axis=1) + np.eye(layer.shape[-1])),
    ),
    Mistake(
        "order of layers",
        "Your product has the layers in the wrong order. Information goes through the first layer "
        "first: which side of a matrix product acts first?",
        _rolled(lambda attentions: oracles.attention_rollout(attentions[::-1])),
    ),
    Mistake(
        "largest head",
        "You take the largest weight of all heads; their mean is asked for.",
        _stepwise(lambda layer: _rows_normalised(layer.max(axis=1))),
    ),
    Mistake(
        "largest head, rows not normalised",
        "You take the largest weight of all heads; their mean is asked for.",
        _stepwise(lambda layer: _with_identity(layer.max(axis=1))),
    ),
    Mistake(
        "heads summed",
        "You add up the heads instead of averaging them, so that the identity counts for less "
        "the more heads there are.",
        _stepwise(lambda layer: _rows_normalised(layer.sum(axis=1))),
    ),
    Mistake(
        "one head only",
        "Your roll-out equals that of the first head alone; all heads are to be averaged.",
        _stepwise(lambda layer: _with_identity(layer[:, 0])),
    ),
    Mistake(
        "columns normalised",
        "The columns of your matrices are normalised. A row belongs to a query: it must sum to 1.",
        _stepwise(_columns_normalised),
    ),
    Mistake(
        "transposed",
        "Your roll-out is transposed: row i says from which tokens token i has gathered.",
        _rolled(lambda attentions: np.swapaxes(oracles.attention_rollout(attentions), -1, -2)),
    ),
    Mistake(
        "identity at the end",
        "You add the identity once, at the end. There is a residual connection in every layer.",
        _rolled(_identity_at_the_end),
    ),
    Mistake(
        "entry by entry",
        "You multiply entry by entry; a matrix product is asked for (what one token gathered was "
        "itself gathered by others before).",
        _rolled(_entry_by_entry),
    ),
    Mistake(
        "last layer only",
        "Your roll-out equals that of the last layer alone.",
        _rolled(lambda attentions: oracles.attention_rollout(attentions[-1:])),
    ),
    Mistake(
        "first layer only",
        "Your roll-out equals that of the first layer alone.",
        _rolled(lambda attentions: oracles.attention_rollout(attentions[:1])),
    ),
    Mistake(
        "first layer left out",
        "The first layer is missing from your product. Where does your loop start, and with what?",
        _rolled(_first_left_out),
    ),
    Mistake(
        "layers averaged",
        "You average the layers; they follow each other, so their matrices are multiplied.",
        _rolled(_mean_of_layers),
    ),
    Mistake(
        "layers added",
        "You add up the layers; they follow each other, so their matrices are multiplied.",
        _rolled(_sum_of_layers),
    ),
]


# ------------------------------------------------------------------------------ linear probe


def _fitted(formula: Callable, on: float = 1.0, off: float = 0.0) -> Oracle:
    """Return the oracle that applies `formula(features, targets, penalty)` to the case."""

    def oracle(case: Case, _: Observation) -> Values:
        targets = np.full((len(case["features"]), case["num_classes"]), off)
        targets[np.arange(len(targets)), np.ravel(case["labels"])] = on
        penalty = 1.0 if case["penalty"] is None else case["penalty"]
        weights, bias = formula(case["features"].astype(np.float64), targets, penalty)
        return {"weights": weights, "bias": bias}

    return oracle


def _bias_penalised(
    features: np.ndarray, targets: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    ones = np.ones((len(features), 1))
    columns = np.concatenate([features, ones], axis=1)
    gram = columns.T @ columns + penalty * np.eye(columns.shape[1])
    solution = np.linalg.solve(gram, columns.T @ targets)
    return solution[:-1], solution[-1]


def _without_bias(
    features: np.ndarray,
    targets: np.ndarray,
    penalty: float,
    bias: oracles.Step = lambda targets: np.zeros(targets.shape[1]),
) -> tuple[np.ndarray, np.ndarray]:
    gram = features.T @ features + penalty * np.eye(features.shape[1])
    return np.linalg.solve(gram, features.T @ targets), bias(targets)


def _bias_forgets_the_mean(
    features: np.ndarray, targets: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    return oracles.ridge(features, targets, penalty)[0], targets.mean(axis=0)


def _bias_forgotten(
    features: np.ndarray, targets: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    return oracles.ridge(features, targets, penalty)[0], np.zeros(targets.shape[1])


def _standardised(
    features: np.ndarray, targets: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    return oracles.ridge(scaled, targets, penalty)


def _penalised(change: Callable) -> Oracle:
    """Return the oracle whose penalty is `change(penalty, n)`."""
    return _fitted(
        lambda features, targets, penalty: oracles.ridge(
            features, targets, change(penalty, len(features))
        )
    )


PROBE_MISTAKES = [
    Mistake(
        "bias penalised",
        "Your bias is penalised along with the weights. It only moves all scores of a class up or "
        "down, and is to be left free.",
        _fitted(_bias_penalised),
    ),
    Mistake(
        "no bias",
        "Your fit has no bias: its lines all go through 0, but the features' mean is not 0.",
        _fitted(_without_bias),
    ),
    Mistake(
        "bias fitted apart",
        "Your weights are fitted as if there were no bias, and the bias is put in afterwards. The "
        "two depend on each other: centre features and targets first.",
        _fitted(partial(_without_bias, bias=lambda targets: targets.mean(axis=0))),
    ),
    Mistake(
        "bias without the features' mean",
        "Your weights are right. The bias is not: the features were centred for the fit, but those "
        "that the probe will see are not. What has to be taken off?",
        _fitted(_bias_forgets_the_mean),
    ),
    Mistake(
        "bias forgotten",
        "Your weights are right, but the bias is 0. At the mean of the features the scores have to "
        "be the mean of the targets.",
        _fitted(_bias_forgotten),
    ),
    Mistake(
        "no penalty",
        "Your fit equals that without a penalty.",
        _penalised(lambda penalty, n: 0.0),
    ),
    Mistake(
        "penalty times n",
        "Your penalty acts n times as strongly as asked: it belongs to the sum of the squared "
        "errors, not to their mean.",
        _penalised(lambda penalty, n: penalty * n),
    ),
    Mistake(
        "penalty over n",
        "Your penalty acts n times more weakly than asked: the Gram matrix is a sum over samples.",
        _penalised(lambda penalty, n: penalty / n),
    ),
    Mistake(
        "penalty squared",
        "Your penalty is squared.",
        _penalised(lambda penalty, n: penalty**2),
    ),
    Mistake(
        "penalty halved",
        "Your penalty acts half as strongly as asked: look at the factors 2 of the derivative.",
        _penalised(lambda penalty, n: penalty / 2),
    ),
    Mistake(
        "penalty subtracted",
        "Your penalty is subtracted from the Gram matrix.",
        _penalised(lambda penalty, n: -penalty),
    ),
    Mistake(
        "targets of −1 and 1",
        "Your targets are −1 and 1; 0 and 1 (one-hot) are asked for.",
        _fitted(oracles.ridge, off=-1.0),
    ),
    Mistake(
        "features standardised",
        "Your weights belong to features that were divided by their standard deviation; the probe "
        "will see features that were not.",
        _fitted(_standardised),
    ),
]


# ------------------------------------------------------------------------------- beam search


def _found(
    change_table: Callable = lambda table: table,
    pick: int = 0,
    answer: Callable | None = None,
    **changes: Any,
) -> Oracle:
    """Return the oracle of a search in which some things are changed.

    change_table: of the log-probabilities. pick: which beam is returned. answer: from (tokens,
    score) to what is returned. changes: of the settings, each a value or a function of the case.
    """

    def oracle(case: Case, _: Observation) -> Values:
        names = ("num_beams", "max_length", "end_token")
        settings = {name: case[name] for name in names}
        for name, change in changes.items():
            settings[name] = change(case) if name in names else change
        look_up = from_table(change_table(case["table"].astype(np.float64)))
        tokens, score = oracles.beam_search(look_up, **settings)[pick]
        tokens, score = answer(tokens, score) if answer else (tokens, score)
        return {"tokens": np.array(tokens), "score": np.array(score)}

    return oracle


def _cut_at_end(case: Case, _: Observation) -> Values:
    """Return the sequence without its end token."""
    found = _found()(case, _)
    ended = found["tokens"][-1] == case["end_token"]
    return {"tokens": found["tokens"][:-1] if ended else found["tokens"], "score": found["score"]}


def _first_finished(case: Case, _: Observation) -> Values:
    look_up = from_table(case["table"].astype(np.float64))
    settings = case["num_beams"], case["max_length"], case["end_token"]
    tokens, score = first_finished(look_up, *settings)
    return {"tokens": np.array(tokens), "score": np.array(score)}


def _last_step(table: np.ndarray) -> Callable:
    look_up = from_table(table)
    return lambda tokens, _: float(look_up(tokens[:-1])[tokens[-1]])


def _ranked_by_last_step(case: Case, observation: Observation) -> Values:
    return _found(rank=_last_step(case["table"].astype(np.float64)))(case, observation)


BEAM_MISTAKES = [
    Mistake(
        "greedy",
        "Your search takes the most probable token at every step, whatever num_beams says. A token "
        "that looks worse now may lead to a better sequence.",
        _found(num_beams=lambda case: 1),
    ),
    Mistake(
        "one child a beam",
        "Each of your beams goes on with its best token only. The best num_beams of all "
        "continuations of all beams are to be kept, also if several come from the same beam.",
        _found(children=1),
    ),
    Mistake(
        "one child a beam after the first step",
        "After the first step each of your beams goes on with its best token only. The best "
        "num_beams of all continuations are to be kept.",
        lambda case, _: _one_child_later(case),
    ),
    Mistake(
        "end token ignored",
        "Your sequences go on after the end token. One that has ended is finished.",
        _found(end_token=lambda case: -1),
    ),
    Mistake(
        "end token cut off",
        "The end token is missing from your tokens: it belongs to the sequence, as its last token.",
        _cut_at_end,
    ),
    Mistake(
        "first finished",
        "You return the first sequence that comes to an end, although another one in the beam is "
        "more probable.",
        _first_finished,
    ),
    Mistake(
        "probabilities added",
        "You add up probabilities. Probabilities of successive tokens are multiplied, which means "
        "that their logarithms are added.",
        _found(change_table=np.exp),
    ),
    Mistake(
        "ranked by the last step",
        "Your beams are compared by the last step alone; what counts is the sum over all steps.",
        _ranked_by_last_step,
    ),
    Mistake(
        "ranked by mean",
        "Your beams are compared by the mean log-probability of a token, which favours long "
        "sequences. Here the sum is asked for.",
        _found(rank=mean_score),
    ),
    Mistake(
        "mean returned",
        "Your tokens are right. The score is the mean log-probability of a token; the sum is asked "
        "for.",
        _found(answer=lambda tokens, score: (tokens, mean_score(tokens, score))),
    ),
    Mistake(
        "probability returned",
        "Your tokens are right. The score is the probability itself; its logarithm is asked for.",
        _found(answer=lambda tokens, score: (tokens, np.exp(score))),
    ),
    Mistake(
        "sign of the score",
        "Your tokens are right, but the score has the wrong sign: logarithms of probabilities are "
        "negative.",
        _found(answer=lambda tokens, score: (tokens, -score)),
    ),
    Mistake(
        "worst beam returned",
        "You return the last beam instead of the best one.",
        _found(pick=-1),
    ),
    Mistake(
        "one token short",
        "Your sequences are one token shorter than max_length allows.",
        _found(max_length=lambda case: case["max_length"] - 1),
    ),
    Mistake(
        "one token long",
        "Your sequences are one token longer than max_length allows.",
        _found(max_length=lambda case: case["max_length"] + 1),
    ),
]


def _one_child_later(case: Case) -> Values:
    """Return what num_beams greedy searches find that differ in their first token."""
    look_up = from_table(case["table"].astype(np.float64))
    first = look_up(())
    found = []
    for start in np.argsort(-first)[: case["num_beams"]]:
        tokens, score = [int(start)], float(first[start])
        while tokens[-1] != case["end_token"] and len(tokens) < case["max_length"]:
            steps = look_up(tokens)
            tokens.append(int(np.argmax(steps)))
            score += float(steps.max())
        found.append((tokens, score))
    tokens, score = max(found, key=lambda beam: beam[1])
    return {"tokens": np.array(tokens), "score": np.array(score)}
