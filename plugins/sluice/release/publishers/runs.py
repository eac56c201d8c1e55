"""Runs: a release as a run of Weights & Biases, with references to its files, which stay where they are."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.domain.errors import PublishError, SluiceError
from sluice.domain.services import WANDB
from sluice.release.publishers.publication import Publication, broken, refused

if TYPE_CHECKING:
    from wandb import Artifact, Settings

#: How its client's messages tell the status of an answer.
_STATUS = re.compile(r"\berror (\d{3})\b|\bstatus(?: code)?:? (\d{3})\b|\b(\d{3}) \w+ for url\b", re.IGNORECASE)


@dataclass(frozen=True)
class Runs:
    """A project of runs. A publication's run bears its name, and is gone on with rather than made again.

    Attributes:
        project: Its name, `team/project`, or `project` alone for that of the key's owner.
        url: The service's address.
        key: API key that may write there.
        folder: Where the client keeps what it sends, and what it shall send later where it is told to be offline.
        seconds: After which a call that is not answered has failed.
    """

    project: str
    url: str
    key: str = field(repr=False)
    folder: Path
    seconds: float = 30.0

    def publish(self, publication: Publication) -> str:
        """See `Publisher.publish`."""
        # A worker's home may be nobody's to write to.
        os.environ.update({f"WANDB_{what}_DIR": str(self.folder) for what in ("CACHE", "CONFIG", "DATA")})
        import wandb

        team, _, project = self.project.rpartition("/")
        try:
            run = wandb.init(
                entity=team or None,
                project=project,
                id=f"{publication.use_case}-{publication.name}",
                name=f"{publication.use_case} {publication.name}",
                group=publication.use_case,
                job_type="release",
                config=dict(publication.facts),
                resume="allow",
                settings=self._settings(),
            )
            run.summary.update(dict(publication.metrics))
            logged = run.log_artifact(_artifact(publication), aliases=["champion", publication.name])
            if run.offline:
                run.finish()
                return str(self.folder)
            logged.wait(timeout=int(4 * self.seconds))
            run.finish()
            return str(run.url)
        except (wandb.Error, OSError, ValueError) as error:
            raise self._told(error) from error
        finally:
            # Its helper process would live on beside the task's.
            wandb.teardown()

    def _settings(self) -> Settings:
        import wandb

        return wandb.Settings(
            api_key=self.key,
            base_url=self.url,
            root_dir=str(self.folder),
            init_timeout=4 * self.seconds,
            x_graphql_timeout_seconds=self.seconds,
            x_graphql_retry_max=2,
            x_file_stream_timeout_seconds=self.seconds,
            x_file_stream_retry_max=2,
            x_file_transfer_timeout_seconds=self.seconds,
            x_file_transfer_retry_max=2,
            # A release says all there is to say about itself; how the worker does is nobody's business there.
            console="off",
            silent=True,
            disable_code=True,
            disable_git=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        )

    def _told(self, error: Exception) -> SluiceError:
        place = f"{self.project} at {self.url}"
        if isinstance(error, ValueError):
            return PublishError(f"{WANDB.name} takes no such thing: {error}", place, "correct it, then clear the task")
        found = _STATUS.search(str(error))
        if found is not None:
            status = int(next(group for group in found.groups() if group))
            return refused(WANDB, status, str(error).splitlines()[0], place)
        return broken(WANDB, error, place)


def _artifact(publication: Publication) -> Artifact:
    """The files, by their addresses and digests alone."""
    from wandb import Artifact
    from wandb.sdk.artifacts.artifact_manifest_entry import ArtifactManifestEntry

    facts = dict(publication.facts)
    artifact = Artifact(publication.use_case, type="model", description=publication.title, metadata=facts)
    for path, sha256 in publication.files.items():
        # Not `add_reference`, which would read each file once more, and from a bucket by another client than ours.
        entry = ArtifactManifestEntry(path=path, digest=sha256, ref=f"{publication.source}/{path}")
        artifact.manifest.add_entry(entry)
    return artifact
