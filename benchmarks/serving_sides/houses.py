"""One row of the housing data, as the services that are not Sluice's declare it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from pydantic import BaseModel


class House(BaseModel):
    """A census block."""

    longitude: float
    latitude: float
    housing_median_age: float
    total_rooms: float
    total_bedrooms: float | None
    population: float
    households: float
    median_income: float
    ocean_proximity: str


def frame(houses: Sequence[House]) -> pd.DataFrame:
    """The rows that the pipeline takes."""
    return pd.DataFrame([house.model_dump() for house in houses])
