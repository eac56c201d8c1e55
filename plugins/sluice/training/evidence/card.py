"""The card: what a registered version says about itself, to people and to programs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sluice.domain.figures import plain
from sluice.domain.measures import HIGHER_IS_BETTER, TITLES
from sluice.domain.use_case import UseCase
from sluice.training.candidate import Candidate
from sluice.training.search import Attempt, SearchResult
from sluice.training.snapshots import Snapshot

#: Most characters that a version's description may have in MLflow's database.
MOST_CHARACTERS = 5_000
#: Most names that are listed one by one.
MOST_NAMES = 12


def tags(candidate: Candidate, result: SearchResult, reason: str | None) -> dict[str, str]:
    """What programs look for on a version; the digests say which bundle was registered, and from what."""
    contract = candidate.bundle.contract
    lineage = contract.lineage
    return {
        "bundle_sha256": candidate.bundle.sha256,
        "model_sha256": candidate.bundle.model_sha256,
        "runtime_sha256": contract.runtime_sha256,
        "snapshot_id": lineage.snapshot_id,
        "spec_sha256": lineage.spec_sha256,
        "code_sha256": lineage.code_sha256,
        "trials": str(len(result.attempts)),
        "task": contract.task,
        "family": contract.family,
        "reason": reason or "none given",
    }


def description(candidate: Candidate, snapshot: Snapshot, result: SearchResult) -> str:
    """What people read on a version's page, as Markdown."""
    title = candidate.bundle.contract.title
    parts = [
        f"**{title}**: {_sentence(result)}",
        _runners_up(result),
        f"### Data\n{_data(candidate.use_case, snapshot)}",
        f"### On held-out rows\n{_promise(candidate)}\n\n{_table(candidate)}",
        f"### Features\n{_features(candidate.use_case, result)}",
        f"### Where it comes from\n{_origin(candidate, snapshot, result)}",
        f"### Again\n{_again(candidate, snapshot)}",
    ]
    text = "\n\n".join(parts) + "\n"
    rest = "\n\n… the rest is in the run's artifacts.\n"
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - len(rest)] + rest


def by_family(result: SearchResult) -> dict[str, Attempt]:
    """The best complete attempt of each family, the best family first."""
    sign = -1 if result.metric in HIGHER_IS_BETTER else 1
    complete = (attempt for attempt in result.attempts if attempt.state == "complete")
    best: dict[str, Attempt] = {}
    for attempt in sorted(complete, key=lambda a: (sign * a.mean, a.number)):
        best.setdefault(attempt.family, attempt)
    return best


def _sentence(result: SearchResult) -> str:
    best = result.best
    choices = ", ".join(f"`{name}` = {_value(value)}" for name, value in best.parameters.items())
    return (
        f"{_words(best.family)}{f' ({choices})' if choices else ''}, trial {best.number}, the best of "
        f"{len(result.attempts)} trials by {_metric(result.metric)} over {len(best.scores)} folds: "
        f"{plain(best.mean)} ± {plain(best.deviation, 3)}."
    )


def _runners_up(result: SearchResult) -> str:
    """The best of each family, as a table; why this family and no other."""
    lines = [f"| family | best {_metric(result.metric)} | trials | given up |", "|---|---|---|---|"]
    for family, attempt in by_family(result).items():
        own = [a for a in result.attempts if a.family == family]
        score = f"{plain(attempt.mean)} ± {plain(attempt.deviation, 3)}"
        lines.append(f"| {_words(family)} | {score} | {len(own)} | {sum(a.state == 'pruned' for a in own)} |")
    return "\n".join(lines)


def _data(use_case: UseCase, snapshot: Snapshot) -> str:
    few = snapshot.train_rows / max(snapshot.rows, 1)
    text = (
        f"Snapshot `{snapshot.snapshot_id}`, {snapshot.note}: {snapshot.train_rows:,} to fit ({few:.0%}), "
        f"{snapshot.calibration_rows:,} to measure intervals or sets on, {snapshot.test_rows:,} held out. "
        f"Rows that agree in {_listed(use_case.identity)} are in the same part."
    )
    if use_case.classes:
        text += f" Classes: {_listed(tuple(use_case.labels.get(c, c) for c in use_case.classes))}."
    return text


