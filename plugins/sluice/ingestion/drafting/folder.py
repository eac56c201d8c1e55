"""Drafting: a use case's folder written from what was assumed of a file."""

from __future__ import annotations

from sluice.domain.policy import Threshold
from sluice.ingestion.drafting import spec
from sluice.ingestion.drafting.assumptions import Assumptions
from sluice.ingestion.drafting.draft import Draft
from sluice.ingestion.drafting.wording import block, code, comment, flow, prose
from sluice.ingestion.samples import SAMPLE_FILE

HEADINGS = {"warning": "Look at this first", "assumed": "What was assumed", "decide": "What you should decide"}


def files(draft: Draft) -> dict[str, str]:
    """The folder's files by name; the same draft gives the same bytes."""
    return {"use_case.yaml": spec.text(draft), SAMPLE_FILE: sample(draft), "README.md": readme(draft)}


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
            lines += block({key: value}).splitlines()
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
        f"Drafted from {code(str(assumed.profile.contents.path))} ({assumed.profile.contents.rows:,} rows).",
        "Everything below was told from its values and is yours to change.",
    ]
    for kind, heading in HEADINGS.items():
        told = [f for f in draft.findings if f.kind == kind]
        if told:
            parts += ["", f"## {heading}", *(f"- {prose(finding.text)}" for finding in told)]
    parts += ["", "## Columns", "| column | type | role | missing | why |", "|---|---|---|---|---|"]
    parts += [f"| {' | '.join(prose(cell) for cell in row)} |" for row in rows(assumed)]
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


def _limit(bound: Threshold) -> str:
    return f"at least {bound.min:g}" if bound.min is not None else f"at most {bound.max:g}"
