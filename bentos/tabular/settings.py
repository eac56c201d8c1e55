"""Settings: the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tabular.errors import ConfigurationError

PACKAGE = Path(__file__).resolve().parent

NonEmpty = Annotated[str, StringConstraints(min_length=1)]


class Settings(BaseModel):
    """What this process serves, and where everything is. An empty variable is an absent one."""

    model_config = ConfigDict(frozen=True)

    use_case: NonEmpty | None = Field(default=None, alias="SLUICE_USE_CASE")
    """If absent, the use case of the bundle that the image carries."""
    tracking_uri: NonEmpty | None = Field(default=None, alias="MLFLOW_TRACKING_URI")
    """The MLflow server whose aliases `champion` and `challenger` are followed."""
    object_store: NonEmpty | None = Field(default=None, alias="SLUICE_OBJECT_STORE")
    """Root URL of the copies of the releases."""
    bundle: Path = Field(default=PACKAGE.parent / "bundle", alias="SLUICE_BUNDLE")
    """Folder of the bundle that the image carries."""
    warehouse_dsn: NonEmpty | None = Field(default=None, alias="SLUICE_WAREHOUSE_DSN")
    """Where predictions are logged; nowhere if absent."""
    workers: int = Field(default=1, ge=1, le=64, alias="SLUICE_WORKERS")
    """How many processes answer; each follows the champion and shows its heartbeat by itself."""
    poll_seconds: float = Field(default=1, ge=0.05, le=3600, alias="SLUICE_POLL_SECONDS")
    on_new_runtime: Literal["keep", "exit"] = Field(default="keep", alias="SLUICE_ON_NEW_RUNTIME")
    """What to do when the champion needs other serving code: go on, or end to be started anew with it."""
    body_limit: int = Field(default=10_000_000, ge=1000, alias="SLUICE_BODY_LIMIT")
    """Largest request body, in bytes."""
    log_rows: int = Field(default=10_000, ge=1, alias="SLUICE_LOG_ROWS")
    """Most predictions that wait for the database; more are dropped and counted."""
    home: Path = Field(default_factory=lambda: Path.home() / "bentoml", alias="BENTOML_HOME")
    """The server's own folder."""


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in an environment.

    Raises:
        ConfigurationError: A variable is missing or impossible.
    """
    names = {field.alias for field in Settings.model_fields.values()}
    given = {name: value for name, value in environment.items() if name in names and value}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
        raise ConfigurationError(faults) from None
