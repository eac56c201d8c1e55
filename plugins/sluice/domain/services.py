"""Services: those outside of the platform that releases and reports can be shown in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """A service that has to be named in the settings before anything goes there.

    Attributes:
        name: What it is called.
        connection: Airflow's connection whose password is the key to it.
    """

    name: str
    connection: str


HUGGING_FACE = Service("Hugging Face", "sluice_huggingface")
WANDB = Service("Weights & Biases", "sluice_wandb")
EVIDENTLY = Service("Evidently", "sluice_evidently")
