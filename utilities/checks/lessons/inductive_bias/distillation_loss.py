"""A loss with a teacher: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Callable
from functools import partial

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Check, Lazily, Mistake, Only, Sign, Values
from utilities.checks.core.drawing import normal
from utilities.checks.core.tolerance import ROUNDING
from utilities.checks.kernel.case import Case, Observation

TEMPERATURE, TEACHER_SHARE = 2.0, 0.7  # where they are not given
KERAS_EPSILON = 1e-7
FAR = 60.0  # apart: in float32 exp(89) is infinite, and exp(−104) is 0

# --- what goes in ----------------------------------------------------------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw each part by itself, then both, labels both ways, logits far apart, a traced call.

    Half of the points hang on labels in a row, half on labels in a column.
    """
    draw = partial(_case, rng)
    drawn = [
        draw("labels alone", 3, 4, temperature=1.0, teacher_share=0.0),
        draw("labels alone", 6, 5, temperature=2.5, teacher_share=0.0),
        draw("teacher alone", 3, 4, temperature=1.0, teacher_share=1.0),
        draw("softened", 3, 5, temperature=2.5, teacher_share=1.0),
        draw("softened", 5, 4, temperature=0.6, teacher_share=1.0),
        draw("both", 4, 3, temperature=3.0, teacher_share=0.35, column=True),
        draw("both", 5, 7, temperature=1.5, teacher_share=0.8, column=True),
        draw("column", 4, 6, temperature=3.0, teacher_share=0.6, column=True),
        draw("defaults", 4, 5, temperature=None, teacher_share=None, column=True),
        draw("far apart", 4, 3, temperature=1.25, teacher_share=0.4, column=True, scale=FAR),
        draw("gradient", 3, 4, temperature=2.5, teacher_share=0.6),
        draw("traced", 5, 3, temperature=1.75, teacher_share=0.3),
    ]
    for stage in ("both", "column", "far apart") if thorough else ():
        batch, num_classes = (int(n) for n in rng.permutation(np.array([4, 6, 9]))[:2])
        temperature, share = (round(float(rng.uniform(*ends)), 2) for ends in ((1.5, 3), (0.2, 0.8)))
        scale = FAR if stage == "far apart" else 1.0
        drawn.append(draw(stage, batch, num_classes, temperature, share, column=True, scale=scale))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    num_classes: int,
    temperature: float | None,
    teacher_share: float | None,
    column: bool = False,
    scale: float = 1.0,
) -> Case:
    """Return labels, and logits of two models that disagree about the first image at least.

    Scaled up, each model is sure of another class, so that neither exp nor a probability of 0 gets by.
    """
    labels = rng.integers(0, num_classes, size=(batch, 1) if column else batch)
    student, teacher = (normal(rng, batch, num_classes) for _ in range(2))
    if scale > 1.0:
        places = np.arange(batch)
        student[places, (np.ravel(labels) + 1) % num_classes] += 3.0
        teacher[places, np.ravel(labels)] += 3.0
    return Case(
        stage,
        {
            "labels": labels,
            "student_logits": student * np.float32(scale),
            "teacher_logits": teacher * np.float32(scale),
            "temperature": temperature,
            "teacher_share": teacher_share,
        },
    )


# --- the formula: logits z (B, K), labels y (B,) ---------------------------------------------------

OfLabels = Callable[[np.ndarray, np.ndarray], np.ndarray]  # z, y → (B,)
OfTeacher = Callable[[np.ndarray, np.ndarray], np.ndarray]  # softened z of teacher, student → (B,)
Softened = Callable[[np.ndarray, float], np.ndarray]  # z, temperature → z
H = 1e-5  # step of the central differences


def divergence(teacher: np.ndarray, student: np.ndarray) -> np.ndarray:
    """Return the Kullback-Leibler divergence of the student's softmax from the teacher's."""
    return _divergence_of(oracles.softmax(teacher), oracles.softmax(student))


