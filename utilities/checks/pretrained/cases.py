"""What goes into the checks of this lesson. All dimensions of a case differ from each other."""

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.kernel.case import Case
from utilities.checks.pretrained.signs import LookUp, from_table


def top_classes(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw logits of one image and of several, for several k, and large ones."""
    cases = [
        _logits_case(rng, "one image", 1, 6, k=3),
        _logits_case(rng, "one image", 1, 9, k=1),
        _logits_case(rng, "images", 3, 7, k=4),
        _logits_case(rng, "images", 4, 12, k=2),
        _logits_case(rng, "five", 2, 8, k=None),
        _logits_case(rng, "large logits", 2, 6, k=3, shift=500.0),
    ]
    if thorough:
        for _ in range(3):
            batch, k, num_classes = np.sort(rng.permutation(np.arange(1, 15))[:3])
            cases.append(_logits_case(rng, "images", int(batch), int(num_classes), k=int(k)))
    return cases


def attention_rollout(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw attention weights of one head and layer, of several heads, and of several layers."""
    cases = [
        _attentions_case(rng, "one layer", 1, 1, 1, 4),
        _attentions_case(rng, "heads", 1, 1, 3, 5),
        _attentions_case(rng, "heads", 1, 2, 4, 3),
        _attentions_case(rng, "layers", 2, 1, 3, 5),
        _attentions_case(rng, "layers", 4, 2, 3, 6),
    ]
    if thorough:
        for _ in range(3):
            sizes = (int(size) for size in rng.permutation(np.arange(2, 9))[:4])
            cases.append(_attentions_case(rng, "layers", *sizes))
    return cases


def fit_linear_probe(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw features and labels: many samples, labels as columns, an unseen class, few samples."""
    cases = [
        _features_case(rng, "many samples", 40, 3, 4, penalty=2.0),
        _features_case(rng, "many samples", 60, 5, 3, penalty=20.0),
        _features_case(rng, "default penalty", 24, 4, 3, penalty=None),
        _features_case(rng, "labels in a column", 30, 4, 3, penalty=5.0, column=True),
        _features_case(rng, "a class without samples", 32, 3, 5, penalty=3.0, unseen=True),
        _features_case(rng, "fewer samples than features", 7, 9, 3, penalty=4.0),
    ]
    if thorough:
        for _ in range(3):
            num_classes, d, n = np.sort(rng.permutation(np.arange(2, 30))[:3])
            penalty = round(float(rng.uniform(2.0, 10.0)), 1)
            cases.append(_features_case(rng, "many samples", int(n), int(d), int(num_classes), penalty))
    return cases


def beam_search(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw tables of probabilities in which beams, endings and the limit of length matter."""
    cases = [
        _table_case(rng, "one beam", num_beams=1, max_length=4, vocabulary=5),
        _table_case(rng, "beams", num_beams=2, max_length=3, vocabulary=4),
        _table_case(rng, "beams", num_beams=3, max_length=4, vocabulary=6),
        _table_case(rng, "beams", num_beams=4, max_length=6, vocabulary=5),
        _table_case(rng, "endings", num_beams=2, max_length=5, vocabulary=4, ends=True),
        _table_case(rng, "endings", num_beams=3, max_length=6, vocabulary=5, ends=True),
        _table_case(rng, "endings", num_beams=4, max_length=7, vocabulary=6, ends=True),
    ]
    if thorough:
        for _ in range(3):
            num_beams, vocabulary, max_length = (int(n) for n in rng.permutation([3, 5, 7]))
            cases.append(_table_case(rng, "beams", num_beams, max_length, vocabulary))
            cases.append(_table_case(rng, "endings", num_beams, max_length, vocabulary, ends=True))
    return cases


def _logits_case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    num_classes: int,
    k: int | None,
    shift: float = 0.0,
) -> Case:
    """Return logits whose order differs from image to image and no two of which are close."""
    ladder = np.linspace(-1.5, 2.0, num_classes) + rng.uniform(0, 0.2 / num_classes, num_classes)
    logits = np.stack([rng.permutation(ladder) for _ in range(batch)]) + shift
    return Case(stage, {"logits": logits.astype(np.float32), "k": k})


def _attentions_case(
    rng: np.random.Generator, stage: str, num_layers: int, batch: int, num_heads: int, num_tokens: int
) -> Case:
    """Return softmaxed scores of size one: every token has a say, none has it all."""
    scores = rng.normal(size=(num_layers, batch, num_heads, num_tokens, num_tokens))
    return Case(stage, {"attentions": oracles.softmax(scores).astype(np.float32)})


def _features_case(
    rng: np.random.Generator,
    stage: str,
    n: int,
    d: int,
    num_classes: int,
    penalty: float | None,
    column: bool = False,
    unseen: bool = False,
) -> Case:
    """Return features with a mean away from 0, each class at a place of its own."""
    seen = num_classes - 1 if unseen else num_classes
    labels = rng.permutation(np.arange(n) % seen)
    centres = rng.normal(size=(num_classes, d))
    features = centres[labels] + rng.normal(size=(n, d)) + rng.uniform(0.5, 1.5, size=d)
    labels = labels.astype(np.uint8)
    return Case(
        stage,
        {
            "features": features.astype(np.float32),
            "labels": labels[:, np.newaxis] if column else labels,
            "num_classes": num_classes,
            "penalty": penalty,
        },
    )


def _table_case(
    rng: np.random.Generator,
    stage: str,
    num_beams: int,
    max_length: int,
    vocabulary: int,
    ends: bool = False,
) -> Case:
    """Return log-probabilities by number of tokens and last token, (max_length, V + 1, V).

    Drawn until the case tells what it is for: with several beams the answer is not the greedy one,
    with endings it ends early, and neither the first sequence to end nor the one of the largest
    mean is the answer. In every case setting finished sequences aside, as some do, gives the same
    answer as keeping their place in the beam.
    """
    end_token = int(rng.integers(vocabulary))
    while True:
        scores = rng.normal(scale=1.2, size=(max_length + 1, vocabulary + 1, vocabulary))
        scores[..., end_token] += 0.7 if ends else -4.0
        table = np.log(oracles.softmax(scores)).astype(np.float32)
        case = Case(
            stage,
            {
                "table": table,
                "num_beams": num_beams,
                "max_length": max_length,
                "end_token": end_token,
            },
        )
        if _tells(case, ends):
            return case


def _tells(case: Case, ends: bool) -> bool:
    settings = case["num_beams"], case["max_length"], case["end_token"]
    look_up = from_table(case["table"])
    (best, score), *others = oracles.beam_search(look_up, *settings)
    greedy = oracles.beam_search(look_up, 1, *settings[1:])[0][0]
    apart = all(score - other > 0.02 for _, other in others)
    ended_early = (
        best[-1] == case["end_token"]
        and 1 < len(best) < case["max_length"]
        and best != first_finished(look_up, *settings)[0]
        and best != oracles.beam_search(look_up, *settings, rank=mean_score)[0][0]
    )
    never_ends = all(case["end_token"] not in tokens for tokens, _ in [(best, score), *others])
    return (
        apart
        and (ended_early if ends else never_ends)
        and (case["num_beams"] == 1 or best != greedy)
        and best == _with_finished_aside(look_up, *settings)
    )


def mean_score(tokens: tuple[int, ...], score: float) -> float:
    """Return the mean log-probability of a token."""
    return score / len(tokens)


def first_finished(
    look_up: LookUp, num_beams: int, max_length: int, end_token: int
) -> tuple[tuple[int, ...], float]:
    """Return the first sequence that ends in the beam, even if others are still better."""
    for length in range(1, max_length + 1):
        beams = oracles.beam_search(look_up, num_beams, length, end_token)
        ended = [beam for beam in beams if beam[0][-1] == end_token]
        if ended:
            return ended[0]
    return beams[0]


def _with_finished_aside(
    look_up: LookUp, num_beams: int, max_length: int, end_token: int
) -> tuple[int, ...]:
    """Return the answer of a search that takes finished sequences out of the beam."""
    beams: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    finished: list[tuple[tuple[int, ...], float]] = []
    for _ in range(max_length):
        candidates = [
            ((*tokens, token), score + float(step))
            for tokens, score in beams
            for token, step in enumerate(look_up(tokens))
        ]
        candidates.sort(key=lambda beam: -beam[1])
        finished += [beam for beam in candidates[:num_beams] if beam[0][-1] == end_token]
        beams = [beam for beam in candidates if beam[0][-1] != end_token][:num_beams]
    return max(finished + beams, key=lambda beam: beam[1])[0]
