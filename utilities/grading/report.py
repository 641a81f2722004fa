# ruff: noqa: E501  a page in a text
"""`lab report`: how a class has solved an assignment, as one page and as tables."""

import argparse
import csv
from pathlib import Path

from jinja2 import Environment
from rich.console import Console
from rich.markup import escape

from utilities.grading.course import CourseError
from utilities.grading.gradebook import GradebookUnavailable, in_words, patient_course
from utilities.grading.pages import FOLDER, STYLE, add_page_arguments, write_private
from utilities.grading.statistics import ClassReport, report_on

WRITTEN, REFUSED = 0, 2
FIRST_SHOWN = 12  # mistakes on the page; the table has all
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ report.assignment }}: the class at a glance</title>
<style>
{{ style | safe }}
.bar { display: flex; height: 1rem; min-width: 9rem; border: 1px solid var(--line); }
.solved { background: var(--solved); } .partly { background: var(--partly); }
.without { background: var(--without); } .bar span { display: block; }
.key span { display: inline-block; width: .9rem; height: .9rem; border: 1px solid var(--line);
  vertical-align: -.1rem; margin: 0 .3rem 0 1rem; }
ol.first > li { margin-bottom: 1.2rem; }
</style>
</head>
<body>
<main>
<h1>{{ report.assignment }}: the class at a glance</h1>
<p>{{ report.students }} graded submissions, {{ points(mean) }} of {{ points(report.max_score) }} points on
average (from {{ points(report.totals | min) }} to {{ points(report.totals | max) }}); the grader took
{{ "%.0f" | format(report.median_seconds) }} seconds for the median submission. Names of students stand on it
nowhere, unless they wrote them into their code.</p>

<h2>What to talk about next</h2>
{% if named %}
<p>Mistakes that the checks knew by name, by the points that they cost the class.</p>
<ol class="first">
{% for mistake in named %}
<li><h3>{{ mistake.name }}</h3>
<p><strong>{{ people(mistake.students | length) }}</strong> in <code>{{ mistake.exercise }}</code>,
{{ points(mistake.points_lost) }} point{{ "" if points(mistake.points_lost) == "1" else "s" }} in all.{% if mistake.message %}
<br><span class="quiet">{{ mistake.message }}</span>{% endif %}</p>
{% if mistake.examples %}<details><summary>Examples of {{ mistake.name }}, without names and comments ({{
mistake.examples | length }})</summary>
{% for example in mistake.examples %}<pre tabindex="0">{{ example }}</pre>
{% endfor %}</details>{% endif %}</li>
{% endfor %}
</ol>
{% if more %}<p>{{ more }} more in the table of mistakes.</p>{% endif %}
{% else %}<p>No check recognised a known mistake.</p>{% endif %}

{% for title, items in (("Exercises", report.exercises), ("Written questions", report.questions)) if items %}
<h2>{{ title }}</h2>
<p class="key" aria-hidden="true">Points:<span class="solved"></span>all<span class="partly"></span>some
<span class="without"></span>none</p>
<div class="wide" tabindex="0" role="region" aria-label="{{ title }}"><table>
<caption>Mean: the share of the points that the class has, 100 % is easy. Discrimination: correlation with
the other points; near 0 or below, it does not tell those who know from those who do not.</caption>
<thead><tr><th scope="col">{{ title }}</th><th scope="col" class="number">points</th>
{% if title == "Exercises" %}<th scope="col" class="number">all</th><th scope="col" class="number">some</th>
<th scope="col" class="number">none</th>{% endif %}<th scope="col">of the class</th>
<th scope="col" class="number">mean</th><th scope="col" class="number">discrimination</th>
{% if title != "Exercises" %}<th scope="col">points, times given</th>{% endif %}</tr></thead>
<tbody>
{% for item in items %}<tr><th scope="row">{{ item.name }}</th>
<td class="number">{{ points(item.points) }}</td>{% if title == "Exercises" %}
<td class="number">{{ item.solved }}</td><td class="number">{{ item.partly }}</td>
<td class="number">{{ item.without }}</td>{% endif %}
<td>{% if item.shares %}<div class="bar" aria-hidden="true">
{% for kind in ("solved", "partly", "without") %}<span class="{{ kind }}"
style="width:{{ "%.1f" | format(100 * item[kind] / (item.shares | length)) }}%"></span>{% endfor %}</div>
{% else %}–{% endif %}</td>
<td class="number">{% if item.shares %}{{ "%.0f" | format(100 * item.difficulty) }} %{% else %}–{% endif %}</td>
<td class="number">{% if item.discrimination is not none %}{{ "%.2f" | format(item.discrimination)
}}{% else %}–{% endif %}</td>
{% if title != "Exercises" %}<td>{% for value, count in item.distribution %}{{ points(value) }} × {{ count
}}{{ ", " if not loop.last }}{% endfor %}{% if item.waiting %}{{ "; " if item.shares }}{{ item.waiting }} not marked yet{% endif
%}</td>{% endif %}</tr>
{% endfor %}</tbody></table></div>
{% endfor %}

