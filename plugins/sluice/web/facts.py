"""Facts: single things there are to know, in words, and whether they are good news."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from sluice.domain.report import Report
from sluice.web.rights import Stage

#: Where pages are shown that tasks have stored.
REPORTS = "/sluice/reports/"

Tone = Literal["good", "bad", "unsure", "plain"]


@dataclass(frozen=True)
class Fact:
    """One thing there is to know.

    Attributes:
        label: What it is about.
        value: In a word or two.
        tone: Whether that is good news.
        detail: In a sentence.
        at: Since when, or None.
        link: A page that says more, below the web server's own address.
        stage: Whose doing it is; who may not read that stage's DAG does not see it.
    """

    label: str
    value: str
    tone: Tone = "plain"
    detail: str = ""
    at: datetime | None = None
    link: str | None = None
    stage: Stage = "promote"


def worst(tones: Iterable[Tone]) -> Tone:
    """What several tones come to: bad where one is, else unsure where one is, else good where one is."""
    found = set(tones)
    order: tuple[Tone, ...] = ("bad", "unsure", "good")
    return next((tone for tone in order if tone in found), "plain")


def of_verdict(verdict: str) -> Tone:
    """What the verdict of a check comes to."""
    tones: dict[str, Tone] = {"stable": "good", "drifted": "bad", "degraded": "bad"}
    return tones.get(verdict, "unsure")


def of_decision(code: str) -> Tone:
    """What a decision comes to; a model that is the champion's equal to the byte is no worse than it."""
    tones: dict[str, Tone] = {"promote": "good", "reject:unchanged": "plain"}
    kinds: dict[str, Tone] = {"reject": "bad"}
    return tones.get(code) or kinds.get(code.partition(":")[0], "unsure")


def of_batch(status: str) -> Tone:
    """What a batch's status comes to."""
    tones: dict[str, Tone] = {"accepted": "good", "rejected": "bad"}
    return tones.get(status, "unsure")


def page_of(use_case: str, kind: str, dag_run_id: str | None, uri: str | None) -> str | None:
    """Where a run's report is shown; None where it made none, or none that is kept."""
    if not uri:
        return None
    if uri.startswith(REPORTS):
        return uri
    try:
        report = Report.model_validate({"use_case": use_case, "kind": kind, "name": "x"})
    except ValidationError:
        return None
    return Report.of_run(report.use_case, report.kind, dag_run_id or "").path
