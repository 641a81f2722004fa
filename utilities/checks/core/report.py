"""What a check found, shown as HTML in Jupyter and as plain text elsewhere."""

import html
import math
import os
import textwrap
from dataclasses import dataclass, field
from functools import partial

from utilities.checks.kernel.case import NOT_JUDGED

HELD, FAILED, WAITING, REMARK = "✓", "✗", "–", "·"
SAID_ABOVE = "the same as above"
MOST_WITH_A_FAULT = 0.85  # of the points, however small the finding that does not hold
LONGEST_LINE = 80  # that nbgrader's Validate shows whole
# JupyterLab breaks preformatted lines anywhere, even inside a word that would fit the next line.
PREFORMATTED = "margin:.3em 0;white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it holds and, if not, why.

    name: the finding in words, as something that is true of a right solution.
    message: what was expected, what came, what to think about next.
    mistake: the name of the known mistake, empty where none fits.
    kind: one of the kinds in `case`, empty where the finding holds.
    detail: the student's own traceback or the smallest failing case.
    share: its part of the points, relative to the other findings.
    apart: the mistakes told elsewhere, apart from which it holds.
    also: the name of a second mistake that this finding tells.
    """

    name: str
    held: bool
    message: str = ""
    mistake: str = ""
    kind: str = ""
    detail: str = ""
    share: float = 1.0
    apart: str = ""
    also: str = ""


@dataclass
class Report:
    """The findings of one check, a note on earlier steps to fix, and remarks that cost nothing."""

    exercise: str
    findings: list[Finding]
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return all(finding.held for finding in self.findings)

    @property
    def mistakes(self) -> list[str]:
        """Return the names of the known mistakes that were recognised, without repetition."""
        told = (name for f in self.findings for name in (f.mistake, f.also))
        return list(dict.fromkeys(name for name in told if name))

    @property
    def fraction(self) -> float:
        """Return the share of the findings that hold, 0 to 1; a fault costs a little at least."""
        total = sum(finding.share for finding in self.findings)
        held = sum(finding.share for finding in self.findings if finding.held) / total
        return held if self.passed else min(held, MOST_WITH_A_FAULT)

    def earned(self, points: float) -> float:
        """Return the points earned, rounded down to halves; all of them only when all holds."""
        return float(points) if self.passed else math.floor(2 * points * self.fraction) / 2

    @property
    def headline(self) -> str:
        held = sum(finding.held for finding in self.findings)
        if self.passed:
            return f"{self.exercise}: all {held} findings hold"
        return f"{self.exercise}: {held} of {len(self.findings)} findings hold"

    def __str__(self) -> str:
        lines = [self.headline]
        for finding, (message, detail) in zip(self._judged, self._explanations(), strict=True):
            apart = f" (apart from: {finding.apart})" if finding.apart else ""
            lines.append(f"  {HELD if finding.held else FAILED} {finding.name}{apart}")
            if message == SAID_ABOVE:
                lines[-1] += f": {message}"
                continue
            lines += [f"      {line}" for line in f"{message}\n{detail}".split("\n") if line]
        lines += [f"  {WAITING} {line}" for line in self._waiting()]
        lines += [f"  {REMARK} {remark}" for remark in self.remarks]
        return "\n".join(lines + [f"  → {note}" for note in self.notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        items = "".join(
            _item_html(finding, *explanation)
            for finding, explanation in zip(self._judged, self._explanations(), strict=True)
        )
        items += "".join(_plain_item(WAITING, line) for line in self._waiting())
        items += "".join(_plain_item(REMARK, remark) for remark in self.remarks)
        notes = "".join(f"<p>→ {html.escape(note)}</p>" for note in self.notes)
        colour = "#009E73" if self.passed else "#D55E00"  # Okabe and Ito: told apart by all eyes
        return (
            f'<div role="group" aria-label="{html.escape(self.headline)}" '
            f'style="border-left:4px solid {colour};padding:.2em .8em;margin:.4em 0">'
            f"<strong>{html.escape(self.headline)}</strong>"
            f'<ul style="list-style:none;padding-left:0;margin:.3em 0">{items}</ul>{notes}</div>'
        )

    @property
    def _judged(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind != NOT_JUDGED]

    def _waiting(self) -> list[str]:
        """Return what cannot be judged yet, in one line for each finding that comes first."""
        waiting: dict[str, list[str]] = {}
        for finding in self.findings:
            if finding.kind == NOT_JUDGED:
                waiting.setdefault(finding.message, []).append(finding.name)
        return [
            f"not judged yet: first get “{first}” right. Then: {'; '.join(names)}."
            for first, names in waiting.items()
        ]

    def _explanations(self) -> list[tuple[str, str]]:
        """Return message and detail of each finding, said once and pointed back to afterwards."""
        said: set[str] = set()
        explanations = []
        for finding in self._judged:
            if finding.message and finding.message in said:
                explanations.append((SAID_ABOVE, ""))
            else:
                detail = "" if finding.detail in said else finding.detail
                explanations.append((finding.message, detail))
            said |= {finding.message, finding.detail}
        return explanations


class CheckFailed(AssertionError):
    """A check did not hold; Jupyter shows the report in place of a traceback."""

    def __init__(self, report: Report):
        super().__init__(str(report))
        self.report = report

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints for this error; the report itself was shown before it."""
        return (
            _in_short_lines(str(self.report))
            if validating()
            else [f"{self.report.headline}: see above."]
        )


def _in_short_lines(text: str) -> list[str]:
    """Return the lines of a text, long ones broken: nbgrader's Validate would cut off their ends."""
    wrap = partial(textwrap.wrap, width=LONGEST_LINE, subsequent_indent="    ")
    return [part for line in text.split("\n") for part in wrap(line) or [""]]


def validating() -> bool:
    """Return whether nbgrader's Validate runs us: a student sees its dialogue and no output."""
    return bool(os.environ.get("NBGRADER_VALIDATING"))


def show(report: Report) -> None:
    """Show a report: HTML inside a notebook, plain text elsewhere."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        print(report)
        return
    shell = get_ipython()
    if shell is not None and getattr(shell, "kernel", None) is not None:
        display(report)
    else:
        print(report)


def _item_html(finding: Finding, message: str, detail: str) -> str:
    sign, word = (HELD, "holds") if finding.held else (FAILED, "does not hold")
    item = '<li style="margin:.15em 0">'
    item += f'<span role="img" aria-label="{word}">{sign}</span> {html.escape(finding.name)}'
    if finding.apart:
        item += f" <em>(apart from: {html.escape(finding.apart)})</em>"
    if message == SAID_ABOVE:
        item += f": {message}"
    elif message:
        item += f'<div style="margin:.2em 0 .4em 1.4em">{html.escape(message)}'
        if detail:
            item += f'<pre style="{PREFORMATTED}">{html.escape(detail)}</pre>'
        item += "</div>"
    return item + "</li>"


def _plain_item(sign: str, line: str) -> str:
    return f'<li style="margin:.15em 0">{sign} {html.escape(line)}</li>'
