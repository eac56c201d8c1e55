"""The base of every pydantic value in Sluice: frozen, strict, no unknown keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

#: A name that Postgres, ONNX, MLflow, Airflow and a URL all take as it is.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,47}$")]


class Frozen(BaseModel):
    """A value that is checked once, when it is made, and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)
