"""Releases: the files of a bundle with a card that says what they are, as a publication."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from sluice.adapters.bundles import Bundle
from sluice.release.publishers.publication import Publication

TEXT = """
# {title}

Version {version}, {task} by `{family}`, trained at {trained_at}. `model.onnx` is the whole of it: raw inputs in,
predictions out, in double. `contract.json` says what goes in and comes out, `golden.json` what must come out of what.

| metric | value |
|---|---|
{metrics}

The bundle is `{sha256}`, the sha256 of `manifest.json`, which holds that of every other file. It was trained in run
`{run}` on snapshot `{snapshot}`.
"""


def of(bundle: Bundle, version: int, source: str, folder: Path) -> Publication:
    """The publication of a release.

    Args:
        bundle: The release's bundle.
        version: The model version it is.
        source: URL of the folder where the object store keeps the bundle.
        folder: Where the files go; made here.
    """
    shutil.copytree(bundle.folder, folder)
    (folder / "README.md").write_text(_card(bundle, version), encoding="utf-8")
    contract = bundle.contract
    return Publication(
        use_case=contract.use_case,
        title=contract.title,
        name=f"v{version}-{bundle.sha256[:12]}",
        folder=folder,
        source=source,
        facts={
            "version": str(version),
            "bundle": bundle.sha256,
            "run": contract.lineage.run_id,
            "snapshot": contract.lineage.snapshot_id,
            "family": contract.family,
            "trained_at": contract.trained_at,
        },
        metrics=contract.metrics,
    )


def _card(bundle: Bundle, version: int) -> str:
    """The card, as Markdown with the hub's front matter."""
    contract = bundle.contract
    kind = "tabular-regression" if contract.task == "regression" else "tabular-classification"
    about = yaml.safe_dump({"library_name": "onnx", "pipeline_tag": kind, "tags": ["tabular", contract.use_case]})
    text = TEXT.format(
        title=contract.title,
        version=version,
        task=contract.task,
        family=contract.family,
        trained_at=contract.trained_at,
        metrics="\n".join(f"| {name} | {value:.6g} |" for name, value in sorted(contract.metrics.items())),
        sha256=bundle.sha256,
        run=contract.lineage.run_id,
        snapshot=contract.lineage.snapshot_id,
    )
    return f"---\n{about}---\n{text}"