def _divergence_of(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return Σ p ln(p / q) of each image, probabilities (B, K)."""
    return np.sum(p * (np.log(p) - np.log(q)), axis=-1)


def _over_temperature(z: np.ndarray, temperature: float) -> np.ndarray:
    return z / temperature


def _as_they_are(z: np.ndarray, temperature: float) -> np.ndarray:
    return z


def _one(temperature: float) -> float:
    return 1.0


def formula(
    case: Case,
    seen: Observation,
    *,
    default_temperature: float = TEMPERATURE,
    default_share: float = TEACHER_SHARE,
    shares: Callable[[float], tuple[float, float]] = lambda share: (1.0 - share, share),
    strength: Callable[[float], float] = np.square,
    strength_of_labels: Callable[[float], float] = _one,
    of_student: Softened = _over_temperature,
    of_teacher: Softened = _over_temperature,
    before_labels: Softened = _as_they_are,
    labels_part: OfLabels = oracles.cross_entropy,
    laid: Callable[[OfLabels, np.ndarray, np.ndarray, bool], np.ndarray] = (
        lambda part, z, y, column: part(z, y)
    ),
    teacher_part: OfTeacher = divergence,
    returns: Callable[[np.ndarray], np.ndarray] = lambda loss: loss,
    trained: tuple[str, ...] = ("labels", "student"),
) -> Lazily:
    """Return the loss of each image and, in their stage, the gradients of its sum.

    default_…: where they are not given. shares: of labels and teacher. strength: what the
    temperature multiplies the teacher's part by, and strength_of_labels the other one. of_student,
    of_teacher, before_labels: what it does to the logits. laid: how the labels' part is taken of
    labels in a column. trained: which logits the gradient flows through, the student's in either
    part and the teacher's.
    Source: Hinton et al. 2015; Touvron et al. 2021, equation 2.
    """
    temperature, share = case["temperature"], case["teacher_share"]
    temperature = default_temperature if temperature is None else temperature
    of_labels, of_teachers = shares(default_share if share is None else share)
    y, column = np.ravel(case["labels"]), case["labels"].ndim == 2

    def loss(labels: np.ndarray, student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
        """Return what is returned for the student's logits, once for each part, and the teacher's."""
        told = laid(labels_part, before_labels(labels, temperature), y, column)
        taught = teacher_part(of_teacher(teacher, temperature), of_student(student, temperature))
        return np.asarray(
            returns(
                of_labels * strength_of_labels(temperature) * told
                + of_teachers * strength(temperature) * taught
            )
        )

    student, teacher = (case[f"{who}_logits"].astype(np.float64) for who in ("student", "teacher"))
    logits = {"labels": student, "student": student, "teacher": teacher}

    def gradient(*parts: str) -> np.ndarray:
        """Return the gradient of the sum by the logits in these parts, 0 where none flows."""
        slopes = [_slope(loss, logits, part) for part in parts if part in trained]
        return np.sum([np.zeros_like(student), *slopes], axis=0)

    values: Lazily = {"loss": loss(**logits)}
    if case.stage != "gradient":
        return values
    return {
        **values,
        "student_gradient": lambda: gradient("labels", "student"),
        "teacher_gradient": lambda: gradient("teacher"),
    }


def _slope(loss: Callable[..., np.ndarray], logits: dict[str, np.ndarray], part: str) -> np.ndarray:
    """Return the derivative of the summed loss by the logits (B, K) of one part, by differences.

    So a mistake in the loss brings its own gradient, and nobody has to derive it.
    """
    slope = np.zeros_like(logits[part])
    for place in np.ndindex(slope.shape):
        step = np.zeros_like(slope)
        step[place] = H
        ahead, behind = (loss(**{**logits, part: logits[part] + s}).sum() for s in (step, -step))
        slope[place] = (ahead - behind) / (2 * H)
    return slope


def depth(case: Case) -> float:
    """Return how far float32 may go astray in a small difference of logarithms, times τ²."""
    temperature = TEMPERATURE if case["temperature"] is None else case["temperature"]
    return 2.0 * ROUNDING * max(1.0, temperature**2)


# --- the mistakes ----------------------------------------------------------------------------------


def _clipped(probabilities: np.ndarray) -> np.ndarray:
    return np.clip(probabilities, KERAS_EPSILON, 1.0)


def _clipped_cross_entropy(probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return what Keras makes of probabilities: cut off at both ends, then brought to sum 1."""
    return oracles.cross_entropy(np.log(np.clip(probabilities, KERAS_EPSILON, 1 - KERAS_EPSILON)), y)


def _cut_off_labels(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _clipped_cross_entropy(oracles.softmax(z), y)


def _cut_off_teacher(teacher: np.ndarray, student: np.ndarray) -> np.ndarray:
    return _divergence_of(*(_clipped(oracles.softmax(z)) for z in (teacher, student)))


def _with_epsilon(epsilon: float, teacher: np.ndarray, student: np.ndarray) -> np.ndarray:
    p, q = (oracles.softmax(z) for z in (teacher, student))
    return np.sum(p * (np.log(p + epsilon) - np.log(q + epsilon)), axis=-1)


def _taken_for_probabilities(teacher: np.ndarray, student: np.ndarray) -> np.ndarray:
    return _divergence_of(_clipped(teacher), _clipped(student))


def _twice(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return oracles.cross_entropy(oracles.softmax(z), y)


def _softmax_first(z: np.ndarray, temperature: float) -> np.ndarray:
    return oracles.softmax(z) / temperature


def _softmax_of_softened(z: np.ndarray, temperature: float) -> np.ndarray:
    return oracles.softmax(z / temperature)


def _times_temperature(z: np.ndarray, temperature: float) -> np.ndarray:
    return z * temperature


def _reversed(teacher: np.ndarray, student: np.ndarray) -> np.ndarray:
    return divergence(student, teacher)


def _soft_cross_entropy(teacher: np.ndarray, student: np.ndarray) -> np.ndarray:
    return -np.sum(oracles.softmax(teacher) * np.log(oracles.softmax(student)), axis=-1)


def _hard(teacher: np.ndarray, student: np.ndarray) -> np.ndarray:
    return oracles.cross_entropy(student, np.argmax(teacher, axis=-1))


def _squared(teacher: np.ndarray, student: np.ndarray) -> np.ndarray:
    return np.square(oracles.softmax(teacher) - oracles.softmax(student)).sum(axis=-1)


def _of_every_label(part: OfLabels, z: np.ndarray, y: np.ndarray, column: bool) -> np.ndarray:
    """Return (B, B) for labels in a column: each image with the label of each."""
    return np.stack([part(z, np.full_like(y, label)) for label in y]) if column else part(z, y)


def _in_a_column(part: OfLabels, z: np.ndarray, y: np.ndarray, column: bool) -> np.ndarray:
    """Return (B, 1) for labels in a column: beside a part of (B,) it spreads to (B, B)."""
    return part(z, y)[:, np.newaxis] if column else part(z, y)


NOT_SOFTENED = {"of_student": _as_they_are, "of_teacher": _as_they_are}

MISTAKES = [
    Mistake(
        "shares swapped",
        "Your shares are swapped: teacher_share weighs the teacher's part, and the labels have the "
        "rest.",
        shares=lambda share: (share, 1.0 - share),
    ),
    Mistake(
        "shares do not sum to 1",
        "Your two parts do not share one whole: what the teacher's part gains, the labels' part has "
        "to lose.",
        {"shares": lambda share: (1.0, share)},
        {"shares": lambda share: (1.0 - share, 1.0)},
        {"shares": lambda share: (1.0, 1.0)},
    ),
    Mistake(
        "teacher left out",
        "Your loss is that of the labels: the teacher's part is missing.",
        {"shares": lambda share: (1.0, 0.0)},
        {"shares": lambda share: (1.0 - share, 0.0)},
        carries=False,
    ),
    Mistake(
        "labels left out",
        "Your loss is that of the teacher: the labels' part is missing.",
        {"shares": lambda share: (0.0, 1.0)},
        {"shares": lambda share: (0.0, share)},
        carries=False,
    ),
    Mistake(
        "teacher_share not used",
        "Your shares are the same whatever teacher_share is given.",
        {"shares": lambda share: (1.0 - TEACHER_SHARE, TEACHER_SHARE)},
        {"shares": lambda share: (0.5, 0.5)},
    ),
    Mistake(
        "temperature not squared away",
        "Your teacher's part lacks its factor: dividing the logits by the temperature makes its "
        "gradient smaller. By how much, once for each of the two divisions?",
        {"strength": _one},
        {"strength": float},
        {"strength": np.sqrt},
    ),
    Mistake(
        "divided by the squared temperature",
        "Your teacher's part is divided where it is to be multiplied: the factor makes up for a "
        "gradient that the temperature has made smaller.",
        {"strength": lambda temperature: temperature**-2.0},
        {"strength": lambda temperature: 1.0 / temperature},
    ),
    Mistake(
        "squared temperature on the labels too",
        "Your labels' part is multiplied by the squared temperature as well. Its logits were not "
        "softened: it needs no such factor.",
        strength_of_labels=np.square,
    ),
    Mistake(
        "labels softened too",
        "Your labels' part is softened by the temperature. The labels are compared with the "
        "student's answers as they are.",
        {"before_labels": _over_temperature},
        {"before_labels": _over_temperature, "strength_of_labels": np.square},
    ),
    Mistake(
        "teacher alone softened",
        "You divide the teacher's logits by the temperature and not the student's: a student that "
        "agrees with its teacher in everything would still have a loss.",
        of_student=_as_they_are,
    ),
    Mistake(
        "student alone softened",
        "You divide the student's logits by the temperature and not the teacher's: a student that "
        "agrees with its teacher in everything would still have a loss.",
        of_teacher=_as_they_are,
    ),
    Mistake(
        "not softened",
        "Your answers are not softened: the temperature changes neither softmax.",
        NOT_SOFTENED,
        {**NOT_SOFTENED, "strength": _one},
    ),
    Mistake(
        "times the temperature",
        "Your answers get sharper where they should get softer: what does a high temperature do to "
        "the logits?",
        {"of_student": _times_temperature, "of_teacher": _times_temperature},
        {"of_student": _times_temperature},
        {"of_teacher": _times_temperature},
    ),
    Mistake(
        "temperature not used",
        "Your temperature is the same whatever is given.",
        {
            "of_student": lambda z, temperature: z / TEMPERATURE,
            "of_teacher": lambda z, temperature: z / TEMPERATURE,
            "strength": lambda temperature: TEMPERATURE**2,
        },
    ),
    Mistake(
        "divergence turned round",
        "Your divergence is that of the teacher from the student. Whose probabilities weigh the "
        "differences, and so say which classes count?",
        teacher_part=_reversed,
    ),
    Mistake(
        "cross-entropy with the teacher",
        "Your teacher's part is a cross-entropy. Its gradient is right, but it is not 0 where the "
        "student gives the teacher's own answer: the teacher's entropy is still in it.",
        teacher_part=_soft_cross_entropy,
    ),
    Mistake(
        "teacher's part negative",
        "Your teacher's part has the wrong sign: the farther the student is from its teacher, the "
        "smaller your loss.",
        teacher_part=lambda teacher, student: -divergence(teacher, student),
    ),
    Mistake(
        "mean over the classes",
        "Your divergence is averaged over the classes; the formula has their sum.",
        teacher_part=lambda teacher, student: divergence(teacher, student) / teacher.shape[-1],
    ),
    Mistake(
        "hard labels of the teacher",
        "Your teacher says one class for each image, and no more. How sure it is, and what the image "
        "looks like besides, is what the student is to learn.",
        {"teacher_part": _hard},
        {"teacher_part": _hard, "strength": _one},
        {"teacher_part": _hard, "of_student": _as_they_are},
        {"teacher_part": _hard, "of_student": _as_they_are, "strength": _one},
    ),
    Mistake(
        "squared differences",
        "Your teacher's part is made of squared differences of probabilities; the divergence compares "
        "their logarithms.",
        {"teacher_part": _squared},
        {"teacher_part": lambda teacher, student: _squared(teacher, student) / teacher.shape[-1]},
    ),
    Mistake(
        "softmax twice",
        "One of your softmaxes gets what is a softmax already. Both models give logits: once is "
        "enough.",
        {"labels_part": _twice},
        {"of_student": _softmax_of_softened},
        {"of_teacher": _softmax_of_softened},
        {"of_student": _softmax_of_softened, "of_teacher": _softmax_of_softened},
        {"of_student": _softmax_first},
        {"of_teacher": _softmax_first},
        {"of_student": _softmax_first, "of_teacher": _softmax_first},
        {"of_student": _softmax_first, "labels_part": _twice},
        {"of_student": _softmax_first, "of_teacher": _softmax_first, "labels_part": _twice},
    ),
    Mistake(
        "logits taken for probabilities",
        "Your loss takes logits for probabilities. Where a function asks for probabilities, give it "
        "some; where it can take logits, tell it so.",
        {"labels_part": _clipped_cross_entropy},
        {"teacher_part": _taken_for_probabilities},
        {"labels_part": _clipped_cross_entropy, "teacher_part": _taken_for_probabilities},
    ),
    Mistake(
        "probabilities cut off",
        "Where the student gives a class next to no probability, your loss no longer grows: "
        "probabilities are cut off near 0 before the logarithm, and the gradient with them. Which "
        "function goes from logits to logarithms in one step?",
        {"teacher_part": _cut_off_teacher},
        {"labels_part": _cut_off_labels},
        {"labels_part": _cut_off_labels, "teacher_part": _cut_off_teacher},
        *(
            {"teacher_part": partial(_with_epsilon, epsilon)}
            for epsilon in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
        ),
    ),
    Mistake(
        "every label for every image",
        "Where the labels stand in a column, (B, 1), your result has B × B numbers: each image meets "
        "the labels of all. Lay them in a row first.",
        {"laid": _of_every_label},
        {"laid": _in_a_column},
    ),
    Mistake(
        "one number for all images",
        "You return one number. The loss of each image is asked for, (B,): whoever calls the function "
        "takes the mean.",
        {"returns": np.mean},
        {"returns": np.sum},
    ),
    Mistake(
        "losses in a column",
        "Your losses stand in a column, (B, 1); (B,) is asked for.",
        returns=lambda loss: loss[..., np.newaxis],
    ),
    Mistake(
        "wrong default",
        f"Where nothing is given, the temperature is {TEMPERATURE:g} and the teacher's share "
        f"{TEACHER_SHARE:g}.",
        *({"default_temperature": temperature} for temperature in (1.0, 3.0, 4.0, 5.0)),
        *({"default_share": share} for share in (0.1, 0.3, 0.5, 0.9)),
    ),
    Mistake(
        "teacher trained too",
        "A gradient flows into the teacher's logits: the teacher would be trained to agree with its "
        "student. Stop it there.",
        trained=("labels", "student", "teacher"),
    ),
    Mistake(
        "student cut off",
        "No gradient flows from the teacher's part to the student's logits: whose gradient is to be "
        "stopped?",
        {"trained": ("labels",)},
        {"trained": ("labels", "teacher")},
        {"trained": ()},
    ),
]
CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values(
            "labels alone",
            "the labels' part: cross-entropy of the student's logits",
            1.5,
            about=("labels_part", "before_labels", "strength_of_labels"),
        ),
        Values(
            "teacher alone",
            "the teacher's part: divergence of the student's answers from the teacher's",
            1.5,
            about=("teacher_part",),
        ),
        Values(
            "softened",
            "the temperature softens both answers, and its square makes up for it",
            1.5,
            about=("strength", "of_student", "of_teacher"),
        ),
        Values("both", "each part has its share", 1.5, about=("shares",)),
        Values("column", "labels of shape (B, 1), as CIFAR has them", about=("laid",)),
        Values(
            "defaults",
            "temperature and share where none is given",
            0.5,
            about=("default_temperature", "default_share"),
        ),
        Values("far apart", "logits that lie far apart: neither infinite nor cut off"),
        Values(
            "gradient",
            "the gradient reaches the student's logits, and the teacher's not",
            of=("student_gradient", "teacher_gradient"),
            about=("trained",),
        ),
        Values("traced", "works while a model trains, when the number of images is not known", 0.5),
    ],
    mistakes=MISTAKES,
    signs=[
        Sign(
            "exponential overflows",
            "Where logits are large, your loss is not a finite number: an exponential overflows, or a "
            "probability is 0 before its logarithm is taken. Which function goes from logits to "
            "logarithms in one step?",
            lambda case, seen: case.stage == "far apart" and not np.all(np.isfinite(seen["loss"])),
        )
    ],
    kinds=[
        Only(
            "labels in a row alone",
            "Your function works where the labels stand in a row, (B,), but not in a column, (B, 1), "
            "as CIFAR has them.",
            lambda case: case["labels"].ndim == 2,
        ),
        Only(
            "labels in a column alone",
            "Your function works where the labels stand in a column, (B, 1), but not in a row, (B,).",
            lambda case: case["labels"].ndim == 1,
        ),
        Only(
            "batch size must be known",
            "Your function works on numbers, but not while a model trains: TensorFlow then knows "
            "neither the numbers nor how many images there are. Use its operations on whole batches.",
            lambda case: case.stage == "traced",
        ),
    ],
    depth=depth,
)
