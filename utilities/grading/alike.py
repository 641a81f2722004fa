"""Which submissions are unusually alike: copydetect's fingerprints of code, what many have masked.

Names of variables, comments, spaces and the text of strings do not count (copydetect). Masked is what
the release holds and what many in the class have: of short exercises there are few right solutions.
"""

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from copydetect import CodeFingerprint, compare_files
from copydetect.utils import filter_code, get_token_coverage

from utilities.grading import apart

GRAM, WINDOW = 25, 6  # characters of stripped code; copydetect's defaults
LONGEST = 20_000  # characters of one cell that are looked at
LEAST = 120  # characters in common, of stripped code
LEAST_SHARE = 0.2  # of the shorter one's code: independent solutions of the core share up to 0.15
MANY = 4  # what more than one in four has, and more than two, is the exercise's, not theirs
FAR_OUT = 3.0  # times the middle half's width: Tukey's outer fence
FEWEST_PAIRS = 10  # below, a class is no measure of what is usual
FILTERING = apart.Bounds(seconds=60, cpu_seconds=30, memory=1 << 30)

Spans = list[tuple[int, int]]


@dataclass(frozen=True)
class Code:
    """Code of one exercise, stripped of names and comments for copydetect, and how that leads back."""

    text: str
    stripped: str
    offsets: np.ndarray


Prints = dict[str, CodeFingerprint]  # of one submission, by exercise


@dataclass(frozen=True)
class Passage:
    """What two submissions have in common in one exercise: the code of both, and where in it."""

    exercise: str
    size: int
    codes: tuple[str, str]
    spans: tuple[Spans, Spans]


@dataclass(frozen=True)
class Pair:
    """Two submissions, and what they have in common beyond what many have."""

    students: tuple[str, str]
    passages: tuple[Passage, ...]
    size: int  # characters in common, of stripped code
    share: float  # of the shorter one's code that is not masked


def filtered_class(class_: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Code]]:
    """Take names and comments off strangers' code, in a process of its own, held to limits.

    Where that ends it, try the halves, so that only those are missing whose code it was.
    """
    try:
        done: dict[str, dict[str, Code]] = apart.run(_filtered_each, class_, bounds=FILTERING)
    except (apart.Ended, MemoryError):
        students = sorted(class_)
        halves = (students[: len(students) // 2], students[len(students) // 2 :])
        parts = [{s: class_[s] for s in half} for half in halves] if len(students) > 1 else []
        done = {student: codes for part in parts for student, codes in filtered_class(part).items()}
    return done


def _filtered_each(class_: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Code]]:
    return {student: filtered(codes) for student, codes in class_.items()}


def filtered(codes: Mapping[str, str]) -> dict[str, Code]:
    """Take names and comments off code, as copydetect does it."""
    cut = {name: text[:LONGEST] for name, text in codes.items()}
    return {name: Code(text, *filter_code(text, name, "python")) for name, text in cut.items()}


def unusual_pairs(
    released: Mapping[str, Code], submissions: Mapping[str, Mapping[str, Code]]
) -> list[Pair]:
    """Return the pairs that have more in common than pairs of this class have, the most first."""
    stubs = {name: _fingerprint(code, window=1) for name, code in released.items()}
    class_ = {
        student: {name: _fingerprint(code, WINDOW) for name, code in codes.items()}
        for student, codes in submissions.items()
    }
    _mask(stubs, class_)
    pairs = [_compared(class_, *students) for students in combinations(sorted(class_), 2)]
    sizes = [pair.size for pair in pairs]
    first, third = np.percentile(sizes, (25, 75)) if sizes else (0, 0)
    usual = third + FAR_OUT * (third - first) if len(pairs) >= FEWEST_PAIRS else 0
    found = [p for p in pairs if p.size > usual and p.size >= LEAST and p.share >= LEAST_SHARE]
    return sorted(found, key=lambda pair: (-pair.size, pair.students))


def _fingerprint(code: Code, window: int) -> CodeFingerprint:
    made = CodeFingerprint("cell", GRAM, window, filter=False, fp=io.StringIO(code.stripped))
    made.raw_code, made.offsets = code.text, code.offsets
    return made


def _mask(stubs: Prints, class_: Mapping[str, Prints]) -> None:
    """Take out of all fingerprints what was released, and what many have."""
    most = max(2, len(class_) // MANY)
    for exercise in {name for prints in class_.values() for name in prints}:
        theirs = [prints[exercise] for prints in class_.values() if exercise in prints]
        counts = Counter(gram for prints in theirs for gram in prints.hashes)
        masked = {gram for gram, count in counts.items() if count > most}
        if exercise in stubs:
            masked |= stubs[exercise].hashes
        for prints in theirs:
            prints.hashes = prints.hashes - masked
            prints.hash_idx = {gram: prints.hash_idx[gram] for gram in prints.hashes}
            length = len(prints.filtered_code)
            prints.token_coverage = int(get_token_coverage(prints.hash_idx, GRAM, length))


def _compared(class_: Mapping[str, Prints], first: str, second: str) -> Pair:
    passages = tuple(_passages(class_[first], class_[second]))
    own = [sum(p.token_coverage for p in class_[student].values()) for student in (first, second)]
    size = sum(passage.size for passage in passages)
    return Pair((first, second), passages, size, min(size / max(min(own), 1), 1.0))


def _passages(first: Prints, second: Prints) -> Iterator[Passage]:
    for exercise in (name for name in first if name in second):
        ours, theirs = first[exercise], second[exercise]
        if ours.hashes.isdisjoint(theirs.hashes):
            continue
        size, _, (here, there) = compare_files(ours, theirs)
        codes = ours.raw_code, theirs.raw_code
        yield Passage(exercise, int(size), codes, (_spans(here, codes[0]), _spans(there, codes[1])))


def _spans(slices: np.ndarray, code: str) -> Spans:
    """Return where the passages lie in the code, in order, without overlaps."""
    spans: Spans = []
    for begin, end in sorted(zip(*slices.astype(int).clip(0, len(code)).tolist(), strict=True)):
        begin = max(begin, spans[-1][1]) if spans else begin
        if begin < end:
            spans.append((begin, end))
    return spans
