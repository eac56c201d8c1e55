"""The model registry: versions, aliases and their bundles, over MLflow's client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from sluice.domain.errors import StateError, TransientError

Alias = Literal["candidate", "champion", "challenger"]

#: Where a run keeps the release bundle.
BUNDLE_PATH = "bundle"

#: Tag of the challenger's version: the share of the traffic that it answers, 0 for none (shadow).
SHARE_TAG = "share"

#: Refusals that mean "not now": the request took too long, or there were too many.
_BUSY = (408, 429)
#: Versions that are looked through at once.
_PAGE = 200
#: Opens an experiment on the pages of models, not of language models.
_KIND = {"mlflow.experimentKind": "custom_model_development"}
#: More runs than a search ever leaves below one training, and the most that MLflow lists at once.
_MOST_RUNS = 50_000


@dataclass(frozen=True)
class Version:
    """A registered model version."""

    use_case: str
    number: int
    run_id: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Registered:
    """A version as its model's history lists it.

    Attributes:
        version: The version.
        at: When it was registered.
        aliases: That point to it.
    """

    version: Version
    at: datetime
    aliases: frozenset[str]


@dataclass(frozen=True)
class Tracking:
    """An MLflow server.

    Attributes:
        uri: Its address, `http://host:port`.
    """

    uri: str

    @cached_property
    def client(self) -> Any:
        """MLflow's own client."""
        # Local: MLflow takes seconds to import.
        from mlflow import MlflowClient
        from mlflow.environment_variables import MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT

        # It would ask the server about every run that ends, to print a link.
        MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(True)
        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def register(self, use_case: str, run_id: str, tags: dict[str, str], description: str) -> Version:
        """Register a run's bundle as the next version; a run that is registered already keeps its version.

        Args:
            use_case: Name of the registered model.
            run_id: The run that holds the bundle.
            tags: Kept on the version.
            description: Markdown, shown on the version's page.
        """
        with self.answers():
            from mlflow.exceptions import RestException

            try:
                self.client.create_registered_model(use_case)
            except RestException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            for known in self.client.search_model_versions(f"name='{use_case}' and run_id='{run_id}'"):
                return self.version(use_case, int(known.version))
            made = self.client.create_model_version(
                use_case, f"runs:/{run_id}/{BUNDLE_PATH}", run_id, tags=tags, description=description
            )
            return Version(use_case, int(made.version), run_id, tags)

    def version(self, use_case: str, number: int) -> Version:
        """A version by its number.

        Raises:
            StateError: There is no such version.
        """
        from mlflow.exceptions import RestException

        with self.answers():
            try:
                found = self.client.get_model_version(use_case, str(number))
            except RestException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                raise StateError(f"{use_case} has no version {number}", self.uri, "pick one it has") from error
            return Version(use_case, number, found.run_id, dict(found.tags))

    def found(self, use_case: str, tags: dict[str, str]) -> Version | None:
        """The newest version that bears all of these tags; None where there is none.

        Args:
            use_case: Name of the registered model.
            tags: Name -> value; at least one.
        """
        if not tags:
            raise ValueError("no tags to look for: every version would do")
        with self.answers():
            for known in self._newest_first(use_case):
                if tags.items() <= known.tags.items():
                    return Version(use_case, int(known.version), known.run_id, dict(known.tags))
            return None

    def history(self, use_case: str) -> tuple[Registered, ...]:
        """Every version of a model, newest first; none of a model that is not registered."""
        with self.answers():
            pointed: dict[int, set[str]] = {}
            for model in self.client.search_registered_models(f"name='{use_case}'"):
                for alias, number in model.aliases.items():
                    pointed.setdefault(int(number), set()).add(alias)
            return tuple(
                Registered(
                    Version(use_case, int(known.version), known.run_id, dict(known.tags)),
                    datetime.fromtimestamp(known.creation_timestamp / 1000, UTC),
                    frozenset(pointed.get(int(known.version), ())),
                )
                for known in self._newest_first(use_case)
            )

    def remove(self, version: Version) -> None:
        """Remove a version, its run with the runs below it, and their artifacts; what is gone already stays gone."""
        from mlflow.entities import ViewType
        from mlflow.exceptions import RestException

        with self.answers():
            run = self.client.get_run(version.run_id)
            below = self.client.search_runs(
                [run.info.experiment_id],
                f"tags.mlflow.parentRunId = '{version.run_id}'",
                run_view_type=ViewType.ALL,
                max_results=_MOST_RUNS,
            )
            for each in (*below, run):
                self._discard(each)
            try:
                self.client.delete_model_version(version.use_case, str(version.number))
            except RestException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise

    def _newest_first(self, use_case: str) -> Iterator[Any]:
        page: str | None = None
        while True:
            versions = self.client.search_model_versions(
                f"name='{use_case}'", max_results=_PAGE, order_by=["version_number DESC"], page_token=page
            )
            yield from versions
            page = versions.token
            if not page:
                return

    def aliased(self, use_case: str, alias: Alias) -> Version | None:
        """The version an alias points to; None where the registry says that there is none."""
        from mlflow.exceptions import RestException

        with self.answers():
            try:
                found = self.client.get_model_version_by_alias(use_case, alias)
            except RestException as error:
                # MLflow has no error code of its own for a known model without the alias.
                absent = error.error_code == "INVALID_PARAMETER_VALUE" and f"alias {alias} not found" in str(error)
                if absent or error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise
            return Version(use_case, int(found.version), found.run_id, dict(found.tags))

    def point(self, use_case: str, alias: Alias, number: int) -> None:
        """Let an alias point to a version."""
        with self.answers():
            self.client.set_registered_model_alias(use_case, alias, str(number))

    def unpoint(self, use_case: str, alias: Alias) -> None:
        """Take an alias away; where there is none, nothing changes."""
        with self.answers():
            self.client.delete_registered_model_alias(use_case, alias)

    def tag(self, use_case: str, number: int, name: str, value: str) -> None:
        """Set a tag of a version."""
        with self.answers():
            self.client.set_model_version_tag(use_case, str(number), name, value)

    def download_bundle(self, version: Version, folder: Path) -> Path:
        """Copy a version's bundle into a local folder and return the bundle's own folder."""
        from mlflow.artifacts import download_artifacts

        with self.answers():
            folder.mkdir(parents=True, exist_ok=True)
            return Path(
                download_artifacts(
                    run_id=version.run_id,
                    artifact_path=BUNDLE_PATH,
                    dst_path=str(folder),
                    tracking_uri=self.uri,
                )
            )

    def experiment(self, name: str) -> str:
        """The id of the experiment of a name, made where there is none."""
        from mlflow.exceptions import RestException

        with self.answers():
            try:
                return str(self.client.create_experiment(name, tags=_KIND))
            except RestException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                return str(self.client.get_experiment_by_name(name).experiment_id)

    def open_run(self, experiment: str, name: str, tags: dict[str, str]) -> str:
        """The id of the run of a name, begun where there is none; it counts as ended, and can be added to for ever.

        Args:
            experiment: Which runs it is one of; made where there is none of that name.
            name: Its name, which no other run of the experiment has.
            tags: Kept on the run where it is begun.
        """
        experiment_id = self.experiment(experiment)
        with self.answers():
            for run in self.client.search_runs([experiment_id], f"attributes.run_name = '{name}'", max_results=1):
                return str(run.info.run_id)
            begun = self.client.create_run(experiment_id, run_name=name, tags=tags)
            self.client.set_terminated(begun.info.run_id)
            return str(begun.info.run_id)

    def discard_runs(self, experiment: str, before: datetime) -> int:
        """Remove the runs of an experiment that began before a moment, with their artifacts; how many there were."""
        old = f"attributes.start_time < {int(before.timestamp() * 1000)}"
        with self.answers():
            known = self.client.get_experiment_by_name(experiment)
            runs = self.client.search_runs([known.experiment_id], old, max_results=_MOST_RUNS) if known else []
            for run in runs:
                self._discard(run)
            return len(runs)

    def _discard(self, run: Any) -> None:
        """Remove a run and its artifacts; what is gone already stays gone."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        get_artifact_repository(run.info.artifact_uri, tracking_uri=self.uri).delete_artifacts()
        if run.info.lifecycle_stage == "active":
            self.client.delete_run(run.info.run_id)

    def measure(self, run_id: str, metrics: dict[str, float]) -> None:
        """Add metrics to a run."""
        with self.answers():
            for key, value in metrics.items():
                self.client.log_metric(run_id, key, value)

    def attach(self, run_id: str, path: str, text: str) -> None:
        """Keep a text with a run, as a file below its artifacts; the same path is written over."""
        with self.answers():
            self.client.log_text(run_id, text, path)

    @contextmanager
    def answers(self) -> Iterator[None]:
        """Tell a server that does not answer apart from one that says no."""
        from mlflow.exceptions import MlflowException, RestException

        try:
            yield
        except MlflowException as error:
            status = error.get_http_status_code()
            if status < 500 and status not in _BUSY:
                raise StateError(f"the model registry refuses: {error}", self.uri, "see its log") from error
            said = "failed" if isinstance(error, RestException) else "does not answer"
            raise TransientError(f"the model registry {said}: {error}", self.uri, "see its log, or start it") from error
        except OSError as error:
            raise TransientError(f"the model registry does not answer: {error}", self.uri, "start it") from error
