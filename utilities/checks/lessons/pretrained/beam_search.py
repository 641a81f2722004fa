"""Beam search: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Mistake, Remark, Values
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.kernel.pretrained.protocol import from_table

Beam = tuple[tuple[int, ...], tuple[float, ...]]  # tokens, and the log-probability of each
OfSteps = Callable[[Sequence[float]], float]
FAR_TOO_MANY = 3000  # candidates in one step
ENDS = {"never": -4.0, "early": 0.7, "worse": -0.5}  # what the end token's score gets

# --- what goes in: tables that tell the mistakes apart ---------------------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw tables of probabilities in which beams, endings and the limit of length matter."""
    beams, endings = partial(_case, rng, "beams"), partial(_case, rng, "endings", ends="early")
    drawn = [
        _case(rng, "one beam", 1, 4, 5, tells=["one beam too many"]),
        beams(2, 3, 4, tells=["greedy", "one child a beam", "one beam too few"]),
        beams(3, 4, 6, tells=["greedy", "one child a beam after the first step"]),
        beams(4, 6, 5, tells=["two children a beam"]),
        beams(3, 5, 4, tells=["ranked by the last step", "ranked by the last two steps"]),
        _case(rng, "more beams than tokens", 5, 3, 3),
        endings(2, 5, 4, tells=["first finished", "ranked by mean"]),
        endings(3, 6, 5, tells=["stopped at the first ending", "length penalty"]),
        endings(3, 7, 4, tells=["finished beams hold their place"]),
        _case(rng, "endings", 3, 5, 4, tells=["finished preferred"], ends="worse"),
    ]
    for _ in range(3 * thorough):
        num_beams, max_length = (int(n) for n in rng.permutation([3, 5]))
        drawn.append(beams(num_beams, max_length, 6, tells=["greedy"]))
        drawn.append(endings(num_beams, max_length + 1, 6, tells=["first finished", "ranked by mean"]))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    num_beams: int,
    max_length: int,
    vocabulary: int,
    tells: Sequence[str] = (),
    ends: str = "never",
) -> Case:
    """Return log-probabilities by number of tokens and last token, (max_length, V + 1, V).

    Drawn until the case tells the mistakes of these names from the right search, whatever the seed.
    ends: "early" where the answer does, "worse" where another sequence of the beam has ended.
    """
    wrong = [way for mistake in MISTAKES if mistake.name in tells for way in mistake.ways]
    end_token = int(rng.integers(vocabulary))
    while True:
        scores = rng.normal(scale=1.2, size=(max_length + 1, vocabulary + 1, vocabulary))
        scores[..., end_token] += ENDS[ends]
        table = np.log(oracles.softmax(scores)).astype(np.float32)
        sizes = {"num_beams": num_beams, "max_length": max_length, "end_token": end_token}
        case = Case(stage, {"table": table, **sizes})
        if _is_clear(case, ends) and all(_differs(case, dict(way)) for way in wrong):
            return case


def _is_clear(case: Case, ends: str) -> bool:
    """Return whether the answer ends as it should, and is no matter of rounding or of taste.

    Some put finished sequences aside and refill the beam; both give the same answer here.
    """
    look_up, end = from_table(case["table"].astype(np.float64)), case["end_token"]
    settings = case["num_beams"], case["max_length"], end
    found = search(look_up, *settings)
    best, scores = found[0][0], [sum(steps) for _, steps in found]
    ended = [end in tokens for tokens, _ in found]
    as_wanted = {
        "never": not any(ended),
        "early": ended[0] and 1 < len(best) < case["max_length"],
        "worse": not ended[0] and any(ended),
    }[ends]
    apart = len(scores) == 1 or scores[0] - scores[1] > 0.02
    return as_wanted and apart and search(look_up, *settings, select=_finished_aside)[0][0] == best


def _differs(case: Case, way: dict[str, Any]) -> bool:
    right, wrong = formula(case, Observation()), formula(case, Observation(), **way)
    return not np.array_equal(right["tokens"], wrong["tokens"])


# --- the formula -----------------------------------------------------------------------------------


def _best_of_all(found: list[Beam], num_beams: int, aside: list[Beam], end_token: int) -> list[Beam]:
    return found[:num_beams]


