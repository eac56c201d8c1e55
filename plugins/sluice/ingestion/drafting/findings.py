"""Findings: what a person should know about a file that became a use case, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sluice.domain.measures import default_metric
from sluice.ingestion.drafting.assumptions import Assumptions
from sluice.ingestion.drafting.baseline import Baseline
from sluice.ingestion.drafting.choices import Choice
from sluice.ingestion.drafting.marginals import MOST_CORRELATED

#: Class share under which a model may look good by never naming the class.
RARE = 0.1

#: Share of missing values from which a column is worth a question.
MANY_MISSING = 0.3

#: Skill under which there is nothing to be seen yet.
NO_SKILL = 0.02

Kind = Literal["assumed", "decide", "warning"]


@dataclass(frozen=True)
class Finding:
    """One of them: a warning, something assumed, or something to decide."""

    kind: Kind
    text: str


def of(assumed: Assumptions, reached: Baseline) -> tuple[Finding, ...]:
    """Everything worth saying, warnings first."""
    found = [*_rows(assumed), *_target(assumed), *_columns(assumed), *_skill(assumed, reached), *_open(assumed)]
    order: tuple[Kind, ...] = ("warning", "assumed", "decide")
    return tuple(sorted(found, key=lambda finding: order.index(finding.kind)))


def beats_chance(assumed: Assumptions, reached: Baseline) -> bool:
    """Whether a plain model is better than one that knows the shares only, by more than its folds vary."""
    metric = default_metric(assumed.objective.task)
    sure = abs(reached.mean[metric] - reached.chance[metric]) > reached.deviation[metric] / 2
    return reached.skill(metric) > NO_SKILL and sure


def _rows(assumed: Assumptions) -> Iterator[Finding]:
    contents = assumed.profile.contents
    separator = {";": "semicolons", "\t": "tabs", "|": "bars"}.get(contents.delimiter)
    if separator:
        yield Finding("assumed", f"fields are separated by {separator}")
    if contents.kept < contents.rows:
        yield Finding(
            "assumed", f"an even sample of {contents.kept:,} of the {contents.rows:,} rows says what columns hold"
        )
    if contents.ragged:
        text = f"{contents.ragged:,} rows have another number of fields than the header, the first on line "
        yield Finding("warning", f"{text}{contents.first_ragged}; ingestion puts them in quarantine")
    if assumed.profile.unnamed:
        yield Finding("warning", f"{assumed.profile.unnamed} fields have no name in the header and were left out")
    repeated = assumed.rows - len(np.unique(assumed.inputs.groups))
    if repeated:
        share = f"{repeated:,} of {assumed.rows:,} usable rows repeat the inputs of another"
        yield Finding("assumed", f"{share}; such rows stay together in one part, so that none is tested on its copy")
        both = _contradictions(assumed)
        if both:
            yield Finding("decide", f"{both:,} rows have the inputs of another and a different target: is that right?")
    parts = assumed.parts
    yield Finding(
        "assumed",
        f"{parts.test:.0%} of the rows judge models and no training sees them ({parts.counts['test']:,}), "
        f"{parts.calibration:.0%} measure intervals ({parts.counts['calibration']:,}), "
        f"{parts.counts['train']:,} are trained on; choose before the first model, because it is for ever",
    )


def _contradictions(assumed: Assumptions) -> int:
    pairs = np.unique(np.column_stack([assumed.inputs.groups, assumed.observed]), axis=0)
    return len(pairs) - len(np.unique(pairs[:, 0]))


def _target(assumed: Assumptions) -> Iterator[Finding]:
    objective = assumed.objective
    yield Finding("assumed", f"{objective.field.header!r} is a {objective.task} target: {objective.reason}")
    without = objective.field.missing
    if without:
        text = f"{without:,} rows have no {objective.field.header!r}; ingestion puts them in quarantine"
        yield Finding("warning", text)
    if objective.field.unreadable and not objective.classes:
        yield Finding("warning", _unreadable(assumed.target.name, objective.field.unreadable, objective.field.example))
    if objective.log:
        yield Finding("assumed", "the target is skewed and never negative, so models learn its logarithm")
    if objective.given_up:
        shown = ", ".join(f"{name} ({n})" for name, n in objective.given_up.items())
        yield Finding("warning", f"classes with too few rows are not learned, and their rows go to quarantine: {shown}")
    total = sum(objective.classes.values())
    rare = [name for name, n in objective.classes.items() if n < RARE * total / max(1, len(objective.classes) / 2)]
    if rare:
        shown = ", ".join(f"{name} ({objective.classes[name] / total:.1%})" for name in rare)
        yield Finding("decide", f"some classes are rare: {shown}; does a missed one cost more than a false alarm?")


def _columns(assumed: Assumptions) -> Iterator[Finding]:
    renamed = [c.field for c in assumed.choices if c.column is not None and c.column.header is not None]
    if renamed:
        shown = ", ".join(f"{each.header!r} is {each.name}" for each in renamed[:3])
        more = f" and {len(renamed) - 3} more" if len(renamed) > 3 else ""
        yield Finding("assumed", f"headers that are no plain names got one: {shown}{more}")
    yield from _separators(assumed.target.name, assumed.target.thousands)
    for choice in assumed.choices:
        each = choice.field
        if each.name in assumed.leaking:
            yield Finding(
                "warning",
                f"LEAK: {each.header!r} alone tells the target almost perfectly, so it was probably made from it or "
                "after it; it feeds no model. Make it a feature only if it is known before the target is",
            )
        if each.unreadable and choice.column is not None:
            yield Finding("warning", _unreadable(each.header, each.unreadable, each.example))
        yield from _spelling(choice)
        if choice.feeds:
            yield from _doubts(choice)
    numbers = sum(c.field.numeric for c in assumed.features)
    if numbers > MOST_CORRELATED:
        text = f"in the sample, {MOST_CORRELATED} of the {numbers} numbers go together as in the file, the first ones; "
        yield Finding("assumed", f"{text}the others are drawn by themselves")


def _unreadable(header: str, rows: int, example: str) -> str:
    return f"{rows:,} values of {header!r}, such as {example[:40]!r}, cannot be read; their rows go to quarantine"


def _spelling(choice: Choice) -> Iterator[Finding]:
    each = choice.field
    if choice.column is None:
        return
    yield from _separators(each.header, each.thousands)
    if choice.column.role == "id" and each.distinct < len(each.known):
        yield Finding(
            "decide",
            f"{each.header!r} names {each.distinct:,} things in {len(each.known):,} rows; if rows of one thing are "
            f"alike, write `split: {{identity: [{each.name}]}}`, so that none is tested on its neighbour",
        )


def _separators(header: str, thousands: str | None) -> Iterator[Finding]:
    if thousands == ".":
        yield Finding("assumed", f"in {header!r} a comma is the decimal point, and points separate thousands: 1.234,5")
    elif thousands:
        yield Finding("assumed", f"in {header!r} {thousands!r} separates thousands: 1{thousands}234.5")


def _doubts(choice: Choice) -> Iterator[Finding]:
    each = choice.field
    if each.missing_share > MANY_MISSING:
        yield Finding("decide", f"{each.missing_share:.0%} of {each.header!r} is missing; is the rest worth keeping?")
    if each.numeric and each.distinct > 20:
        low, median, high = np.quantile(each.known, [0.01, 0.5, 0.99])
        top, bottom = each.known.max(), each.known.min()
        width = high - low
        if width > 0 and (top > high + 2 * width or bottom < low - 2 * width):
            far = top if top > high + 2 * width else bottom
            yield Finding(
                "decide",
                f"{each.header!r} goes to {far:g}, while 98 % of it lies in {low:g} to {high:g} "
                f"(median {median:g}); if that is an error, narrow its `range`",
            )
    if each.kind == "category":
        folded: dict[str, str] = {}
        for text in each.counts:
            other = folded.setdefault(text.casefold(), text)
            if other != text:
                yield Finding("decide", f"{each.header!r} holds {other!r} and {text!r}; are they the same?")


def _skill(assumed: Assumptions, reached: Baseline) -> Iterator[Finding]:
    judged = default_metric(assumed.objective.task)
    shown = (judged, "r2") if assumed.objective.task == "regression" else (judged, "roc_auc")
    numbers = ", ".join(f"{m} {reached.mean[m]:.3g} (chance {reached.chance[m]:.3g})" for m in shown)
    if beats_chance(assumed, reached):
        text = f"a plain {reached.family} model reaches {numbers} out of folds; the gate asks for somewhat less"
        yield Finding("assumed", text)
        return
    yield Finding(
        "warning",
        f"LITTLE TO LEARN: a plain model is not clearly better than chance ({numbers}); the gate demands better than "
        "chance, so a model passes only when columns say more about the target",
    )


def _open(assumed: Assumptions) -> Iterator[Finding]:
    yield Finding("decide", "who answers for the model, and where its alerts go (`owner`)")
    yield Finding("decide", "whether every column is known at the moment a prediction is asked for; take others out")
    yield Finding(
        "decide", "what a model must reach to be of use (`gate.thresholds`), rather than what is easily reached"
    )
    people = [c.field.name for c in assumed.features if _about_people(c.field.header)]
    if people:
        yield Finding("decide", f"whether people may be told apart by {', '.join(people)} (`gate.fairness`)")


def _about_people(header: str) -> bool:
    words = ("age", "gender", "sex", "race", "ethnicity", "religion", "nationality", "marital", "disability")
    return any(part in words for part in header.lower().replace(" ", "_").replace("-", "_").split("_"))
