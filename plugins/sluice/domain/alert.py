"""Alerts: what can go wrong that a person must hear of, and the words it is told in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

Kind = Literal[
    "task_failed",
    "task_lost",
    "run_failed",
    "import_error",
    "spec_broken",
    "gate_rejected",
    "canary_withdrawn",
    "publishing_failed",
    "approval_waiting",
    "drift",
    "quality",
    "performance",
    "retraining",
    "deadline_missed",
    "airflow_down",
    "scheduler_down",
    "dag_processor_down",
    "triggerer_down",
    "worker_down",
    "warehouse_down",
    "registry_down",
    "serving_not_ready",
    "log_drops",
    "disk_full",
    "watcher_down",
]

#: What each kind is called in a subject line; its section in docs/operations.md has the kind's name as anchor.
TITLES: Mapping[Kind, str] = MappingProxyType(
    {
        "task_failed": "failed",
        "task_lost": "lost",
        "run_failed": "run failed",
        "import_error": "cannot be read",
        "spec_broken": "spec is broken",
        "gate_rejected": "not promoted",
        "canary_withdrawn": "canary withdrawn",
        "publishing_failed": "not published",
        "approval_waiting": "waits for approval",
        "drift": "drifted",
        "quality": "data quality",
        "performance": "performance dropped",
        "retraining": "retraining started",
        "deadline_missed": "is late",
        "airflow_down": "does not answer",
        "scheduler_down": "is dead",
        "dag_processor_down": "is dead",
        "triggerer_down": "is dead",
        "worker_down": "is dead",
        "warehouse_down": "does not answer",
        "registry_down": "does not answer",
        "serving_not_ready": "is not ready",
        "log_drops": "predictions are not logged",
        "disk_full": "is nearly full",
        "watcher_down": "is silent",
    }
)

#: What no use case owns.
PLATFORM = "platform"

#: Kinds that say only that something failed: what is known more precisely about the same occasion speaks for them.
GENERAL: frozenset[Kind] = frozenset({"task_failed", "task_lost", "run_failed"})

#: Kinds that are news and no state: over as soon as they are told.
PASSING: frozenset[Kind] = frozenset({"canary_withdrawn", "retraining"})

#: How much of a text, and how many lines of a log, a mail holds; the end is kept.
LONGEST_TEXT, LONGEST_LINE, MOST_LINES = 8_000, 400, 20


@dataclass(frozen=True)
class Alert:
    """One thing that is wrong.

    Attributes:
        cause: What it is, always by the same text: one cause is one mail, however often it is seen, until it heals.
        use_case: Whose; `platform` where it is no use case's.
        stage: Where: a stage's verb, or a part of the platform.
        kind: What kind of thing.
        headline: The task, file, program or column that it is about; ends the subject line.
        facts: Label and value, in order.
        error: What was seen, in words or as an exception's text.
        advice: What to do next.
        links: Label and URL, in order.
        log: The last lines of the log, where there is one.
        occasion: The run that it was seen in, as `<dag_id>/<run_id>`, where it makes that run fail.
    """

    cause: str
    use_case: str
    stage: str
    kind: Kind
    headline: str
    facts: tuple[tuple[str, str], ...] = ()
    error: str = ""
    advice: str = ""
    links: tuple[tuple[str, str], ...] = ()
    log: tuple[str, ...] = ()
    occasion: str = ""

    @property
    def title(self) -> str:
        """The subject line, on which a filter can rely: `[sluice] housing train failed: search_trials`."""
        return " ".join(f"[sluice] {self.use_case} {self.stage} {TITLES[self.kind]}: {self.headline}".split())

    @property
    def recovery(self) -> str:
        """The subject line once it has healed."""
        return " ".join(f"[sluice] {self.use_case} {self.stage} recovered: {self.headline}".split())

    def printable(self) -> Alert:
        """The same without what neither a mail nor a database could hold, and no longer than people read."""
        return replace(
            self,
            headline=_printable(self.headline)[:LONGEST_LINE],
            facts=tuple((_printable(label), _printable(value)) for label, value in self.facts),
            error=_end(_printable(self.error)),
            advice=_end(_printable(self.advice)),
            log=tuple(_printable(line)[:LONGEST_LINE] for line in self.log[-MOST_LINES:]),
        )


def _printable(text: str) -> str:
    """A text whose control characters and halves of characters are replaced."""
    whole = text.encode("utf-8", "replace").decode()
    return "".join(c if c in "\n\t" or c >= " " else "\N{REPLACEMENT CHARACTER}" for c in whole.replace("\r\n", "\n"))


def _end(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"[...] {text[-LONGEST_TEXT:]}"
