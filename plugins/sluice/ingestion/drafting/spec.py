"""The spec: a drafted `use_case.yaml`, every assumption beside its line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sluice.domain.columns import Column
from sluice.ingestion.drafting import policies
from sluice.ingestion.drafting.choices import Choice
from sluice.ingestion.drafting.draft import Draft
from sluice.ingestion.drafting.wording import comment, flow


def text(draft: Draft) -> str:
    """The file's text; the same draft gives the same bytes."""
    assumed = draft.assumed
    objective = assumed.objective
    told = [f"{finding.kind.upper()}: {finding.text}" for finding in draft.findings]
    lines = [
        "# yaml-language-server: $schema=../schema.json",
        *comment(f"Drafted from {assumed.profile.contents.path}. What was found:"),
        *(line for each in told for line in comment(f"- {each}", hang="  ")),
        f"name: {assumed.name}",
        f"title: {flow(draft.title)}",
        f"description: {flow(f'{objective.field.header} from {len(assumed.features)} columns of a CSV file')}",
        *comment(f"{objective.field.header!r}: {objective.reason}"),
        f"task: {objective.task}",
        f"target: {flow(objective.field.name)}",
        *([f"positive_label: {flow(objective.positive)}"] if objective.positive is not None else []),
        *comment("Decide who answers for the model and hears of its failures."),
        "owner:",
        f"  name: {flow(draft.title)}",
        f"  alerts: [{flow(draft.alerts)}]",
        "",
        "source:",
        *comment("Keep the file there, or move it and change this; an http(s) address will do as well.", 2),
        f"  uri: {flow(str(assumed.profile.contents.path))}",
        *comment("Each file is the whole data, and the newest counts. `append` adds files up.", 2),
        "  mode: replace",
        "",
        "columns:",
        *(line for choice in assumed.choices for line in _column_lines(choice)),
        *comment("the target", 2),
        f"  - {flow(_declared(assumed.target))}",
        "",
        *_policy_lines(draft),
    ]
    return "\n".join(lines) + "\n"


def _column_lines(choice: Choice) -> Iterable[str]:
    if choice.column is None:
        return comment(f"{choice.field.header!r} is left out: {choice.why}", 2)
    line = f"  - {flow(_declared(choice.column))}"
    return [*comment(choice.why, 2), line] if choice.column.role != "feature" else [line]


def _declared(column: Column) -> dict[str, Any]:
    """What differs from the defaults, the name first."""
    found: dict[str, Any] = column.model_dump(mode="json", exclude_defaults=True)
    if "range" in found:
        found["range"] = [int(v) if v == int(v) and abs(v) < 1e15 else v for v in found["range"]]
    return found


def _policy_lines(draft: Draft) -> list[str]:
    assumed = draft.assumed
    quality, features, training = policies.quality(assumed), policies.features(assumed), policies.training(assumed)
    gate, monitoring = policies.gate(assumed, draft.demanded), policies.monitoring(assumed)
    lines = [
        "quality:",
        *comment(f"{assumed.bad_share:.1%} of the file's rows break a rule above.", 2),
        f"  max_bad_share: {quality['max_bad_share']}",
        f"  min_rows: {quality['min_rows']}",
        *comment("Means may move by half a standard deviation, and about as many values may be missing as are.", 2),
        "  expectations:" if quality["expectations"] else "  expectations: []",
        *(f"    - {flow(each)}" for each in quality["expectations"]),
        "",
        "features:",
        *(f"  {name}: {flow(value)}" for name, value in features.items()),
        "",
        "training:",
        *comment(f"Chosen for {policies.size(assumed)} data: {assumed.parts.counts['train']:,} rows to train on.", 2),
        "  families:",
    ]
    for family, space in training.pop("families").items():
        lines += [f"    {family}:", *(f"      {name}: {flow(values)}" for name, values in space.items())]
    split = training.pop("split")
    lines += [f"  {name}: {flow(value)}" for name, value in training.items()]
    lines += comment("For ever: it decides which rows no model trains on. Rows with equal inputs stay together.", 2)
    lines += [f"  split: {flow(split)}", "", "gate:"]
    lines += comment(
        "Somewhat below what a plain model reaches out of folds. Decide what a model must reach to be of use.", 2
    )
    lines.append("  thresholds:")
    held_out = assumed.parts.counts["test"]
    for metric, bound in gate["thresholds"].items():
        known = f"{draft.reached.mean[metric]:.3g} +- {draft.errors[metric]:.2g} on {held_out:,} rows"
        lines.append(
            f"    {metric}: {flow(bound)}  # a plain model: {known}; chance: {draft.reached.chance[metric]:.3g}"
        )
    lines += [f"  change: {flow(gate['change'])}", f"  min_test_rows: {gate['min_test_rows']}"]
    for part, (why, values) in policies.allowances(assumed, draft.reached).items():
        lines += [*comment(why, 2), f"  {part}: {flow(values)}"]
    lines += _suggestions(draft)
    lines += ["", "serving:"]
    lines.append(f"  missing: {'impute' if any(c.field.missing for c in assumed.features) else 'reject'}")
    lines += comment("The middle or most frequent value of each column.", 2)
    lines += ["  example:", *(f"    {flow(n)}: {flow(v)}" for n, v in policies.example(assumed).items())]
    lines += ["", "monitoring:", *(f"  {name}: {value}" for name, value in monitoring.items()), "", "schedule:"]
    lines += comment(
        "One file does not change, so nothing is ingested or trained by itself; cron expressions in UTC.", 2
    )
    return [*lines, "  ingest: null", "  train: null", "  monitor: 0 3 * * *"]


def _suggestions(draft: Draft) -> list[str]:
    """Slices and fairness, as comments: what must hold for whom is for people to say."""
    words = [
        c.field for c in draft.assumed.features if c.field.kind in ("category", "boolean") and c.field.distinct <= 10
    ]
    metric, bound = next(iter(draft.demanded.items()))
    name = words[0].name if words else "a_column"
    found = comment("Parts that must do well by themselves, for example:", 2)
    found += [
        f"  # slices: [{{column: {name}, thresholds: {{{metric}: {flow(bound.model_dump(exclude_none=True))}}}}}]"
    ]
    if draft.assumed.objective.task == "binary":
        found += comment("How far apart groups of people may be, for example:", 2)
        found += [f"  # fairness: [{{column: {name}, metric: selection_rate, min_ratio: 0.8}}]"]
    return found
