"""Settings: the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from tabular.errors import ConfigurationError

PACKAGE = Path(__file__).resolve().parent

NonEmpty = Annotated[str, StringConstraints(min_length=1)]
#: Without name and password: those have variables of their own.
WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://[^@\s]+$")]
#: As browsers name the site of a page: without a path, and without a slash at the end.
Origin = Annotated[str, StringConstraints(pattern=r"^(https?://[^/@\s*]+|\*)$", to_lower=True)]


def _parts(text: object) -> object:
    return tuple(part.strip() for part in text.split(",")) if isinstance(text, str) else text


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
    body_seconds: float = Field(default=10, gt=0, alias="SLUICE_BODY_SECONDS")
    """Longest time for a whole request body, or for the next piece of one that is streamed."""
    access: Literal["keys", "open"] = Field(default="keys", alias="SLUICE_ACCESS")
    """Who may ask: whoever has a key, or everybody."""
    api_keys: Path | None = Field(default=None, alias="SLUICE_API_KEYS")
    """File of the keys; nobody gets in if absent."""
    rate: float | None = Field(default=None, ge=0, alias="SLUICE_RATE")
    """Requests per second of one key, or where there are none of one address, in one process; 0 for any number.

    If absent, 1000 of a key; of an address any number, because everybody may come through one and the same proxy.
    """
    burst: int | None = Field(default=None, ge=1, alias="SLUICE_BURST")
    """Requests at once after a pause; as many as in one second if absent."""
    cors_origins: Annotated[tuple[Origin, ...], BeforeValidator(_parts)] = Field(
        default=(), alias="SLUICE_CORS_ORIGINS"
    )
    """Sites whose pages may ask, separated by commas; `*` alone for all."""
    hsts: int = Field(default=0, ge=0, alias="SLUICE_HSTS")
    """Seconds for which browsers shall reach this service by HTTPS alone; 0 to say nothing of it."""
    log_rows: int = Field(default=70_000, ge=1, alias="SLUICE_LOG_ROWS")
    """Most predictions that wait for the database; more are dropped and counted."""
    hash_key: SecretStr | None = Field(default=None, min_length=16, alias="SLUICE_HASH_KEY")
    """Of the hashes that are logged for inputs marked `sensitive: hash`; if absent, these are not logged at all."""
    pushgateway: WebAddress | None = Field(default=None, alias="SLUICE_PUSHGATEWAY")
    """Where the metrics are pushed to, for whom nothing can scrape; nowhere if absent."""
    pushgateway_user: NonEmpty | None = Field(default=None, alias="SLUICE_PUSHGATEWAY_USER")
    pushgateway_password: SecretStr = Field(default=SecretStr(""), alias="SLUICE_PUSHGATEWAY_PASSWORD")
    push_seconds: float = Field(default=15, ge=0.1, le=3600, alias="SLUICE_PUSH_SECONDS")
    home: Path = Field(default_factory=lambda: Path.home() / "bentoml", alias="BENTOML_HOME")
    """The server's own folder."""

    @field_validator("cors_origins")
    @classmethod
    def _all_or_some(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if "*" in origins and len(origins) > 1:
            raise ValueError("`*` lets all sites in, so it stands alone")
        return origins

    @field_validator("pushgateway_password")
    @classmethod
    def _of_somebody(cls, password: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.data.get("pushgateway_user") is None:
            raise ValueError("without SLUICE_PUSHGATEWAY_USER nobody would be known by it")
        return password


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
