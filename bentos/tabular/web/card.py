"""The service card: what serves, where it came from, what it takes, how good it is."""

from __future__ import annotations

from typing import Any

from tabular.releases.standing import Standing


def card(use_case: str, runtime_sha256: str, standing: Standing) -> dict[str, Any]:
    """Describe what serves now, for programs.

    Args:
        use_case: The one that this process serves.
        runtime_sha256: Digest of this process's code.
        standing: What serves, and why.
    """
    service = {
        "use_case": use_case,
        "ready": standing.release is not None,
        "source": standing.source,
        "reason": standing.reason,
        "runtime_sha256": runtime_sha256,
        "challenger": _challenger(standing),
    }
    if standing.release is None:
        return service
    release, contract = standing.release, standing.release.bundle.contract
    fields = (
        "title",
        "description",
        "task",
        "family",
        "inputs",
        "output",
        "interval",
        "prediction_set",
        "limits",
        "example",
        "metrics",
        "out_of_fold",
    )
    return {
        **service,
        "version": release.version,
        "bundle_sha256": release.bundle.sha256,
        "loaded_at": release.loaded_at.isoformat(),
        **contract.model_dump(mode="json", include={*fields, "lineage", "libraries", "trained_at"}),
    }


def _challenger(standing: Standing) -> dict[str, Any] | None:
    """What is tried beside the champion, or why it is not; None where there is none."""
    if standing.challenger_reason is None:
        return None
    release = standing.challenger.release if standing.challenger else None
    return {
        "version": release.version if release else None,
        "share": standing.challenger.share if standing.challenger else None,
        "reason": standing.challenger_reason,
        "bundle_sha256": release.bundle.sha256 if release else None,
        "loaded_at": release.loaded_at.isoformat() if release else None,
    }
