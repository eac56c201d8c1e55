"""Settings of the watcher: how it looks, where, and by which server it writes.

What it shares with the rest (the warehouse, MLflow, the use cases, who is written to) is in `sluice.settings`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sluice.settings import REPOSITORY

PREFIX = "SLUICE_WATCHER_"


class Watching(BaseSettings):
    """Each is read from the environment variable of the same name with the prefix `SLUICE_WATCHER_`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", use_attribute_docstrings=True, populate_by_name=True
    )

    interval: float = Field(default=10, gt=0)
    """Seconds between two rounds."""
    patience: float = Field(default=60, ge=0)
    """Seconds for which a program must have been away before anybody is told: longer than it takes to restart one."""
    start: float = Field(default=300, ge=0)
    """Seconds after the watcher's own start in which what it never saw well may still be starting."""
    late: float = Field(default=600, ge=0)
    """Seconds after which a run that should have begun, or a task that nobody takes, is late."""
    calm: float = Field(default=600, ge=0)
    """Seconds without a lost prediction after which the log counts as mended."""
    disk_full: float = Field(default=0.9, gt=0, le=1)
    """Used share of a disk from which it is nearly full."""
    disks: Annotated[tuple[Path, ...], NoDecode] = (REPOSITORY / "var",)
    """Folders whose disks are looked at, with colons between them."""
    airflow: str = ""
    """Address of Airflow's API server as the watcher reaches it; where absent, the one of the links in mails."""
    airflow_user: str = ""
    """A user who may see everything, such as a viewer; without one, nobody looks for late runs and import errors."""
    airflow_password: SecretStr = SecretStr("")
    """Of that user."""
    serving: Annotated[dict[str, str], NoDecode] = {}
    """Model servers, as `housing=http://host:3000,loan=http://host:3001`; of others, their heartbeats are read."""
    api_key: SecretStr = SecretStr("")
    """A key of the model servers, which their counters need where servers ask for keys."""
    smtp: SecretStr = Field(
        default=SecretStr("smtp://127.0.0.1:25/?disable_ssl=true&disable_tls=true"),
        validation_alias=AliasChoices(f"{PREFIX}SMTP", "SLUICE_SMTP", "AIRFLOW_CONN_SMTP_DEFAULT"),
    )
    """The mail server, written as Airflow's connection; also read from SLUICE_SMTP or AIRFLOW_CONN_SMTP_DEFAULT."""
    state: Path = REPOSITORY / "var" / "watcher.json"
    """The file that remembers what was told, so that a restart repeats nothing."""
    host: str = "127.0.0.1"
    """Where its own page listens."""
    port: int = Field(default=8790, ge=1, le=65535)
    """On which port."""
    url: str = ""
    """Address of its page in mails; where absent, made of host and port."""

    @field_validator("disks", mode="before")
    @classmethod
    def _are_folders(cls, value: Any) -> Any:
        return tuple(Path(part) for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

    @field_validator("serving", mode="before")
    @classmethod
    def _are_addresses(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        if wrong := [name for name, _, url in pairs if not url.startswith(("http://", "https://"))]:
            raise ValueError(f"{wrong[0]!r} has no address; write housing=http://host:3000,loan=http://host:3001")
        return {name: url for name, _, url in pairs}

    @model_validator(mode="after")
    def _rounds_fit_into_patience(self) -> Self:
        if self.patience and self.patience < self.interval:
            raise ValueError(f"patience {self.patience:g} is shorter than the interval of {self.interval:g} s")
        return self

    @property
    def page(self) -> str:
        """Address of the watcher's page, without a slash at the end."""
        return self.url.rstrip("/") or f"http://{self.host}:{self.port}"


def described() -> str:
    """Every setting with its default, for people."""
    lines = []
    for name, field in Watching.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        lines.append(f"  {PREFIX}{name.upper()} = {default!s}\n      {field.description}")
    return "\n".join(lines)
