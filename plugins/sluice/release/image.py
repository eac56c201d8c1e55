"""The image: a bento as a container image, built by BentoML with the engine that the settings name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from sluice.domain.errors import ReleaseError, TransientError
from sluice.domain.release import Release
from sluice.release.bento import bentoml
from sluice.release.command import run

Engine = Literal["docker", "podman", "buildah", "buildctl"]

#: Of a first build, which brings all of serving's requirements.
BUILD_SECONDS = 480
ASK_SECONDS = 60


def build(engine: Engine, release: Release, home: Path) -> Release:
    """Build the image of a release; building it again finds it built.

    Args:
        engine: What builds it.
        release: Its bento is in the store.
        home: The bento store (`BENTOML_HOME`).

    Returns:
        The release, with its image: a name that the engine knows, or with buildctl an OCI archive in the store.

    Raises:
        ReleaseError: The build fails; holds its last words.
        TransientError: The engine does not answer.
    """
    labels = _labels(release)
    if engine == "buildctl":
        archive = _archive_of(home, *release.bento.split(":"))
        if not archive.is_file():
            _archive(release, labels, archive, home)
        return replace(release, image=f"oci-archive:{archive}")
    name = f"sluice/{release.bento}"
    _expect_answer(engine)
    if not labels.items() <= _labels_of(engine, name).items():
        options = [f"label={key}={value}" for key, value in labels.items()]
        _containerize(engine, release, home, options, ["--image-tag", name])
        if not labels.items() <= _labels_of(engine, name).items():
            raise ReleaseError(f"{engine} ended without a word and built no image", name, "see the task's log")
    return replace(release, image=name)


def remove(engine: Engine, home: Path, use_case: str, label: str) -> None:
    """Remove the image of a bento; one that is not there is gone already.

    Args:
        engine: What built it.
        home: The bento store.
        use_case: Name of the bento.
        label: Version of the bento, for example `v3-2f6c0d9a41b7`.

    Raises:
        ReleaseError: It cannot be removed, for example because a container runs it.
        TransientError: The engine does not answer.
    """
    if engine == "buildctl":
        _archive_of(home, use_case, label).unlink(missing_ok=True)
        return
    name = f"sluice/{use_case}:{label}"
    _expect_answer(engine)
    if _is_there(engine, name):
        run([engine, "rmi", name], ASK_SECONDS)


def megabytes(engine: Engine, name: str) -> float:
    """The size of an image on this host, in millions of bytes."""
    return int(_inspect(engine, name)["Size"]) / 1e6


def _labels(release: Release) -> dict[str, str]:
    return {
        "org.opencontainers.image.title": release.use_case,
        "org.opencontainers.image.version": str(release.version),
        "sluice.bundle.sha256": release.bundle_sha256,
        "sluice.runtime.sha256": release.runtime_sha256,
    }


def _containerize(engine: Engine, release: Release, home: Path, options: list[str], more: list[str]) -> None:
    given = [part for option in options for part in ("--opt", option)]
    bentoml(["containerize", release.bento, "--backend", engine, *more, *given], home, BUILD_SECONDS)


def _archive_of(home: Path, use_case: str, label: str) -> Path:
    return home / "images" / use_case / f"{label}.tar"


def _archive(release: Release, labels: Mapping[str, str], archive: Path, home: Path) -> None:
    """Build into a file beside its place: buildctl keeps no images."""
    building = archive.with_suffix(".building")
    archive.parent.mkdir(parents=True, exist_ok=True)
    name = f"docker.io/sluice/{release.bento}"
    options = [f"opt=label:{key}={value}" for key, value in labels.items()]
    _containerize("buildctl", release, home, [*options, f"output=type=oci,name={name},dest={building}"], [])
    if not building.is_file():
        raise ReleaseError("buildctl ended without a word and built no image", str(archive), "see the task's log")
    building.rename(archive)


def _expect_answer(engine: Engine) -> None:
    try:
        run([engine, "images", "--quiet"], ASK_SECONDS)
    except ReleaseError as error:
        action = "start it, or set SLUICE_CONTAINER_ENGINE to none to promote without images"
        raise TransientError(f"the container engine {engine} does not answer: {error.what}", engine, action) from error


def _is_there(engine: Engine, name: str) -> bool:
    # Asked for a name, buildah fails where there is none.
    named = ["--filter", f"reference={name}"] if engine == "buildah" else [name]
    return bool(run([engine, "images", "--quiet", *named], ASK_SECONDS).strip())


def _labels_of(engine: Engine, name: str) -> dict[str, str]:
    """The labels of an image; none where there is no such image."""
    if not _is_there(engine, name):
        return {}
    about = _inspect(engine, name)
    # Buildah tells of the image as OCI has it.
    config = about.get("OCIv1", {}).get("config", {}) if engine == "buildah" else about["Config"]
    return dict(config.get("Labels") or {})


def _inspect(engine: Engine, name: str) -> dict[str, Any]:
    command = ["inspect", "--type", "image", name] if engine == "buildah" else ["image", "inspect", name]
    about = json.loads(run([engine, *command], ASK_SECONDS))
    found: dict[str, Any] = about if isinstance(about, dict) else about[0]
    return found
