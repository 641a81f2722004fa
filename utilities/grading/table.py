"""What `lab grade` prints: the class in a table, and below it all that there is to say."""

import re
import unicodedata
from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from utilities.grading.engine import FAILED, FIRST_TIME, KEPT, RESCORED, Row
from utilities.grading.markup import printable

NUMBERS = ("points", "by hand", "seconds")
LETTERS = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa"}
SHOWN = 12  # names in a sentence
MINUTE, HOUR, DAY = 60, 3600, 86400


def show(console: Console, assignment: str, rows: list[Row], unsafe: bool) -> None:
    """Print the class, and below the table every remark whole, by student."""
    console.print(_table(assignment, rows, unsafe))
    for row in rows:
        for said in remarks_on(row):
            colour = "bold red" if said in row.trouble else "yellow"
            console.print(f"[{colour}]{_name(row.student)}[/]: {escape(said)}", highlight=False)


def remarks_on(row: Row) -> list[str]:
    """Return all there is to say of a submission, each once: what needs a person, then the rest."""
    late = []
    if row.seconds_late > 0:
        cost = f"; it cost {row.penalty:g} points" if row.penalty else ""
        late = [f"Handed in {duration(row.seconds_late)} late{cost}."]
    return list(dict.fromkeys([*row.trouble, *late, *row.remarks]))


def tell_the_rest(console: Console, rows: list[Row], absent: list[str]) -> None:
    """Print what changed since the last run, what was not done and why, and what is left to do."""
    for sentence in [*_what_changed(rows), *_what_is_left(rows, absent)]:
        console.print(escape(sentence), highlight=False)


def tell_alike(console: Console, students: list[str]) -> None:
    """Print the names that differ so little that they may be one student's."""
    for names in alike(students):
        said = f"{_some(names)} are taken for {len(names)} students. If they are one, rename a folder."
        console.print(f"[yellow]{escape(said)}[/]", highlight=False)


def alike(students: list[str]) -> list[list[str]]:
    """Return groups of names that differ in case, accents or signs alone."""
    groups: dict[str, list[str]] = {}
    for student in students:
        groups.setdefault(plain(student), []).append(student)
    return [names for names in groups.values() if len(names) > 1]


def expected(seconds: float, workers: int) -> str:
    """Return how long the rest of the class will take, and what shortens it."""
    return (
        f"The others will take about {duration(seconds)}, {workers} at a time. --workers takes more at "
        "a time, --cluster more machines; after Ctrl-C the same command goes on where it stopped."
    )


def duration(seconds: float) -> str:
    """Return a time as a person says it."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} seconds"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} minutes"
    return f"{seconds / HOUR:.1f} hours" if seconds < 2 * DAY else f"{seconds / DAY:.1f} days"


def _table(assignment: str, rows: list[Row], unsafe: bool) -> Table:
    title = f"{assignment}: {len(rows)} submissions" + (" — UNSAFE, no sandbox" if unsafe else "")
    table = Table(title=title, title_style="bold red" if unsafe else "bold")
    for name in ("student", "status", "points", "by hand", "seconds", "remarks"):
        is_number = name in NUMBERS
        table.add_column(name, justify="right" if is_number else "left", no_wrap=is_number)
    for row in rows:
        said = len(remarks_on(row))
        colour = "red" if row.needs_a_person else "yellow" if said else "green"
        table.add_row(
            _name(row.student), f"[{colour}]{row.status}[/]", f"{row.score:g} / {row.max_score:g}",
            f"{row.to_grade_by_hand or ''}", f"{row.seconds:.1f}", f"{said or ''}",
        )  # fmt: skip
    return table


def _what_changed(rows: list[Row]) -> list[str]:
    """Return sentences on who was graded now and why, and whose points are others than before."""
    kept = sum(row.status == KEPT for row in rows)
    if kept == len(rows):
        return ["Nothing changed since the last run, so nothing was run (--force grades again)."]
    reasons = Counter(row.reason for row in rows if row.reason)
    if set(reasons) <= {FIRST_TIME} and not kept:
        return []
    said = [f"{number} {reason}" for reason, number in reasons.items()]
    said += [f"{kept} kept, since nothing changed"] if kept else []
    if any(row.status == RESCORED for row in rows):
        said += [
            "new points were counted from the findings of the earlier run, without running anything"
        ]
    others = [
        f"{row.student} {row.score_before:g} → {row.score:g}"
        for row in rows
        if row.score_before is not None and row.reason and row.score_before != row.score
    ]
    return [
        f"Since the last run: {'; '.join(said)}.",
        *(f"Other points: {_some(others)}." for _ in others[:1]),
    ]


def _what_is_left(rows: list[Row], absent: list[str]) -> list[str]:
    said = []
    if failed := [row.student for row in rows if row.status == FAILED]:
        said.append(f"Not graded, for the reason above: {_some(failed)}.")
    if absent:
        said.append(f"In the roster, and nothing handed in: {_some(absent)}.")
    if waiting := sum(row.to_grade_by_hand for row in rows):
        answers = "1 answer waits" if waiting == 1 else f"{waiting} answers wait"
        said.append(f"{answers} to be marked by hand: jupyter lab, Nbgrader menu, Formgrader.")
    return said


def _name(student: str) -> str:
    return escape(printable(student))


def plain(name: str) -> str:
    letters = "".join(
        LETTERS.get(letter, letter) for letter in unicodedata.normalize("NFC", name).casefold()
    )
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKD", letters))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(printable, names[:SHOWN])) + more
