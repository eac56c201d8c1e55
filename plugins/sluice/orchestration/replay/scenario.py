"""The scenario: what happens to the world on which day, and what the daily check must make of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, FiniteFloat, ValidationError, model_validator

from sluice.domain.errors import SpecError
from sluice.domain.frozen import Frozen, Name
from sluice.domain.use_case import UseCase
from sluice.registry import line_of

Breach = Literal["drift", "quality", "performance"]


class Concept(Frozen):
    """What was true of the same rows is no longer true: nothing of it shows in what is asked."""

    scale: FiniteFloat = Field(default=1, gt=0)
    """Of a number: so many times as large."""
    base: FiniteFloat = 0
    """Of classes: added to what speaks for the last one, in units of the sample's own chance (its temperature)."""


class Change(Frozen):
    """How the world differs between two days."""

    from_day: int = Field(ge=1)
    until_day: int | None = Field(default=None, ge=1)
    """The last day of it; to the end where absent."""
    over_days: int = Field(default=1, ge=1)
    """How many days it takes to come about, in equal steps."""
    columns: tuple[Name, ...] = Field(default=())
    """The sample's columns that `shift`, `mix` and `missing` are about; all that can be changed so where absent."""
    shift: FiniteFloat = 0
    """Of numbers: how many standard deviations higher they lie. What is made of them moves with them."""
    mix: FiniteFloat = Field(default=1, gt=0)
    """Of categories: how many times as likely the first one becomes."""
    missing: float = Field(default=0, ge=0, lt=1)
    """Share of values that arrive empty: of the inputs that may be, or where none may, of the first number."""
    volume: float = Field(default=1, gt=0, le=1)
    """Share of the usual rows and requests that arrive at all."""
    concept: Concept = Concept()

    def strength(self, day: int) -> float:
        """How much of it holds on a day: 0 is nothing, 1 is all."""
        if day < self.from_day or (self.until_day is not None and day > self.until_day):
            return 0.0
        return min(1.0, (day - self.from_day + 1) / self.over_days)

    @model_validator(mode="after")
    def _lasts_until_it_is_whole(self) -> Self:
        if self.until_day is not None and self.until_day < self.from_day + self.over_days - 1:
            raise ValueError(
                f"until_day: day {self.until_day} is before the change is whole, which it is on day "
                f"{self.from_day + self.over_days - 1}"
            )
        return self


class Expected(Frozen):
    """What the replay must show, or it has failed."""

    breach: Breach | None = None
    """Which check must find the first change; none where there is nothing to find."""
    found_within_days: int | None = Field(default=None, ge=1)
    """From the change's first day on, that day included."""
    false_alarm_rate: float = Field(default=0.05, ge=0, le=1)
    """Largest share of the days without any change on which a check calls for something."""
    retrainings: tuple[int, int] = (0, 0)
    """Fewest and most trainings that may follow."""
    promotions: int = Field(default=0, ge=0)
    """Fewest of them that the gate must let through."""
    estimates_within: float = Field(default=0.9, ge=0, le=1)
    """Share of the days whose realised performance lies within the bounds of what was estimated without labels."""
    estimates_until_day: int | None = Field(default=None, ge=1)
    """The last day that this is asked of: no estimate can see a concept change before the labels do."""

    @model_validator(mode="after")
    def _what_is_found_is_found_in_time(self) -> Self:
        if (self.breach is None) != (self.found_within_days is None):
            raise ValueError("`breach` and `found_within_days` belong together: give both or neither")
        if self.retrainings[0] > self.retrainings[1]:
            raise ValueError(f"retrainings: {self.retrainings[0]} is more than {self.retrainings[1]}")
        return self


class Scenario(Frozen):
    """The whole of a scenario's file; it is for any use case that has a sample."""

    title: str = Field(min_length=1)
    description: str = ""
    rows_per_day: int = Field(default=3000, ge=10)
    """That happen in the world; some of them are asked about, all of them are known in the end."""
    predictions_per_day: int = Field(default=1500, ge=1)
    """How many of a day's rows the endpoint is asked about."""
    label_delay_days: int = Field(default=3, ge=0)
    """After which it is known what was true; only then a row can be learned from, too."""
    extract_days: int = Field(default=4, ge=1)
    """The source's daily extract holds the rows of so many days."""
    trials: int = Field(default=3, ge=1)
    """Of each training."""
    changes: tuple[Change, ...] = Field(default=())
    monitoring: dict[str, Any] = Field(default={})
    """Over what the use case's spec says of its monitoring, key by key."""
    expected: Expected = Expected()

    @property
    def first_day(self) -> int | None:
        """The first day on which anything is different."""
        return min((change.from_day for change in self.changes), default=None)

    def unchanged(self, day: int, looked_back: int = 1) -> bool:
        """Whether neither a day nor anything that is seen on it is of a changed world.

        Args:
            day: Which.
            looked_back: So many days' predictions are looked at together.
        """
        oldest = day - self.label_delay_days - max(self.extract_days, looked_back)
        seen = range(oldest, day + 1)
        return not any(change.strength(each) for change in self.changes for each in seen)

    def over(self, use_case: UseCase) -> UseCase:
        """The use case as it is replayed: each extract replaces the last, and the scenario's policy holds.

        Raises:
            SpecError: The policy is none.
        """
        document = json.loads(use_case.model_dump_json())
        document["source"] |= {"uri": None, "mode": "replace"}
        document["monitoring"] = merged(document["monitoring"], self.monitoring)
        try:
            return UseCase.model_validate_json(json.dumps(document))
        except ValidationError as error:
            raise SpecError(
                _told(error), "the scenario's `monitoring`", "write what a use case's spec may say"
            ) from error

    @model_validator(mode="after")
    def _asks_about_rows_there_are(self) -> Self:
        if self.predictions_per_day > self.rows_per_day:
            raise ValueError(f"predictions_per_day: {self.predictions_per_day} of {self.rows_per_day} rows cannot be")
        return self


def find(folder: Path, named: str) -> Path:
    """The file of a scenario.

    Args:
        folder: Holds those that ship.
        named: One of these by its name, or a path.

    Raises:
        SpecError: There is none.
    """
    for path in (folder / f"{named}.yaml", Path(named)):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml"))) or "none"
    raise SpecError(f"there is no scenario {named!r}", str(folder), f"name a file, or use one of: {known}")


def read(path: Path) -> Scenario:
    """Read a scenario's file.

    Raises:
        SpecError: It cannot be read or breaks a rule; says the line, the rule and the next step.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        written = json.dumps(yaml.safe_load(text))
    except (OSError, yaml.YAMLError, ValueError, TypeError) as error:
        raise SpecError(f"the scenario cannot be read: {error}", str(path), "correct the YAML") from error
    try:
        return Scenario.model_validate_json(written)
    except ValidationError as error:
        line = line_of(node, error.errors()[0]["loc"])
        raise SpecError(_told(error), f"{path}:{line}", "correct it; docs/replay.md names every field") from error


def merged(below: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """One mapping laid over another, key by key."""
    both = {key: below[key] for key in below}
    for key, value in over.items():
        both[key] = merged(both[key], value) if isinstance(value, dict) and isinstance(both.get(key), dict) else value
    return both


def _told(error: ValidationError) -> str:
    rows = error.errors(include_url=False)
    return "; ".join(
        f"{'.'.join(map(str, row['loc'])) or 'scenario'}: {row['msg'].removeprefix('Value error, ')}" for row in rows
    )
