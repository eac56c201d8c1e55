"""The workspace: drift reports in a project of Evidently's service, where they make up a history."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sluice.domain.errors import PublishError
from sluice.domain.services import EVIDENTLY
from sluice.release.publishers.publication import Publication, broken, refused

if TYPE_CHECKING:
    from requests import HTTPError

#: How often a connection that fails is tried again.
RETRIES = 3
#: What a snapshot is known by: the digest of the file that it was published from.
DIGEST = "sha256"


@dataclass(frozen=True)
class Workspace:
    """A workspace behind Evidently's service. Each use case has a project; one that is not there is made.

    Attributes:
        url: The service's address.
        key: Its secret; empty where it has none.
        seconds: After which a call that is not answered has failed.
    """

    url: str
    key: str = field(default="", repr=False)
    seconds: float = 30.0

    def publish(self, publication: Publication) -> str:
        """See `Publisher.publish`; its files are Evidently's snapshots."""
        # Before the import: the library counts its users over the network unless this is set.
        os.environ.setdefault("DO_NOT_TRACK", "1")
        with self._answers():
            remote = self._remote()
            named = remote.search_project(publication.use_case)
            project = next((each for each in named if each.name == publication.use_case), None)
            if project is None:
                project = remote.create_project(publication.use_case, publication.title)
            known = {each["metadata"].get(DIGEST) for each in remote.snapshots(project.id)}
            for path, sha256 in publication.files.items():
                if sha256 not in known:
                    remote.add_run(project.id, _snapshot(publication, path, sha256))
        return f"{self.url.rstrip('/')}/projects/{project.id}"

    def _remote(self) -> Any:
        """Evidently's own client, which by itself waits for ever and cannot list what is there."""
        from evidently._pydantic_compat import parse_obj_as
        from evidently.ui.workspace import RemoteWorkspace
        from requests import Session
        from requests.adapters import HTTPAdapter

        seconds = self.seconds

        class Remote(RemoteWorkspace):  # type: ignore[misc]  # Evidently has no types
            def _request(self, path: str, method: str, *arguments: Any, response_model: Any = None, **more: Any) -> Any:
                request = self._prepare_request(path, method, *arguments, **more)
                with Session() as session:
                    session.mount(self.base_url, HTTPAdapter(max_retries=RETRIES))
                    response = session.send(request.prepare(), timeout=seconds)
                response.raise_for_status()
                return response if response_model is None else parse_obj_as(response_model, response.json())

            def snapshots(self, project_id: Any) -> Any:
                return self._request(f"/api/projects/{project_id}/snapshots", "GET").json()

        return Remote(self.url, self.key or None)

    @contextmanager
    def _answers(self) -> Iterator[None]:
        from requests import HTTPError, RequestException

        try:
            yield
        except HTTPError as error:
            raise refused(EVIDENTLY, _status(error), str(error), self.url) from error
        except RequestException as error:
            raise broken(EVIDENTLY, error, self.url) from error
        except ValueError as error:
            # Its client says so of a server that refuses to say its version.
            if isinstance(error.__cause__, HTTPError):
                raise refused(EVIDENTLY, _status(error.__cause__), str(error), self.url) from error
            raise PublishError(f"this is no service of Evidently: {error}", self.url, "correct the setting") from error


def _status(error: HTTPError) -> int:
    return 0 if error.response is None else error.response.status_code


def _snapshot(publication: Publication, path: str, sha256: str) -> Any:
    from evidently.core.report import Snapshot

    kept = json.loads((publication.folder / path).read_bytes())
    about = {**publication.facts, DIGEST: sha256}
    return Snapshot.load_dict({**kept, "name": publication.name, "metadata": about})