{% if report.lost %}
<h2>Where the points went</h2>
<div class="wide" tabindex="0" role="region" aria-label="Findings that do not hold"><table>
<caption>What the checks found not to hold, by the points that it cost.</caption>
<thead><tr><th scope="col">exercise</th><th scope="col">what does not hold</th>
<th scope="col" class="number">submissions</th><th scope="col" class="number">points</th></tr></thead>
<tbody>{% for exercise, finding, count, cost in report.lost[:25] %}<tr><td><code>{{ exercise }}</code></td>
<td>{{ finding }}</td><td class="number">{{ count }}</td><td class="number">{{ points(cost) }}</td></tr>
{% endfor %}</tbody></table></div>
{% endif %}
</main>
</body>
</html>
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `lab report`."""
    add_page_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Write the report and return the exit status."""
    console = Console()
    try:
        directory = patient_course(options.course, options.db_url, options.assignment)
        with in_words():
            report = report_on(directory, options.assignment)
    except (CourseError, GradebookUnavailable) as error:
        console.print(f"[bold red]No report.[/] {escape(str(error))}")
        return REFUSED
    for path in write(report, options.to or Path(directory.root) / FOLDER):
        console.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
    return WRITTEN


def write(report: ClassReport, folder: Path) -> list[Path]:
    """Write a page and two tables, readable for their owner alone; return them."""
    folder.mkdir(parents=True, exist_ok=True)
    items = [
        (i.name, "by hand" if i.by_hand else "by a check", i.points, i.solved, i.partly, i.without,
         i.waiting, _number(i.difficulty), _number(i.discrimination))
        for i in report.items
    ]  # fmt: skip
    heads = ("name", "graded", "points", "all", "some", "none", "waiting", "mean", "discrimination")
    mistakes = [
        (m.exercise, m.name, len(m.students), _number(m.points_lost), m.message)
        for m in report.mistakes
    ]
    page = folder / f"{report.assignment}.html"
    write_private(page, page_of(report))
    items_file, mistakes_file = (folder / f"{report.assignment}-{n}.csv" for n in ("items", "mistakes"))
    _table(items_file, heads, items)
    _table(mistakes_file, ("exercise", "mistake", "students", "points lost", "message"), mistakes)
    return [page, items_file, mistakes_file]


def page_of(report: ClassReport) -> str:
    """Return the report as one page that fetches nothing and runs nothing."""
    named = [mistake for mistake in report.mistakes if mistake.known]
    return Environment(autoescape=True).from_string(PAGE).render(
        style=STYLE,
        report=report,
        named=named[:FIRST_SHOWN],
        more=max(len(named) - FIRST_SHOWN, 0),
        mean=sum(report.totals) / max(len(report.totals), 1),
        points=lambda number: f"{round(number, 1):g}",
        people=lambda number: "1 submission" if number == 1 else f"{number} submissions",
    )  # fmt: skip


def _number(value: float | None) -> float | str:
    return "" if value is None else round(value, 3)


def _table(path: Path, heads: tuple, rows: list[tuple]) -> None:
    write_private(path, "")
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(heads)
        table.writerows([[_cell(value) for value in row] for row in rows])


def _cell(value: object) -> object:
    """Return a value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
