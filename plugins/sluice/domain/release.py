"""Releases: immutable, servable model versions, and what is known of them while they run."""

from __future__ import annotations

from dataclasses import dataclass


def bento_tag(use_case: str, version: int, bundle_sha256: str) -> str:
    """What the bento of a model version is called, `name:label`."""
    return f"{use_case}:v{version}-{bundle_sha256[:12]}"


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
        bento_path: Where the bento is on the host that built it.
        image: Name of its container image; None where no engine is configured.
    """

    use_case: str
    version: int
    bundle_sha256: str
    runtime_sha256: str
    run_id: str
    snapshot_id: str
    bento: str
    bento_path: str
    image: str | None = None


@dataclass(frozen=True)
class Isolation:
    """What a container may do, as seen from inside it while it runs.

    Attributes:
        user_id: Numeric id that its processes run under; 0 is root.
        read_only: Whether a file could not be written to its root file system.
        image_mb: Size of its image, in millions of bytes.
    """

    user_id: int
    read_only: bool
    image_mb: float


@dataclass(frozen=True)
class Stopped:
    """How a started release ended after the signal to stop.

    Attributes:
        seconds: From the signal to the end; None when it had to be killed.
        exit_code: Of its first process.
    """

    seconds: float | None
    exit_code: int | None


@dataclass(frozen=True)
class Started:
    """A release that was started so that the gate can query it.

    Attributes:
        url: Where it answers.
        ready_seconds: How long it took until it was ready; None when it never was.
        how: In words, for example "as a process; no image was built".
        isolation: Of the container; None where it runs as a process.
    """

    url: str
    ready_seconds: float | None
    how: str
    isolation: Isolation | None = None
