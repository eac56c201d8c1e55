"""The hub: a repository of Hugging Face, of a model or of a Space, that holds the newest publication in one commit."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sluice.domain.errors import PublishError
from sluice.domain.services import HUGGING_FACE
from sluice.release.publishers.publication import Publication, broken, refused

if TYPE_CHECKING:
    import httpx2

#: The hub's own, which it makes with the repository.
KEPT = ".gitattributes"


@dataclass(frozen=True)
class Hub:
    """A repository that is made, private, where there is none; each publication is one commit and one tag.

    Attributes:
        repository: Its name, `owner/name`.
        url: The hub's address.
        key: Token that may write there.
        kind: What it is a repository of.
        seconds: After which a call that is not answered has failed. The client tries most of them several times.
    """

    repository: str
    url: str
    key: str = field(repr=False)
    kind: Literal["model", "space"] = "model"
    seconds: float = 30.0

    def publish(self, publication: Publication) -> str:
        """See `Publisher.publish`."""
        # A worker's home may be nobody's to write to.
        os.environ.setdefault("HF_HOME", str(Path(tempfile.gettempdir()) / "huggingface"))
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, set_client_factory
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()
        # Its own client waits for ever.
        set_client_factory(partial(_client, self.seconds))
        hub = HfApi(endpoint=self.url.rstrip("/"), token=self.key)
        about: dict[str, Any] = {"repo_id": self.repository, "repo_type": self.kind}
        with self._answers():
            sdk = "docker" if self.kind == "space" else None
            hub.create_repo(**about, private=True, exist_ok=True, space_sdk=sdk)
            there = set(hub.list_repo_files(**about)) - {KEPT}
            added = [CommitOperationAdd(path, str(publication.folder / path)) for path in publication.files]
            removed = [CommitOperationDelete(path) for path in sorted(there - set(publication.files))]
            with warnings.catch_warnings():
                # The reference of a release is a data file, and belongs to it.
                warnings.filterwarnings("ignore", message="It seems that you are about to commit a data file")
                # One commit, and none where nothing is new; `upload_folder` may cut a release into several.
                commit = hub.create_commit(**about, operations=[*removed, *added], commit_message=publication.name)
            hub.create_tag(**about, tag=publication.name, revision=commit.oid, exist_ok=True)
        return str(commit.commit_url)

    @contextmanager
    def _answers(self) -> Iterator[None]:
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError

        try:
            yield
        except (httpx2.HTTPError, OSError, RuntimeError, ValueError) as error:
            # What went wrong with one of several files that are sent at once is below what went wrong with all.
            found = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ is not None else error
            if isinstance(found, HfHubHTTPError):
                said = found.server_message or str(found).splitlines()[0]
                raise refused(HUGGING_FACE, found.response.status_code, said, self._place) from error
            if isinstance(found, ValueError):
                action = "correct the setting, then clear the task"
                raise PublishError(f"{HUGGING_FACE.name} takes no such thing: {found}", self._place, action) from error
            raise broken(HUGGING_FACE, found, self._place) from error

    @property
    def _place(self) -> str:
        return f"{self.kind} {self.repository} at {self.url}"


def _client(seconds: float) -> httpx2.Client:
    from huggingface_hub.utils._http import default_client_factory

    client = default_client_factory()
    client.timeout = seconds
    return client
