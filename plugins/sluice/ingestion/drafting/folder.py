"""Drafting: a use case's folder written from what was assumed of a file, every assumption beside its line."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from sluice.domain.columns import Column
from sluice.domain.measures import Metric
from sluice.domain.policy import Threshold
from sluice.ingestion.drafting import policies
from sluice.ingestion.drafting.assumptions import Assumptions, Choice
from sluice.ingestion.drafting.baseline import Baseline
from sluice.ingestion.drafting.findings import Finding
from sluice.ingestion.drafting.fitting import Fit
from sluice.ingestion.samples import SAMPLE_FILE

WIDTH = 110

#: What means something in Markdown or HTML, or makes a link of an address.
MEANS = re.compile(r"[\\`*_~\[\]<>&|]|:(?=//)")

#: Code as findings write it; nothing in it can mean something else.
CODE = re.compile(r"((?<!`)`\w(?:[\w.: {}\[\]]*[\w}\]])?`(?!`))")

HEADINGS = {"warning": "Look at this first", "assumed": "What was assumed", "decide": "What you should decide"}


@dataclass(frozen=True)
class Draft:
    """What there is to write.

    Attributes:
        assumed: Of the file.
        reached: What a plain model reaches on it.
        demanded: What the gate will ask for.
        fit: The sample.
        findings: What a person should know.
        alerts: Where alerts go until somebody says otherwise.
    """

    assumed: Assumptions
    reached: Baseline
    demanded: dict[Metric, Threshold]
    fit: Fit
    findings: tuple[Finding, ...]
    alerts: str

    @property
    def title(self) -> str:
        """The name as people read it."""
        return self.assumed.name.replace("_", " ").capitalize()


def files(draft: Draft) -> dict[str, str]:
    """The folder's files by name; the same draft gives the same bytes."""
    return {"use_case.yaml": spec(draft), SAMPLE_FILE: sample(draft), "README.md": readme(draft)}


