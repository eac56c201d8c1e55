"""The sample: how a use case's stand-in data is drawn, so that everything runs offline and can be learned."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from sluice.domain.frozen import Frozen, Name
from sluice.domain.mechanism import ClassMechanism, Mechanism, Score

Share = Annotated[float, Field(ge=0, le=1)]
Weights = Annotated[dict[str, Annotated[float, Field(ge=0)]], Field(min_length=1)]

#: The hidden column that holds each row's group.
GROUP = "group"


class Group(Frozen):
    """One hidden kind of row, such as a region."""

    share: float = Field(gt=0)
    """Weight among the groups; the weights are scaled to sum to 1."""
    center: tuple[float, ...] = Field(default=())
    """Mean of each of the groups' columns."""
    spread: tuple[float, ...] = Field(default=())
    """Standard deviation of each of the groups' columns."""
    correlation: float = Field(default=0, gt=-1, lt=1)
    """Between the two columns, within the group."""
    scores: dict[Name, float] = Field(default={})
    """How many standard deviations higher a column lies in this group."""


class Groups(Frozen):
    """A mixture: the columns that say where a row lies, if any, and the groups they come from."""

    columns: tuple[Name, ...] = Field(default=(), max_length=2)
    decimals: int = Field(default=2, ge=0, le=12)
    members: dict[str, Group] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_number_per_column(self) -> Self:
        for name, group in self.members.items():
            if not len(group.center) == len(group.spread) == len(self.columns):
                raise ValueError(f"group {name!r}: `center` and `spread` need {len(self.columns)} numbers each")
        return self


class Bins(Frozen):
    """Category shares that depend on another column's value."""

    column: Name
    edges: tuple[float, ...] = Field(min_length=1)
    """Rising; the first bin lies below the first edge, the last from the last edge on."""
    shares: tuple[Weights, ...]

    @model_validator(mode="after")
    def _one_share_per_bin(self) -> Self:
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"edges {self.edges} do not rise")
        if len(self.shares) != len(self.edges) + 1:
            raise ValueError(f"{len(self.edges)} edges make {len(self.edges) + 1} bins, not {len(self.shares)}")
        return self


#: The ways a column can be drawn; a marginal says exactly one.
KINDS = (
    "quantiles",
    "normal",
    "lognormal",
    "constant",
    "product",
    "quotient",
    "shares",
    "shares_by_group",
    "shares_by_bin",
)


