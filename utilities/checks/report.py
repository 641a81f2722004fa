"""What a check found, shown as HTML in Jupyter and as plain text elsewhere."""

import html
import math
import os
from dataclasses import dataclass, field

HELD, FAILED = "✓", "✗"
SAID_ABOVE = "the same as above"
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
    """

    name: str
    held: bool
    message: str = ""
    mistake: str = ""
    kind: str = ""
    detail: str = ""
    share: float = 1.0


@dataclass
class Report:
    """The findings of one check, and a note on earlier steps to mend."""

    exercise: str
    findings: list[Finding]
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return all(finding.held for finding in self.findings)

    @property
    def mistakes(self) -> list[str]:
        """Return the names of the known mistakes that were recognised, without repetition."""
        return list(dict.fromkeys(f.mistake for f in self.findings if f.mistake))

    @property
    def fraction(self) -> float:
        """Return the share of the findings that hold, between 0 and 1."""
        total = sum(finding.share for finding in self.findings)
        return sum(finding.share for finding in self.findings if finding.held) / total

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
        for finding, (message, detail) in zip(self.findings, self._explanations(), strict=True):
            lines.append(f"  {HELD if finding.held else FAILED} {finding.name}")
            if message == SAID_ABOVE:
                lines[-1] += f": {message}"
                continue
            lines += [f"      {line}" for line in f"{message}\n{detail}".split("\n") if line]
        return "\n".join(lines + [f"  → {note}" for note in self.notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        items = "".join(
            _item_html(finding, *explanation)
            for finding, explanation in zip(self.findings, self._explanations(), strict=True)
        )
        notes = "".join(f"<p>→ {html.escape(note)}</p>" for note in self.notes)
        colour = "#009E73" if self.passed else "#D55E00"  # Okabe and Ito: told apart by all eyes
        return (
            f'<div role="group" aria-label="{html.escape(self.headline)}" '
            f'style="border-left:4px solid {colour};padding:.2em .8em;margin:.4em 0">'
            f"<strong>{html.escape(self.headline)}</strong>"
            f'<ul style="list-style:none;padding-left:0;margin:.3em 0">{items}</ul>{notes}</div>'
        )

    def _explanations(self) -> list[tuple[str, str]]:
        """Return message and detail of each finding, said once and pointed back to afterwards."""
        said: set[str] = set()
        explanations = []
        for finding in self.findings:
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
        return str(self.report).split("\n") if validating() else [f"{self.report.headline}: see above."]


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
    if message == SAID_ABOVE:
        item += f": {message}"
    elif message:
        item += f'<div style="margin:.2em 0 .4em 1.4em">{html.escape(message)}'
        if detail:
            item += f'<pre style="{PREFORMATTED}">{html.escape(detail)}</pre>'
        item += "</div>"
    return item + "</li>"
