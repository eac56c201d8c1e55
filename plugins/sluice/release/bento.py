"""The bento: the serving code and one bundle, built into one versioned folder."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from sluice.adapters.bundles import Bundle, runtime_sha256
from sluice.domain.errors import ReleaseError
from sluice.domain.release import Release, bento_tag
from sluice.release.command import run

#: What goes into a bento, and into its image when one is built: serving's locked requirements and nothing else.
BENTOFILE = {
    "service": "tabular.service:Tabular",
    "include": [
        "tabular/**/*.py",
        "tabular/pages/*",
        "tabular/requirements.txt",
        "tabular/contract.schema.json",
        "bundle/**",
    ],
    "python": {"requirements_txt": "tabular/requirements.txt", "lock_packages": False},
    # Of the image alone: its root file system is read-only, and BentoML writes to its home from the start.
    "envs": [{"name": "BENTOML_HOME", "value": "/tmp/bentoml"}],  # noqa: S108  a tmpfs of the container's own
}
BUILD_SECONDS = 300


def build(service: Path, bundle: Bundle, version: int, home: Path) -> Release:
    """Build the bento of a model version; building it again finds it built.

    Args:
        service: Folder of the serving code.
        bundle: The verified bundle that is baked in.
        version: The model version it is.
        home: The bento store (`BENTOML_HOME`).

    Raises:
        ReleaseError: BentoML refuses to build it, or the bundle was made for other serving code.
    """
    contract = bundle.contract
    if contract.runtime_sha256 != runtime_sha256(service):
        raise ReleaseError(
            f"version {version} was made for other serving code or requirements than there are now",
            str(service),
            "train again; the new candidate is made for today's",
        )
    tag = bento_tag(contract.use_case, version, bundle.sha256)
    name, _, label = tag.partition(":")
    path = home / "bentos" / name / label
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Built beside its place and moved there whole: BentoML copies file by file, and killed leaves half a bento.
        with tempfile.TemporaryDirectory(prefix="building-", dir=home) as folder:
            context, aside = Path(folder) / "context", Path(folder) / "home"
            shutil.copytree(service, context / "tabular", ignore=shutil.ignore_patterns("__pycache__"))
            shutil.copytree(bundle.folder, context / "bundle")
            (context / "bundle" / "release.json").write_text(json.dumps({"version": version, "bento": tag}))
            (context / "bentofile.yaml").write_text(yaml.safe_dump(BENTOFILE | {"labels": {"version": str(version)}}))
            bentoml(["build", "--name", name, "--version", label, "."], aside, BUILD_SECONDS, context)
            built = aside / path.relative_to(home)
            if not (built / "bento.yaml").is_file():
                raise ReleaseError("BentoML built no bento", tag, "see the task's log")
            built.rename(path)
    return Release(
        use_case=contract.use_case,
        version=version,
        bundle_sha256=bundle.sha256,
        runtime_sha256=contract.runtime_sha256,
        run_id=contract.lineage.run_id,
        snapshot_id=contract.lineage.snapshot_id,
        bento=tag,
        bento_path=str(path),
    )


def bentoml(arguments: Sequence[str], home: Path, seconds: float, folder: Path | None = None) -> str:
    """Run a command of BentoML, in a process of its own: it reads its home once, at import, for the whole process.

    Args:
        arguments: Begin with the command's name.
        home: Its `BENTOML_HOME`.
        seconds: After which it is ended.
        folder: Where it runs; here if absent.

    Raises:
        ReleaseError: It fails; holds its last words.
    """
    home.mkdir(parents=True, exist_ok=True)
    return run(
        [sys.executable, "-m", "bentoml", *arguments],
        seconds,
        folder=folder,
        environment={"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true", "PYTHONWARNINGS": "ignore"},
        name=f"bentoml {arguments[0]}",
        # What follows are the frames of BentoML around the builder whose words came before.
        trailer="ERROR: \nEncountered exception while",
    )
