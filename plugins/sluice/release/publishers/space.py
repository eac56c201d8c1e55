"""Spaces: a release's bento laid out so that a Space of Hugging Face builds and runs it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import yaml

from sluice.adapters.bundles import Bundle

#: The port that a bento's image listens at.
PORT = 3000

TEXT = """
Serves version {version} of {title}, as its gate tested it: the bundle `{sha256}` is in `src/bundle`.
`GET /` describes the service, `/docs` its interface. Nobody gets in without a key: name a file of them in
`SLUICE_API_KEYS`, or let everybody in by the variable `SLUICE_ACCESS=open` of the Space.
"""


def compose(bundle: Bundle, version: int, bento: Path, folder: Path) -> None:
    """Lay out the container files of a release: its bento, the instructions to build it, and the Space's card.

    Args:
        bundle: The release's bundle.
        version: The model version it is.
        bento: Folder of the bento.
        folder: Where they go; made here.
    """
    shutil.copytree(bento, folder)
    shutil.copy(bento / "env" / "docker" / "Dockerfile", folder / "Dockerfile")
    made = folder / "bento.yaml"
    # Two workers build the same bento at different times.
    still = re.sub(
        r"(?m)^creation_time: .*$", f"creation_time: '{bundle.contract.trained_at}'", made.read_text("utf-8")
    )
    made.write_text(still, encoding="utf-8")
    title = bundle.contract.title
    about = yaml.safe_dump({"title": title, "sdk": "docker", "app_port": PORT}, allow_unicode=True, sort_keys=False)
    text = TEXT.format(version=version, title=title, sha256=bundle.sha256)
    (folder / "README.md").write_text(f"---\n{about}---\n# {title}\n{text}", encoding="utf-8")