class Marginal(Frozen):
    """How one column is drawn, in exactly one of the ways below."""

    quantiles: tuple[float, ...] | None = Field(default=None)
    """Values at the sample's `levels`, joined by straight lines."""
    normal: tuple[float, float] | None = Field(default=None)
    """Mean and standard deviation."""
    lognormal: tuple[float, float] | None = Field(default=None)
    """Median, and standard deviation of the logarithm."""
    constant: float | None = Field(default=None)
    product: tuple[Name, ...] | None = Field(default=None)
    """Columns declared earlier that are multiplied."""
    quotient: tuple[Name, Name] | None = Field(default=None)
    """Two columns declared earlier, the first of which is divided by the second."""
    shares: Weights | None = Field(default=None)
    """Weight of each category, or of each whole number, written as text, that an integer column may hold."""
    shares_by_group: dict[str, Weights] | None = Field(default=None)
    shares_by_bin: Bins | None = Field(default=None)
    within: tuple[float, float] | None = Field(default=None)
    """Smallest and largest value; what falls outside is moved to the end."""
    decimals: int = Field(default=4, ge=0, le=12)
    missing: Share = 0
    """Share of values left empty."""

    @property
    def kind(self) -> str:
        """The name of the one way this column is drawn."""
        return next(k for k in KINDS if getattr(self, k) is not None)

    @property
    def continuous(self) -> bool:
        """Whether the column has a normal score, and so can be correlated and shifted by group."""
        return self.kind in ("quantiles", "normal", "lognormal")

    @property
    def category(self) -> bool:
        """Whether the column is drawn by weights, as text."""
        return self.kind.startswith("shares")

    @property
    def categories(self) -> frozenset[str]:
        """Every category that can be drawn."""
        by_bin = self.shares_by_bin.shares if self.shares_by_bin else ()
        by_group = (self.shares_by_group or {}).values()
        return frozenset(name for shares in (self.shares or {}, *by_bin, *by_group) for name in shares)

    @model_validator(mode="after")
    def _is_drawn_one_way(self) -> Self:
        given = [k for k in KINDS if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError(f"a column needs exactly one of {', '.join(KINDS)}; given: {', '.join(given) or 'none'}")
        return self


class Drift(Frozen):
    """A way in which the world changes; a sample drawn with it is of the changed world."""

    shift: dict[Name, float] = Field(default={})
    """Added to a column's values."""
    scale: dict[Name, float] = Field(default={})
    """Multiplies a column's values, before any shift."""
    shares: dict[Name, Weights] = Field(default={})
    """Multiplies a column's category weights."""
    missing: dict[Name, Share] = Field(default={})
    """Share of a column's values left empty."""
    base: float = 0
    """Added to the mechanism's base; of classes, to the score of the last one."""
    effects: dict[Name, float] = Field(default={})
    """Multiplies what a column, or an interaction by its name, adds to the target."""


class Sample(Frozen):
    """The whole of `sample.yaml`.

    Columns that the use case does not know are hidden: they are drawn and used but not written.
    """

    rows: int = Field(ge=1)
    seed: int = Field(ge=0)
    levels: tuple[Share, ...] = Field(default=(0, 0.25, 0.5, 0.75, 1))
    """Rising probabilities, from 0 to 1, that every `quantiles` table is for."""
    groups: Groups | None = Field(default=None)
    columns: dict[Name, Marginal]
    correlations: tuple[tuple[Name, Name, float], ...] = Field(default=())
    """Rank correlations of pairs of columns, within a group."""
    target: Mechanism | ClassMechanism
    drift: dict[str, Drift] = Field(default={})
    """Changes that can be asked for by name."""

    @property
    def produced(self) -> tuple[str, ...]:
        """Every column that is drawn, the target last."""
        located = self.groups.columns if self.groups else ()
        return (*located, *self.columns, self.target.column)

    def decimals(self, name: str) -> int:
        """How many decimals a drawn number is written with."""
        if name == self.target.column:
            return self.target.decimals if isinstance(self.target, Mechanism) else 0
        return self.groups.decimals if self.groups and name in self.groups.columns else self.columns[name].decimals

    def drawn_as_text(self, name: str) -> frozenset[str]:
        """Every category or class that a column can be given; none for a column of numbers."""
        if name == self.target.column:
            return frozenset(self.target.classes) if isinstance(self.target, ClassMechanism) else frozenset()
        return self.columns[name].categories if name in self.columns else frozenset()

    @property
    def scores(self) -> tuple[Score | Mechanism, ...]:
        """Every sum of effects that the target depends on."""
        return tuple(self.target.classes.values()) if isinstance(self.target, ClassMechanism) else (self.target,)

    @model_validator(mode="after")
    def _marginals_fit(self) -> Self:
        rising = all(a < b for a, b in pairwise(self.levels))
        if not rising or self.levels[0] != 0 or self.levels[-1] != 1:
            raise ValueError(f"levels {self.levels} must rise from 0 to 1")
        members = set(self.groups.members) if self.groups else set()
        earlier: set[str] = set(self.groups.columns) if self.groups else set()
        for name, marginal in self.columns.items():
            if marginal.quantiles and len(marginal.quantiles) != len(self.levels):
                raise ValueError(f"{name}: `quantiles` needs {len(self.levels)} values, one for each level")
            _known(f"{name}.product", marginal.product or (), earlier)
            _known(f"{name}.quotient", marginal.quotient or (), earlier)
            _known(f"{name}.shares_by_group", marginal.shares_by_group or (), members)
            if marginal.shares_by_group is not None and members - set(marginal.shares_by_group):
                raise ValueError(f"{name}.shares_by_group: every group needs its shares")
            if marginal.shares_by_bin:
                _known(f"{name}.shares_by_bin.column", [marginal.shares_by_bin.column], earlier)
            if not marginal.category:
                earlier.add(name)
        return self

    @model_validator(mode="after")
    def _names_refer_to_columns(self) -> Self:
        scored = {n for n, m in self.columns.items() if m.continuous}
        for one, other, rho in self.correlations:
            _known("correlations", (one, other), scored)
            if not -1 < rho < 1:
                raise ValueError(f"correlations: {rho} of {one!r} and {other!r} is not between -1 and 1")
        for name, group in (self.groups.members if self.groups else {}).items():
            _known(f"groups.{name}.scores", group.scores, scored)
        drawn = set(self.produced) - {self.target.column}
        numeric = drawn - {n for n, m in self.columns.items() if m.category}
        scores = self.scores
        effects = [e for score in scores for e in score.effects]
        effects += [f for score in scores for i in score.interactions for f in i.factors]
        _known("target", [e.column for e in effects], drawn | {GROUP})
        _known("target: by `at`", [e.column for e in effects if e.at is not None], numeric)
        _known("target: by category", [e.column for e in effects if e.at is None], (drawn - numeric) | {GROUP})
        adjustable = {e.column for e in effects} | {i.name for score in scores for i in score.interactions}
        movable = numeric | ({self.target.column} if isinstance(self.target, Mechanism) else set())
        for name, drift in self.drift.items():
            _known(f"drift.{name}", {*drift.shift, *drift.scale}, movable)
            _known(f"drift.{name}.shares", drift.shares, drawn - numeric)
            _known(f"drift.{name}.missing", drift.missing, set(self.columns))
            _known(f"drift.{name}.effects", drift.effects, adjustable)
        return self


def _known(place: str, names: Iterable[str], known: set[str]) -> None:
    unknown = sorted(set(names) - known)
    if unknown:
        raise ValueError(f"{place}: there is no {unknown[0]!r} it could use; there are: {', '.join(sorted(known))}")