def search(
    log_probabilities: Callable[[tuple[int, ...]], np.ndarray],
    num_beams: int,
    max_length: int,
    end_token: int,
    *,
    rank: OfSteps = sum,
    children: Callable[[int], int | None] = lambda step: None,
    context: Callable[[tuple[int, ...]], tuple[int, ...]] = lambda tokens: tokens,
    select: Callable[[list[Beam], int, list[Beam], int], list[Beam]] = _best_of_all,
    enough: Callable[[list[Beam], int], bool] = lambda beams, end_token: False,
) -> list[Beam]:
    """Return the beams left at the end, best first; one that ends with `end_token` keeps its place.

    The settings: what candidates are compared by, how many children a beam has in a step, what is
    asked about, how a beam is made of candidates (some may be put aside), and when to stop early.
    Raises ValueError where far too many are kept.
    """
    beams: list[Beam] = [((), ())]
    aside: list[Beam] = []
    for step in range(max_length):
        found: list[Beam] = []
        for tokens, steps in beams:
            if tokens[-1:] == (end_token,):
                found.append((tokens, steps))
                continue
            following = log_probabilities(context(tokens))  # (V,)
            for token in np.argsort(-following, kind="stable")[: children(step)]:
                found.append(((*tokens, int(token)), (*steps, float(following[token]))))
        if len(found) > FAR_TOO_MANY:
            raise ValueError("too many candidates")
        beams = select(_sorted(found, rank), num_beams, aside, end_token)
        if enough(beams, end_token):
            break
    return _sorted(aside + beams, rank)


def _sorted(beams: list[Beam], rank: OfSteps) -> list[Beam]:
    return sorted(beams, key=lambda beam: -rank(beam[1]))


def _all_tokens(tokens: tuple[int, ...], end_token: int) -> tuple[int, ...]:
    return tokens


def formula(
    case: Case,
    seen: Observation,
    *,
    table: oracles.Step = lambda log_probabilities: log_probabilities,
    num_beams: Callable[[int], int] = lambda n: n,
    max_length: Callable[[int], int] = lambda n: n,
    end_token: Callable[[int], int] = lambda token: token,
    pick: Callable[[list[Beam], int], Beam] = lambda beams, end_token: beams[0],
    score: OfSteps = sum,
    cut: Callable[[tuple[int, ...], int], tuple[int, ...]] = _all_tokens,
    swapped: bool = False,
    **inside: Any,
) -> Arrays:
    """Return the tokens of the best sequence and its score.

    The settings: what the table holds, the sizes of the search, which beam is returned, its score
    from the log-probabilities of its tokens, what is left of the tokens, and in which order the
    two are returned; the others are those of `search`.
    """
    end = case["end_token"]
    sizes = num_beams(case["num_beams"]), max_length(case["max_length"]), end_token(end)
    beams = search(from_table(table(case["table"].astype(np.float64))), *sizes, **inside)
    tokens, steps = pick(beams, end)
    answer = {"tokens": np.array(cut(tokens, end)), "score": np.array(score(steps))}
    return {"tokens": answer["score"], "score": answer["tokens"]} if swapped else answer


# --- the mistakes ----------------------------------------------------------------------------------


def _mean(steps: Sequence[float]) -> float:
    return sum(steps) / len(steps)


def _over_a_power_of_length(steps: Sequence[float], power: float) -> float:
    return sum(steps) / len(steps) ** power


def _length_penalty(steps: Sequence[float]) -> float:
    """Return the sum over the length penalty of Wu et al., 2016 (arXiv 1609.08144, equation 14)."""
    return sum(steps) / ((5 + len(steps)) / 6) ** 0.6


def _product(steps: Sequence[float]) -> float:
    return float(np.prod(steps))


def _product_of_costs(steps: Sequence[float]) -> float:
    return float(np.prod([-step for step in steps]))


def _negative(steps: Sequence[float]) -> float:
    return -sum(steps)


def _finished(beams: list[Beam], end_token: int) -> list[Beam]:
    return [beam for beam in beams if beam[0][-1:] == (end_token,)]


def _first_finished(beams: list[Beam], end_token: int) -> Beam:
    return (_finished(beams, end_token) or beams)[0]


def _any_finished(beams: list[Beam], end_token: int) -> bool:
    return bool(_finished(beams, end_token))


