"""Report: a decision as people read it, as a page of its own and as the question put to whom must approve it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.adapters.templates import templates
from sluice.domain.evidence import Check, Evidence
from sluice.domain.figures import plain
from sluice.domain.measures import HIGHER_IS_BETTER
from sluice.domain.report import Report, sealed
from sluice.domain.use_case import UseCase
from sluice.gate import plots
from sluice.gate.decision import Entry

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from sluice.adapters.objects import ObjectStore

#: Headings, and the first words of the codes below each; what has no heading comes at the end.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Against the champion": ("change", "unchanged"),
    "How good it is": ("threshold", "out_of_fold", "constant"),
    "Slices": ("slice",),
    "Behaviour": ("behaviour",),
    "How sure it is of itself": ("calibration", "coverage"),
    "Fairness": ("fairness",),
    "Training rows and held-out rows": ("gap", "shift"),
    "Too good to be true": ("leak",),
    "What it was judged on": (
        "split",
        "classes",
        "empty",
        "test_rows",
        "overlap",
        "train_rows",
        "target",
        "answers",
    ),
}
SERVABLE, OTHER = "Servable", "Further checks"


@dataclass(frozen=True)
class Line:
    """A metric of the candidate beside the champion's.

    Attributes:
        title: The metric.
        candidate: The candidate's, as it is read.
        champion: The champion's; empty without one.
        gain: How much better the candidate is, relative to the champion; empty without one.
        better: Whether it is; None where nobody can tell.
    """

    title: str
    candidate: str
    champion: str
    gain: str
    better: bool | None


def publish(objects: ObjectStore, use_case: UseCase, entries: tuple[Entry, ...]) -> tuple[Report, str]:
    """Store the page of what was decided in a run, and return its address and its content.

    Args:
        objects: Keeps the page; the same run writes over its own.
        use_case: Whose decision.
        entries: What was decided in the run, the newest first; at least one.
    """
    page = render(use_case, entries)
    objects.write_bytes(entries[0].report.key, sealed(page))
    return entries[0].report, page


def render(use_case: UseCase, entries: tuple[Entry, ...]) -> str:
    """The page of what was decided in a run: a whole HTML document that loads nothing from elsewhere.

    Args:
        use_case: Whose decision.
        entries: What was decided in the run, the newest first; at least one.
    """
    newest = entries[0]
    gate = next((entry for entry in entries if entry.decision_id == newest.overrides), newest)
    curve = next((part.curve for part in newest.evidence if part.curve), None)
    return (
        _pages()
        .get_template("decision.html.j2")
        .render(
            use_case=use_case,
            newest=newest,
            gate=gate,
            tone=tone(newest),
            headline=headline(newest),
            advice=advice(use_case, newest),
            obstacles=obstacles(newest.evidence),
            lines=compared(newest.evidence),
            sections=sections(newest.evidence),
            curve=plots.curve_plot(curve, bool(use_case.classes)) if curve else None,
            slices=plots.slices(newest.evidence),
            notes=[note for part in newest.evidence for note in part.notes],
            test_rows=next((part.test_rows for part in newest.evidence if part.test_rows is not None), None),
        )
    )


def question(use_case: UseCase, entry: Entry, address: str) -> str:
    """What a person is asked to approve, as Markdown: metrics, every check, and where the page is.

    Args:
        use_case: Whose decision.
        entry: The gate's decision.
        address: Of its page.
    """
    against = f"version {entry.champion_version}" if entry.champion_version else "no champion yet"
    parts = [f"**{headline(entry)}:** {entry.decision.message}.", f"[All of the evidence, with plots]({address})"]
    if lines := compared(entry.evidence):
        parts.append(
            _table(
                ("metric", "candidate", f"champion ({against})", "better by"),
                ((line.title, line.candidate, line.champion, line.gain) for line in lines),
            )
        )
    for title, checks in sections(entry.evidence).items():
        rows = ((c.verdict, f"`{c.code}`", c.message, c.limit or "") for c in checks)
        parts.append(f"### {title}\n\n{_table(('verdict', 'check', 'found', 'limit'), rows)}")
    parts.append("Say why in `reason`; it is kept with your name. No answer in time is a no.")
    return "\n\n".join(parts)


def headline(entry: Entry) -> str:
    """The verdict in one line."""
    kind, _, check = entry.decision.code.partition(":")
    version = f"Version {entry.version}"
    if kind == "promote":
        return f"{version} may serve" if entry.is_of_the_gate else f"{version} may serve, says {entry.decision.actor}"
    if kind == "needs_approval":
        return f"{version} passed, and waits for a person's yes"
    if kind == "reject":
        return f"{version} is rejected: {check.replace('_', ' ')}"
    return f"Whether version {entry.version} may serve could not be told: {check.replace('_', ' ')}"


def tone(entry: Entry) -> str:
    """How the verdict feels: `good`, `bad` or `unsure`."""
    return {"promote": "good", "reject": "bad"}.get(entry.decision.code.partition(":")[0], "unsure")


def advice(use_case: UseCase, entry: Entry) -> str:
    """What a person should do next."""
    kind, _, check = entry.decision.code.partition(":")
    dag = f"{use_case.name}_promote"
    serving = "The champion goes on serving." if entry.champion_version else "Nothing serves yet."
    if kind == "promote":
        return "Nothing: this run carries it out."
    if kind == "needs_approval":
        return f"Answer ask_approval of this run in Airflow within {use_case.gate.approval_hours:g} hours."
    if kind == "undecided":
        return f"Mend what is named below, then trigger {dag} with version {entry.version}; this cannot be forced."
    if check.startswith("approval"):
        return f"{serving} To ask again, trigger {dag} with version {entry.version}."
    if any(c.verdict == "fail" for part in entry.evidence if part.blessing == "servable" for c in part.checks):
        return f"{serving} Mend what is named below and train again; this cannot be forced."
    return (
        f"{serving} Mend what is named below and train again; or, if it must serve all the same, "
        f"trigger {dag} with version {entry.version}, force, and a reason."
    )


def obstacles(evidence: tuple[Evidence, ...]) -> list[Check]:
    """The checks that did not pass, failures first."""
    found = [check for part in evidence for check in part.checks if check.verdict != "pass"]
    return sorted(found, key=lambda check: check.verdict)


def compared(evidence: tuple[Evidence, ...]) -> list[Line]:
    """The candidate's metrics beside the champion's."""
    lines = []
    for part in evidence:
        for name, ours in part.metrics.items():
            theirs = part.champion_metrics.get(name)
            title = plots.title_of(name)
            if not theirs:
                known = "" if theirs is None else plain(theirs)
                lines.append(Line(title, plain(ours), known, "", None))
                continue
            gain = (ours - theirs if name in HIGHER_IS_BETTER else theirs - ours) / abs(theirs)
            lines.append(Line(title, plain(ours), plain(theirs), f"{gain:+.2%}", gain > 0 if gain else None))
    return lines


def sections(evidence: tuple[Evidence, ...]) -> dict[str, list[Check]]:
    """Every check below its heading, what did not pass first."""
    found: dict[str, list[Check]] = {title: [] for title in (*SECTIONS, SERVABLE, OTHER)}
    titles = {word: title for title, words in SECTIONS.items() for word in words}
    for part in evidence:
        for check in part.checks:
            weighed = titles.get(check.code.partition(".")[0], OTHER)
            found[weighed if part.blessing == "good_enough" else SERVABLE].append(check)
    rank = {"fail": 0, "unknown": 1, "pass": 2}
    return {title: sorted(checks, key=lambda c: rank[c.verdict]) for title, checks in found.items() if checks}


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )


def _pages() -> Environment:
    pages = templates(Path(__file__).parent / "pages")
    pages.filters["breakable"] = _breakable
    return pages


def _breakable(code: str) -> Markup:
    """A code that a narrow column may break where its words end; what is copied stays as it is."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([._])", r"\1<wbr>", str(escape(code))))  # noqa: S704 - escaped
