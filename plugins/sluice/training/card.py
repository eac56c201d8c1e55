"""The card: what a registered version says about itself, to people and to programs."""

from __future__ import annotations

from sluice.training.candidate import Candidate
from sluice.training.search import SearchResult
from sluice.training.snapshots import Snapshot


def tags(candidate: Candidate, reason: str | None) -> dict[str, str]:
    """What programs look for on a version; the digests say which bundle was registered."""
    contract = candidate.bundle.contract
    return {
        "bundle_sha256": candidate.bundle.sha256,
        "model_sha256": candidate.bundle.model_sha256,
        "runtime_sha256": contract.runtime_sha256,
        "snapshot_id": contract.lineage.snapshot_id,
        "spec_sha256": contract.lineage.spec_sha256,
        "family": contract.family,
        "reason": reason or "none given",
    }


def description(candidate: Candidate, snapshot: Snapshot, result: SearchResult) -> str:
    """What people read on a version's page, as Markdown."""
    contract = candidate.bundle.contract
    metrics = "\n".join(f"| {name} | {value:.6g} |" for name, value in sorted(candidate.metrics.items()))
    choices = ", ".join(f"{name} = {value}" for name, value in result.best.parameters.items())
    interval = contract.interval
    covered = (
        f"Its {interval.level:.0%} interval is ± {interval.half_width:.6g} and covered {interval.coverage:.1%} "
        f"of the held-out rows."
        if interval
        else ""
    )
    return (
        f"**{contract.title}**: {contract.family} ({choices}), the best of {len(result.attempts)} trials by "
        f"{result.metric} over the folds ({result.best.mean:.6g} ± {result.best.deviation:.3g}).\n\n"
        f"Trained on {snapshot.train_rows} rows of snapshot `{snapshot.snapshot_id}` ({snapshot.note}); "
        f"{snapshot.test_rows} rows were held out. {covered}\n\n"
        f"| metric | value |\n|---|---|\n{metrics}\n"
    )