def _finished_aside(found: list[Beam], num_beams: int, aside: list[Beam], end: int) -> list[Beam]:
    """Put finished ones among the best aside, and fill the beam with unfinished ones."""
    aside += _finished(found[:num_beams], end)
    return [beam for beam in found if beam[0][-1] != end][:num_beams]


def _finished_hold_places(found: list[Beam], num_beams: int, aside: list[Beam], end: int) -> list[Beam]:
    """Put finished ones aside, where each holds a place of the beam for ever."""
    beams: list[Beam] = []
    for beam in found:
        if len(beams) + len(aside) >= num_beams:
            break
        (aside if beam[0][-1] == end else beams).append(beam)
    return beams


def _finished_lost(found: list[Beam], num_beams: int, aside: list[Beam], end: int) -> list[Beam]:
    """Drop finished ones wherever anything else is left."""
    return [beam for beam in found if beam[0][-1] != end][:num_beams] or found[:num_beams]


def _without_end(tokens: tuple[int, ...], end_token: int) -> tuple[int, ...]:
    return tokens[:-1] if tokens[-1:] == (end_token,) else tokens


MISTAKES = [
    Mistake(
        "greedy",
        "Your search takes the most probable token at every step, whatever num_beams says. A token "
        "that looks worse now may lead to a better sequence.",
        num_beams=lambda n: 1,
    ),
    Mistake(
        "all sequences kept",
        "You keep all sequences, however many they are. After each step only the best num_beams are "
        "kept: trying all is out of the question.",
        num_beams=lambda n: 10 * FAR_TOO_MANY,
    ),
    Mistake(
        "one token only",
        "Your search is over after the first token. It goes on until max_length tokens are found, or "
        "all sequences kept have ended.",
        max_length=lambda n: 1,
    ),
    Mistake(
        "log-probabilities subtracted",
        "You subtract the log-probabilities, so that the least probable sequences come out best. The "
        "score of a sequence is their sum.",
        rank=_negative,
        score=_negative,
    ),
    Mistake(
        "one beam too few",
        "You keep one sequence fewer than num_beams.",
        num_beams=lambda n: max(n - 1, 1),
    ),
    Mistake(
        "one beam too many",
        "You keep one sequence more than num_beams.",
        num_beams=lambda n: n + 1,
    ),
    Mistake(
        "one child a beam",
        "Each of your beams goes on with its best token only. The best num_beams of all "
        "continuations of all beams are to be kept, also if several come from the same beam.",
        children=lambda step: 1,
        unseen="in cases of few tokens it is the greedy search: the catalogue shows it",
    ),
    Mistake(
        "two children a beam",
        "Each of your beams goes on with its two best tokens only. The best num_beams of all "
        "continuations of all beams are to be kept, also if more come from the same beam.",
        children=lambda step: 2,
    ),
    Mistake(
        "one child a beam after the first step",
        "After the first step each of your beams goes on with its best token only. The best "
        "num_beams of all continuations are to be kept.",
        children=lambda step: 1 if step else None,
    ),
    Mistake(
        "last tokens asked about alone",
        "You ask for the next token after the last one or two tokens alone. It depends on all tokens "
        "so far: give log_probabilities the whole list.",
        {"context": lambda tokens: tokens[-1:]},
        {"context": lambda tokens: tokens[-2:]},
    ),
    Mistake(
        "end token ignored",
        "Your sequences go on after the end token. One that has ended is finished.",
        end_token=lambda token: -1,
    ),
    Mistake(
        "end token cut off",
        "The end token is missing from your tokens: it belongs to the sequence, as its last token.",
        cut=_without_end,
    ),
    Mistake(
        "first finished",
        "You return the first sequence that comes to an end, although another one in the beam is "
        "more probable.",
        enough=_any_finished,
        pick=_first_finished,
    ),
    Mistake(
        "stopped at the first ending",
        "Your search stops as soon as one sequence has come to an end. The others in the beam go on: "
        "they may still be the better ones.",
        enough=_any_finished,
    ),
    Mistake(
        "finished preferred",
        "In the end you prefer a sequence that is finished to one that is more probable. The best of "
        "the beam is asked for, whether it has ended or not.",
        {"pick": _first_finished},
    ),
    Mistake(
        "finished beams hold their place",
        "Your finished sequences keep a place in the beam even where num_beams others are better, so "
        "that good ones drop out. They compete with all other candidates in every step.",
        select=_finished_hold_places,
    ),
    Mistake(
        "finished beams lost",
        "Your sequences drop out of the search when they come to an end. A finished one stays in the "
        "beam as it is, with its score, as long as it is among the best.",
        select=_finished_lost,
    ),
    Mistake(
        "probabilities added",
        "You add up probabilities. Probabilities of successive tokens are multiplied, which means "
        "that their logarithms are added.",
        table=np.exp,
    ),
    Mistake(
        "logarithms multiplied",
        "You multiply logarithms. Probabilities of successive tokens are multiplied, which means that "
        "their logarithms are added.",
        {"rank": lambda steps: -_product_of_costs(steps), "score": _product_of_costs},
        {"rank": _product, "score": _product},
        {"rank": _product_of_costs, "score": _product_of_costs},
    ),
    Mistake(
        "ranked by the last step",
        "Your beams are compared by the last step alone; what counts is the sum over all steps.",
        {"rank": lambda steps: steps[-1]},
        {"rank": lambda steps: steps[-1], "score": lambda steps: steps[-1]},
    ),
    Mistake(
        "ranked by the last two steps",
        "Your beams are compared by their last two steps; what counts is the sum over all steps.",
        {"rank": lambda steps: sum(steps[-2:])},
        {"rank": lambda steps: sum(steps[-2:]), "score": lambda steps: sum(steps[-2:])},
    ),
    Mistake(
        "ranked by mean",
        "Your beams are compared by the mean log-probability of a token, which favours long "
        "sequences. Here the sum is asked for.",
        rank=_mean,
    ),
    Mistake(
        "length penalty",
        "Your beams are compared by the sum over a power of their length, which favours long "
        "sequences. Here the sum itself is asked for.",
        {"rank": _length_penalty},
        {"rank": partial(_over_a_power_of_length, power=0.6)},
        {"rank": partial(_over_a_power_of_length, power=0.7)},
    ),
    Mistake(
        "mean returned",
        "Your tokens are right. The score is the mean log-probability of a token; the sum is asked "
        "for.",
        score=_mean,
    ),
    Mistake(
        "last step returned",
        "Your tokens are right. The score is the log-probability of the last token; the sum over all "
        "tokens is asked for.",
        score=lambda steps: steps[-1],
    ),
    Mistake(
        "probability returned",
        "Your tokens are right. The score is the probability itself; its logarithm is asked for.",
        score=lambda steps: float(np.exp(sum(steps))),
    ),
    Mistake(
        "wrong start",
        "Your tokens are right, but the score is not their sum. Which score has the empty sequence at "
        "the start?",
        {"score": lambda steps: sum(steps) + 1},
        {"score": lambda steps: sum(steps) - 1},
    ),
    Mistake(
        "sign of the score",
        "Your tokens are right, but the score has the wrong sign: logarithms of probabilities are "
        "negative.",
        score=lambda steps: -sum(steps),
    ),
    Mistake(
        "worst beam returned",
        "You return the last beam instead of the best one.",
        {"pick": lambda beams, end_token: beams[-1]},
    ),
    Mistake(
        "worst candidates kept",
        "You keep the least probable candidates. Sorting goes from small to large.",
        {"rank": lambda steps: -sum(steps)},
    ),
    Mistake(
        "one token short",
        "Your sequences are one token shorter than max_length allows.",
        max_length=lambda n: n - 1,
    ),
    Mistake(
        "one token long",
        "Your sequences are one token longer than max_length allows.",
        max_length=lambda n: n + 1,
    ),
    Mistake(
        "results swapped",
        "You return the score first. The order is (tokens, score).",
        swapped=True,
    ),
]
CHECK = Check(
    cases=cases,
    formula=formula,
    passes_to=[search],
    findings=[
        Values(
            "one beam", "with one beam, the most probable token at every step", about=("num_beams",)
        ),
        Values(
            "beams",
            "several beams find a sequence that the greedy choice misses",
            2.0,
            about=("children", "rank"),
        ),
        Values("more beams than tokens", "num_beams may be larger than the vocabulary", 0.5),
        Values(
            "endings",
            "a sequence is finished at the end token",
            2.0,
            about=("end_token", "cut", "enough", "pick", "select"),
        ),
    ],
    mistakes=MISTAKES,
    remarks=[
        Remark(
            "Your tokens come in another container than a list, which the task asks for.",
            lambda case, seen: not seen["listed"],
        ),
    ],
)
