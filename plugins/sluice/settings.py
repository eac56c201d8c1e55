"""Settings: the only reader of the environment."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parents[2]


class Settings(BaseSettings):
    """Where everything is.

    A field is read from the environment variable of the same name with the prefix `SLUICE_`; the two that belong to
    MLflow and to Airflow, from theirs.
    """

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True, extra="ignore")

    use_cases: Path = REPOSITORY / "include" / "use_cases"
    """Folder of use-case folders."""
    sql: Path = REPOSITORY / "include" / "sql"
    service: Path = REPOSITORY / "bentos" / "tabular"
    """The source of the serving code."""
    warehouse_dsn: str = "postgresql://sluice@127.0.0.1:5432/warehouse"
    optuna_dsn: str = "postgresql://sluice@127.0.0.1:5432/optuna"
    tracking_uri: str = Field(
        default="http://127.0.0.1:5000",
        validation_alias=AliasChoices("MLFLOW_TRACKING_URI", "tracking_uri"),
    )
    object_store: str = f"file://{REPOSITORY / 'var' / 'store'}"
    """Root of the object store, as a URL; not percent-encoded, because fsspec takes a path as it stands."""
    bento_store: Path = REPOSITORY / "var" / "bentoml"
    """BENTOML_HOME of the builds."""
    container_engine: Literal["docker", "podman", "buildah", "buildctl", "none"] = "none"
    """What builds a release's image; with none a release is a bento alone, and the decision says so."""
    probe_reach: Literal["port", "own"] = "port"
    """How the gate reaches the container of a release: by a port, or in the network of the container that asks."""
    build_queue: str = "default"
    """Airflow's queue of the workers that have the container engine."""
    search_workers: int = Field(default=min(4, os.cpu_count() or 1), ge=1, le=32)
    """How many processes a search is done by, with one thread each."""
    alerts_from: str = "sluice@localhost"
    alerts_to: str = "ops@localhost"
    """Who hears of what no use case owns: broken specs, import errors."""
    airflow_url: str = Field(
        default="http://127.0.0.1:8080",
        validation_alias=AliasChoices("AIRFLOW__API__BASE_URL", "airflow_url"),
    )
    """Base of the links in alerts."""
    publish_huggingface_repository: str = ""
    """Model repository of each use case's champion, such as `acme/{use_case}`; empty to publish none."""
    publish_huggingface_space: str = ""
    """Space that serves each use case's champion, such as `acme/{use_case}-service`; empty to publish none."""
    publish_huggingface_url: str = "https://huggingface.co"
    publish_wandb_project: str = ""
    """Project of Weights & Biases that champions are entered in, as `team/project`; empty to enter none."""
    publish_wandb_url: str = "https://api.wandb.ai"
    publish_evidently_url: str = ""
    """Evidently's service, to whose workspace drift reports are published; empty to publish none."""
    publish_seconds: float = Field(default=30, gt=0)
    """After which a call of a publisher that is not answered has failed."""
    runbook_url: str = ""
    """Where people read docs/operations.md, whose anchors alerts link to; empty for the file in the project."""


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