def spec(draft: Draft) -> str:
    """The text of `use_case.yaml`."""
    assumed = draft.assumed
    objective = assumed.objective
    found = [f"{finding.kind.upper()}: {finding.text}" for finding in draft.findings]
    lines = [
        "# yaml-language-server: $schema=../schema.json",
        *comment(f"Drafted from {assumed.profile.contents.path}. What was found:"),
        *(line for text in found for line in comment(f"- {text}", hang="  ")),
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


def sample(draft: Draft) -> str:
    """The text of `sample.yaml`."""
    declared = draft.fit.sample.model_dump(mode="json", exclude_defaults=True)
    declared = {"rows": draft.fit.sample.rows, "seed": draft.fit.sample.seed} | declared
    metric = next(iter(draft.demanded))
    lines = comment(
        f"Rows like those of {draft.assumed.profile.contents.path.name}, to try things out without it. Every number "
        f"here is a summary; no row is repeated. A plain model reaches {metric} {draft.fit.reached.mean[metric]:.3g} "
        f"on it, and {draft.reached.mean[metric]:.3g} on the file."
    )
    for key, value in declared.items():
        if key == "columns":
            lines += ["columns:", *(f"  {flow(name)}: {flow(marginal)}" for name, marginal in value.items())]
        elif key == "correlations":
            lines += ["correlations:", *(f"  - {flow(each)}" for each in value)]
        elif key == "target":
            block = _dumped({key: value}, width=WIDTH, default_flow_style=None)
            lines += block.rstrip().splitlines()
        else:
            lines.append(f"{key}: {flow(value)}")
    return "\n".join(lines) + "\n"


def readme(draft: Draft) -> str:
    """The text of the folder's `README.md`."""
    assumed = draft.assumed
    name, objective = assumed.name, assumed.objective
    goals = ", ".join(f"{metric} {_limit(bound)}" for metric, bound in draft.demanded.items())
    parts = [f"# {draft.title}", ""]
    parts += [
        f"Predicts `{objective.field.name}`, a {objective.task} target, from {len(assumed.features)} columns.",
        f"Drafted from {_code(str(assumed.profile.contents.path))} ({assumed.profile.contents.rows:,} rows).",
        "Everything below was told from its values and is yours to change.",
    ]
    for kind, heading in HEADINGS.items():
        told = [f for f in draft.findings if f.kind == kind]
        if told:
            parts += ["", f"## {heading}", *(f"- {_prose(finding.text)}" for finding in told)]
    parts += ["", "## Columns", "| column | type | role | missing | why |", "|---|---|---|---|---|"]
    parts += [f"| {' | '.join(_prose(cell) for cell in row)} |" for row in rows(assumed)]
    parts += [
        "",
        "## What the gate asks for",
        f"{goals}, on rows that no training sees.",
        "",
        "## Next",
        "1. Read `use_case.yaml`; `make check` says what is wrong after a change.",
        f"2. `make up` gives it DAGs and an endpoint; trigger `{name}_ingest`, then `{name}_train`; promotion follows.",
        "3. It has no schedule for ingestion and training, because one file does not change: set `schedule`.",
        "",
        "## The sample",
        f"`sample:{name}` as the source of the ingestion DAG draws rows like these, made of summaries only.",
    ]
    drifts = ", ".join(f"`sample:{name}?drift={drift}`" for drift in draft.fit.sample.drift)
    return "\n".join(parts) + (f" A changed world: {drifts}.\n" if drifts else "\n")


def rows(assumed: Assumptions) -> list[tuple[str, str, str, str, str]]:
    """Each column's name, type, role, missing share and reason, as a person reads them."""
    found = []
    for choice in assumed.choices:
        each = choice.field
        role = choice.column.role if choice.column is not None else "left out"
        kind = choice.column.type if choice.column is not None else each.kind
        found.append((each.header, kind, role, f"{each.missing_share:.1%}" if each.missing else "", choice.why))
    target = assumed.objective.field
    why = (
        ", ".join(f"{name} {n:,}" for name, n in list(assumed.objective.classes.items())[:10]) or "the number predicted"
    )
    return [
        *found,
        (target.header, assumed.target.type, "target", f"{target.missing_share:.1%}" if target.missing else "", why),
    ]


def flow(value: Any) -> str:
    """A value as YAML writes it on one line."""
    text = _dumped(value, default_flow_style=True, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...").rstrip()


def _dumped(value: Any, **how: Any) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, **how)
    # YAML would read these as a line's end, and so as a space, where they stand as they are.
    broken = any(end in text for end in ("\x85", "\N{LINE SEPARATOR}", "\N{PARAGRAPH SEPARATOR}"))
    return yaml.safe_dump(value, sort_keys=False, **how) if broken else text


def comment(text: str, indent: int = 0, hang: str = "") -> list[str]:
    """Text as comment lines."""
    start = f"{' ' * indent}# "
    wrapped = textwrap.wrap(
        _clean(text),
        WIDTH,
        initial_indent=start,
        subsequent_indent=start + hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped or [start.rstrip()]


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
    for metric, bound in gate["thresholds"].items():
        known = f"{draft.reached.mean[metric]:.3g} +- {draft.reached.deviation[metric]:.2g}"
        lines.append(
            f"    {metric}: {flow(bound)}  # a plain model: {known}; chance: {draft.reached.chance[metric]:.3g}"
        )
    lines += [f"  change: {flow(gate['change'])}", f"  min_test_rows: {gate['min_test_rows']}", *_suggestions(draft)]
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


def _limit(bound: Threshold) -> str:
    return f"at least {bound.min:g}" if bound.min is not None else f"at most {bound.max:g}"


def _prose(text: str) -> str:
    """Text for Markdown in which what a file's names and values hold stays what it is."""
    pieces = CODE.split(_clean(text))
    return "".join(piece if i % 2 else MEANS.sub(r"\\\g<0>", piece) for i, piece in enumerate(pieces))


def _code(text: str) -> str:
    """Text as code, between more backticks than it has in a row."""
    text = _clean(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _clean(text: str) -> str:
    """Text on one line that any reader takes."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
