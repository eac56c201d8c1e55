"""Starts one use case's model server: from the bento of its champion, or from source while it has none.

`python -m local.serve <use case> <port>` becomes BentoML.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

import httpx

from local.state import REPOSITORY, State, state
from sluice.adapters.objects import ObjectStore
from sluice.domain.errors import SluiceError
from sluice.domain.release import bento_tag

SERVICE = "tabular.service:Tabular"


def bento(here: State, use_case: str) -> Path | None:
    """The folder of the bento that the champion was tested in; None without a champion or without its bento.

    The registry names the champion, because serving follows it too: a process that ended for a new champion must not
    come up with the one before. Where it does not answer, the copy in the object store does. A bento that another
    machine built is brought from there.
    """
    from sluice.release import depot

    store = ObjectStore(os.environ.get("SLUICE_OBJECT_STORE") or f"file://{here.store}")
    tag = _registered(use_case) or _copied(store, use_case)
    if tag is None:
        return None
    try:
        return depot.take(store, tag, here.bentos)
    except SluiceError as error:
        print(f"the bento {tag} is not in {here.bentos} ({error}); serving from source", flush=True)
        return None


def _registered(use_case: str) -> str | None:
    """The tag of the champion's bento, as the registry has it; None where it names none or does not answer."""
    query = {"name": use_case, "alias": "champion"}
    try:
        url = f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/registered-models/alias"
        # No proxy stands between this machine and itself.
        version = httpx.get(url, params=query, timeout=5, trust_env=False).raise_for_status().json()["model_version"]
        tags = {tag["key"]: tag["value"] for tag in version["tags"]}
        return bento_tag(use_case, int(version["version"]), tags["bundle_sha256"])
    except (httpx.HTTPError, KeyError, ValueError) as error:
        print(f"the registry names no champion of {use_case} ({error!r})", flush=True)
        return None


def _copied(store: ObjectStore, use_case: str) -> str | None:
    """The tag of the champion's bento, as the object store has it; None where it names none or does not answer."""
    key = f"releases/{use_case}/champion.json"
    try:
        return str(json.loads(store.read_bytes(key))["bento"]) if store.exists(key) else None
    except (SluiceError, json.JSONDecodeError, KeyError, TypeError) as error:
        # The service itself follows the registry, so it can answer without this file; but it must be said.
        print(f"{store.url(key)} cannot be read ({error!r}); serving from source", flush=True)
        return None


def serve(use_case: str, port: int) -> NoReturn:
    """Become the model server of a use case."""
    here = state()
    home = here.serving(use_case)
    home.mkdir(parents=True, exist_ok=True)
    release = bento(here, use_case)
    place = release or REPOSITORY / "bentos"
    target = str(release) if release else SERVICE
    print(f"serving {use_case} from {place}", flush=True)
    # The service imports nothing of the plugins; here it could not.
    os.environ.pop("PYTHONPATH", None)
    options = ("--host", "127.0.0.1", "--port", str(port), "--working-dir", str(place))
    command = (sys.executable, "-m", "bentoml", "serve", target, *options)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