def _promise(candidate: Candidate) -> str:
    """What the interval or the prediction set holds, or that there is none."""
    contract = candidate.bundle.contract
    interval, held = contract.interval, contract.prediction_set
    if interval is not None:
        unit = f" {contract.output.unit}" if contract.output.unit else ""
        width = f"± {plain(interval.half_width)}{unit}"
        if interval.scale == "log":
            width = f"1 + prediction divided and multiplied by {plain(math.exp(interval.half_width))}"
        return f"The {interval.level:.0%} interval is {width}; it covered {interval.coverage:.1%} of the held-out rows."
    if held is not None:
        return (
            f"The {held.level:.0%} prediction set holds every class of probability {held.threshold:.3f} or more; it "
            f"held the true class of {held.coverage:.1%} of the held-out rows, with {held.mean_size:.2f} classes on "
            "average."
        )
    return "There were too few calibration rows to measure an interval or a prediction set."


def _table(candidate: Candidate) -> str:
    """Every metric by the rows it was measured on."""
    rows = ["test", "oof", "train"] if candidate.bundle.contract.out_of_fold else ["test", "train"]
    heads = {"test": "held out", "oof": "out of folds", "train": "train rows"}
    names = [name.removeprefix("test_") for name in candidate.metrics if name.startswith("test_")]
    lines = ["| metric | " + " | ".join(heads[r] for r in rows) + " |", "|---" * (len(rows) + 1) + "|"]
    for name in names:
        values = (candidate.metrics.get(f"{r}_{name}") for r in rows)
        lines.append(f"| {_metric(name)} | " + " | ".join("" if v is None else plain(v) for v in values) + " |")
    return "\n".join(lines)


def _features(use_case: UseCase, result: SearchResult) -> str:
    return "\n".join(f"- {line}" for line in _feature_lines(use_case, result))


def _feature_lines(use_case: UseCase, result: SearchResult) -> Iterator[str]:
    declared, findings = use_case.features, result.findings
    if declared.impute != "auto" and any(column.nullable for column in use_case.inputs):
        yield f"impute: {declared.impute}, as the spec says"
    for clusters in declared.clusters:
        if clusters.name not in findings.silhouettes:
            yield f"clusters {clusters.name!r}: {findings.choices.clusters[clusters.name]}, as the spec says"
    yield from findings.notes
    made = (*(ratio.name for ratio in declared.ratios), *(rotation.name for rotation in declared.rotations))
    if made:
        yield f"made of other columns: {_listed(made)}"
    yield f"unseen categories: {_words(declared.unseen_category)}"
    if use_case.task == "regression":
        scale = "log(1 + target)" if use_case.training.target_transform == "log" else "its own scale"
        yield f"target: fitted on {scale}"
    else:
        yield f"calibration of the probabilities: {use_case.training.calibrate}"


def _origin(candidate: Candidate, snapshot: Snapshot, result: SearchResult) -> str:
    lineage = candidate.bundle.contract.lineage
    lines = [
        f"run `{lineage.run_id}`: plots, trials, parameters and the bundle",
        f"study `{result.study}`",
        f"snapshot `{snapshot.snapshot_id}` at `{snapshot.uri}`",
        f"code `{lineage.code_sha256[:12] or 'unknown'}`, commit `{lineage.git_commit or 'unknown'}`",
        f"spec `{lineage.spec_sha256[:12]}`, kept with the run as `use_case.json`",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _again(candidate: Candidate, snapshot: Snapshot) -> str:
    return (
        f"Trigger `{candidate.use_case.name}_train` with `snapshot` = `{snapshot.snapshot_id}` and `again`. With this "
        "code and spec it takes up the same study, and ends at the same `model.onnx`, to the byte (sha256 "
        f"`{candidate.bundle.model_sha256[:12]}`). `best_params.json` holds what to fit without a search."
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _metric(name: str) -> str:
    return {str(metric): title for metric, title in TITLES.items()}.get(name, _words(name))


def _listed(names: tuple[str, ...]) -> str:
    """Names as they stand, whatever they hold; the first of many."""
    shown = ", ".join(f"`{name.replace('`', chr(39))[:60]}`" for name in names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES} more"


def _value(value: object) -> str:
    return plain(value) if isinstance(value, float) else str(value)
