# ruff: noqa: E501  a page in a text
"""`lab similar`: pairs of submissions whose code is unusually alike, as a page to look at."""

import argparse
from collections.abc import Collection
from pathlib import Path

import nbformat
from jinja2 import Environment
from rich.console import Console
from rich.markup import escape

from utilities.grading.alike import Code, Pair, Spans, filtered, filtered_class, unusual_pairs
from utilities.grading.course import CourseError, read_config
from utilities.grading.engine import Grader, Row
from utilities.grading.gradebook import GradebookUnavailable
from utilities.grading.lesson import marks
from utilities.grading.markup import printable
from utilities.grading.pages import FOLDER, STYLE, add_page_arguments, write_private
from utilities.grading.sanitize import MISSING_CODE

WRITTEN, REFUSED = 0, 2
MOST_SHOWN = 30  # pairs
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ assignment }}: code that is alike</title>
<style>
{{ style | safe }}
body { max-width: 90rem; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 1rem; }
.two > div { min-width: 0; } .two h4 { margin: .3rem 0; }
pre { unicode-bidi: isolate; } mark { background: var(--marked); color: inherit; }
</style>
</head>
<body>
<main>
<h1>{{ assignment }}: code that is alike</h1>
<p><strong>A page to look at, not a verdict.</strong> Two people may write the same because they heard the
same lecture, read the same page, took the same hint, or worked together where they may. Look at the code, and
talk to both before you think of anything else. Anyone who is not on this page may have
copied, too.</p>
<p>{{ students }} submissions, compared pair by pair in the exercises alone. Names, comments and spaces do not count. Masked is what was released, and what many in this class have written. Shown are pairs that have more
in common than is usual here: {{ pairs | length }} of {{ compared }}{% if pairs | length > shown | length %}, the first {{
shown | length }} of them{% endif %}.</p>
{% if unread %}<p>Not compared, since nothing could be read: {{ unread | join(", ") }}.</p>{% endif %}
{% if shown %}
<div class="wide" tabindex="0" role="region" aria-label="Pairs"><table>
<caption>In common: characters of code, each name counted as one. Of the shorter: the share of what is not masked.</caption>
<thead><tr><th scope="col">pair</th><th scope="col">exercises</th><th scope="col" class="number">in common</th>
<th scope="col" class="number">of the shorter</th></tr></thead>
<tbody>{% for pair in shown %}<tr>
<th scope="row"><a href="#pair-{{ loop.index }}">{{ pair.students | map("printable") | join(" and ") }}</a></th>
<td>{{ pair.passages | map(attribute="exercise") | join(", ") }}</td><td class="number">{{ pair.size }}</td>
<td class="number">{{ "%.0f" | format(100 * pair.share) }} %</td></tr>
{% endfor %}</tbody></table></div>
{% for pair in shown %}
<h2 id="pair-{{ loop.index }}">{{ pair.students | map("printable") | join(" and ") }}</h2>
{% for passage in pair.passages %}<h3><code>{{ passage.exercise }}</code></h3>
<div class="two">{% for side in (0, 1) %}<div><h4>{{ pair.students[side] | printable }}</h4>
<pre tabindex="0">{% for text, alike in marked(passage.codes[side], passage.spans[side]) %}{% if alike %}<mark>{{ text
}}</mark>{% else %}{{ text }}{% endif %}{% endfor %}</pre></div>{% endfor %}</div>
{% endfor %}{% endfor %}
{% else %}<p>No two submissions have more in common than is usual in this class.</p>{% endif %}
</main>
</body>
</html>
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `lab similar`."""
    add_page_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Write the page and return the exit status."""
    console = Console()
    try:
        grader = Grader(read_config(options.course, options.db_url), options.assignment)
        given = released(grader)
        submissions, unread = read_class(grader, given)
        pairs = unusual_pairs(filtered(given), submissions)
    except (CourseError, GradebookUnavailable) as error:
        console.print(f"[bold red]No page.[/] {escape(str(error))}")
        return REFUSED
    folder = options.to or Path(grader.course.root) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{options.assignment}-similar.html"
    write_private(path, page_of(options.assignment, pairs, len(submissions), unread))
    found = "1 pair" if len(pairs) == 1 else f"{len(pairs)} pairs"
    console.print(f"{found} to look at, and nobody judged.", highlight=False)
    console.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
    return WRITTEN


def released(grader: Grader) -> dict[str, str]:
    """Return the code that students were given in each exercise."""
    cells = [cell for known in grader.trusted.values() for cell in known.cells]
    return {c.name: c.source for c in cells if c.cell_type == "code" and c.solution}


def read_class(grader: Grader, given: Collection[str]) -> tuple[dict[str, dict[str, Code]], list[str]]:
    """Return each student's exercises, read within the bounds of grading, and who has none."""
    students = grader.students()
    codes = {s: exercises for s in students if (exercises := _exercises(grader, s, given))}
    submissions = filtered_class(codes)
    return submissions, [printable(student) for student in students if student not in submissions]


def _exercises(grader: Grader, student: str, given: Collection[str]) -> dict[str, str]:
    prepared = grader.prepare(student, force=True)
    notebooks = {} if isinstance(prepared, Row) else prepared.job.notebooks
    cells = [cell for text in notebooks.values() for cell in nbformat.reads(text, 4).cells]
    codes = {marks(c)["grade_id"]: c.source for c in cells if marks(c).get("grade_id") in given}
    return {name: code for name, code in codes.items() if code != MISSING_CODE}


def page_of(assignment: str, pairs: list[Pair], students: int, unread: list[str]) -> str:
    """Return the pairs as one page that fetches nothing and runs nothing."""
    environment = Environment(autoescape=True)
    environment.filters["printable"] = printable
    return environment.from_string(PAGE).render(
        style=STYLE, assignment=assignment, pairs=pairs, shown=pairs[:MOST_SHOWN], students=students,
        compared=students * (students - 1) // 2, unread=unread, marked=marked,
    )  # fmt: skip


def marked(code: str, spans: Spans) -> list[tuple[str, bool]]:
    """Return code in pieces, each with whether the other submission has it, too."""
    cuts = [0, *(place for span in spans for place in span), len(code)]
    pieces = [code[begin:end] for begin, end in zip(cuts, cuts[1:], strict=False)]
    return [(_visible(piece), bool(number % 2)) for number, piece in enumerate(pieces)]


def _visible(code: str) -> str:
    """Return code in which no character changes the direction of writing or the place of others."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\u{ord(c):04x}" for c in code)
