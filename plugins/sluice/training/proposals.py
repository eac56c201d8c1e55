"""Proposals: which family and which hyper-parameters a trial tries, within the spec's space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from sluice.domain.measures import Task
from sluice.domain.search import Family, Span, Values
from sluice.training import families

if TYPE_CHECKING:
    from optuna.trial import Trial

Space = Mapping[Family, Mapping[str, Values]]
Proposal = dict[str, int | float | str]

#: Trials that every family gets before the search may favour one.
TRIES_PER_FAMILY = 2


def starts(space: Space, task: Task) -> list[Proposal]:
    """The first proposals: every family in turn, once where it usually does well, then where the sampler likes."""
    usual: list[Proposal] = []
    for family in sorted(space):
        start = families.start(family, task)
        fixed = {
            f"{family}.{name}": _nearest(start[name], values)
            for name, values in space[family].items()
            if name in start and isinstance(values, Span | tuple)
        }
        usual.append({"family": family, **fixed})
    return usual + [{"family": family} for _ in range(TRIES_PER_FAMILY - 1) for family in sorted(space)]


def propose(trial: Trial, space: Space) -> tuple[Family, Proposal]:
    """A family and its hyper-parameters, chosen by the trial within the spec's space."""
    family = cast("Family", trial.suggest_categorical("family", sorted(space)))
    parameters = {name: _suggest(trial, f"{family}.{name}", values) for name, values in space[family].items()}
    return family, parameters


def _suggest(trial: Trial, name: str, values: Values) -> int | float | str:
    if isinstance(values, tuple):
        return cast("int | float | str", trial.suggest_categorical(name, values))
    if not isinstance(values, Span):
        return values
    if _whole(values):
        return int(trial.suggest_int(name, int(values.low), int(values.high), log=values.log))
    return float(trial.suggest_float(name, values.low, values.high, log=values.log))


def _nearest(value: int | float | str, values: Span | tuple[int | float | str, ...]) -> int | float | str:
    if isinstance(values, tuple):
        return value if value in values else values[0]
    inside = min(max(float(value), values.low), values.high)
    return round(inside) if _whole(values) else inside


def _whole(span: Span) -> bool:
    return isinstance(span.low, int) and isinstance(span.high, int)
