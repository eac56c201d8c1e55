"""Releases: immutable, servable model versions, and what is known of them while they run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """A model version with its bento.

    Attributes:
        use_case: Name of the registered model.
        version: Its number.
        bundle_sha256: Names the bundle's content.
        runtime_sha256: Names the serving code and its locked requirements.
        run_id: The training run.
        snapshot_id: What it was trained on.
        bento: Tag of the bento, `name:version`.
        bento_path: Where the bento is on this host.
    """

    use_case: str
    version: int
    bundle_sha256: str
    runtime_sha256: str
    run_id: str
    snapshot_id: str
    bento: str
    bento_path: str


@dataclass(frozen=True)
class Started:
    """A release that was started so that the gate can query it.

    Attributes:
        url: Where it answers.
        ready_seconds: How long it took until it was ready; None when it never was.
        how: In words, for example "as a process; no image was built".
    """

    url: str
    ready_seconds: float | None
    how: str
