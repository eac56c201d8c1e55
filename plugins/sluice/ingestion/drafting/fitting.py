"""Fitting: a sample that is like a file, made of summaries only, and about as hard to learn."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from sluice.domain.measures import default_metric
from sluice.domain.mechanism import ClassMechanism, Effect, Mechanism, Score
from sluice.domain.sample import Drift, Sample
from sluice.ingestion.drafting import baseline, marginals
from sluice.ingestion.drafting import design as designs
from sluice.ingestion.drafting.assumptions import Assumptions
from sluice.ingestion.drafting.baseline import FAMILIES, FEW_ROWS, Baseline
from sluice.ingestion.drafting.design import Design, Floats
from sluice.ingestion.drafting.effects import rounded, scores
from sluice.ingestion.draws import Draw, Table

#: Fewest and most rows of a sample.
FEWEST_ROWS = 1_000
MOST_ROWS = 12_000

#: Rows drawn to see how well a plain model does on them.
TRIED_ROWS = 4_000

#: How often the amount of chance is corrected, and the difference of skill that will do.
ROUNDS = 7
CLOSE = 0.01

#: How often the classes' bases are corrected.
BALANCES = 6

#: Skill under which the target is drawn from chance alone.
NO_SKILL = 0.02


@dataclass(frozen=True)
class Fit:
    """A fitted sample.

    Attributes:
        sample: The declaration.
        reached: What a plain model reaches on rows of it.
    """

    sample: Sample = field(repr=False)
    reached: Baseline


def fit(assumed: Assumptions, reached: Baseline) -> Fit:
    """Fit a sample to a file's usable rows.

    Numbers get their quantiles and rank correlations, categories their shares, the target an additive score with a
    few interactions. How much chance there is beside is set so that a plain model does as well on the sample as
    out of folds on the file.

    Args:
        assumed: What the file is taken to mean.
        reached: What a plain model reaches on the file.
    """
    start = _start(assumed, reached)
    goal = max(0.0, reached.skill(default_metric(assumed.objective.task)))
    if goal < NO_SKILL:
        return Fit(start, _reach(start, assumed, reached.family))
    low, high, amount = -6.0, 3.0, 0.0
    tried: list[tuple[float, Fit]] = []
    for _ in range(ROUNDS):
        sample = _balanced(_with_chance(start, math.exp(amount)), assumed)
        found = Fit(sample, _reach(sample, assumed, reached.family))
        off = found.reached.skill(default_metric(assumed.objective.task)) - goal
        tried.append((abs(off), found))
        if abs(off) < CLOSE:
            break
        low, high = (amount, high) if off > 0 else (low, amount)
        step = 0.8 * math.copysign(1, off)
        amount = amount + step if low < amount + step < high else (low + high) / 2
    return min(tried, key=lambda pair: pair[0])[1]


def table(sample: Sample, rows: int) -> Table:
    """Rows of a sample, as the arithmetic behind it has them."""
    return Draw(sample, Drift())(np.random.Generator(np.random.PCG64(sample.seed)), rows)


def _start(assumed: Assumptions, reached: Baseline) -> Sample:
    """The sample with a first guess of how much chance there is."""
    learnable = reached.skill(default_metric(assumed.objective.task)) >= NO_SKILL
    mechanism = (
        _classes(assumed, reached, learnable) if assumed.objective.classes else _number(assumed, reached, learnable)
    )
    rows = min(max(assumed.rows, FEWEST_ROWS), MOST_ROWS)
    sample = Sample(
        rows=rows,
        seed=0,
        levels=marginals.LEVELS,
        columns=marginals.of(assumed),
        correlations=tuple(marginals.correlations(assumed)),
        target=mechanism,
    )
    drifts = _drifts(assumed, sample)
    return sample.model_copy(update={"drift": drifts})


def _number(assumed: Assumptions, reached: Baseline, learnable: bool) -> Mechanism:
    observed = assumed.observed
    places = marginals.decimals(observed)
    log = assumed.objective.log and bool(observed.min() > 0)
    scale: Literal["log", "identity"] = "log" if log else "identity"
    added = np.log(observed) if log else observed
    score = (
        scores(assumed.inputs, added, assumed.problem, reached.family)[0]
        if learnable
        else Score(base=rounded(added.mean()))
    )
    unexplained = 1 - min(max(reached.skill("r2"), 0.0), 0.99)
    return Mechanism(
        column=assumed.target.name,
        scale=scale,
        base=score.base,
        effects=score.effects,
        interactions=score.interactions,
        noise=rounded(float(added.std()) * math.sqrt(unexplained)),
        within=(_rounded_down(observed.min(), places), _rounded_up(observed.max(), places)),
        decimals=places,
    )


def _classes(assumed: Assumptions, reached: Baseline, learnable: bool) -> ClassMechanism:
    order = assumed.objective.order
    shares = np.bincount(assumed.observed.astype(int)) / assumed.rows
    if not learnable:
        bases = {name: Score(base=rounded(math.log(share))) for name, share in zip(order, shares, strict=True)}
        return ClassMechanism(column=assumed.target.name, classes=bases)
    found = scores(assumed.inputs, assumed.observed, assumed.problem, reached.family)
    by_class = dict(zip(order, found if len(order) > 2 else [Score(), *found], strict=True))
    return ClassMechanism(column=assumed.target.name, classes=by_class)


def _with_chance(sample: Sample, factor: float) -> Sample:
    """A sample with so many times the chance."""
    target = sample.target
    if isinstance(target, ClassMechanism):
        change: dict[str, Any] = {"temperature": rounded(target.temperature * factor)}
    else:
        change = {"noise": rounded(target.noise * factor)}
    return sample.model_copy(update={"target": target.model_copy(update=change)})


def _balanced(sample: Sample, assumed: Assumptions) -> Sample:
    """A sample whose classes have the file's shares, or whose number has its mean and spread."""
    for _ in range(BALANCES):
        drawn = table(sample, TRIED_ROWS)[sample.target.column]
        target = sample.target
        changed: Mechanism | ClassMechanism
        if isinstance(target, ClassMechanism):
            changed = _with_shares(target, drawn, assumed)
        else:
            changed = _with_spread(target, np.asarray(drawn, dtype=np.float64), assumed)
        sample = sample.model_copy(update={"target": changed})
    return sample


def _with_shares(target: ClassMechanism, drawn: Any, assumed: Assumptions) -> ClassMechanism:
    order = assumed.objective.order
    wanted = np.bincount(assumed.observed.astype(int)) / assumed.rows
    got = np.array([max(np.mean(drawn == name), 0.5 / TRIED_ROWS) for name in order])
    steps = dict(zip(order, np.log(wanted / got) * max(target.temperature, 0.3), strict=True))
    classes = {
        name: score.model_copy(update={"base": rounded(score.base + steps[name])})
        for name, score in target.classes.items()
    }
    return target.model_copy(update={"classes": classes})


def _with_spread(target: Mechanism, drawn: Floats, assumed: Assumptions) -> Mechanism:
    wanted, got = (np.log(v) if target.scale == "log" else v for v in (assumed.observed, drawn))
    ratio = float(np.clip(wanted.std() / (got.std() or 1.0), 0.5, 2.0))
    shift = float(wanted.mean() - got.mean())
    return target.model_copy(
        update={
            "base": float(f"{target.base + shift:.6g}"),
            "noise": rounded(target.noise * ratio),
            "effects": tuple(_stronger(effect, ratio) for effect in target.effects),
            "interactions": tuple(
                i.model_copy(update={"factors": (_stronger(i.factors[0], ratio), *i.factors[1:])})
                for i in target.interactions
            ),
        }
    )


def _stronger(effect: Effect, ratio: float) -> Effect:
    if isinstance(effect.add, dict):
        return effect.model_copy(update={"add": {name: rounded(a * ratio) for name, a in effect.add.items()}})
    return effect.model_copy(update={"add": tuple(rounded(a * ratio) for a in effect.add)})


def _reach(sample: Sample, assumed: Assumptions, family: str) -> Baseline:
    rows = min(sample.rows, TRIED_ROWS)
    drawn = table(sample, rows)
    families = FAMILIES if rows <= 2 * FEW_ROWS else (family,)
    return baseline.reach(
        _design(drawn, assumed), _observed(drawn, sample, assumed), assumed.problem, families, 3, rows
    )


def _design(drawn: Table, assumed: Assumptions) -> Design:
    return designs.of(dict(zip(assumed.inputs.names, assumed.inputs.categories, strict=True)), drawn)


def _observed(drawn: Table, sample: Sample, assumed: Assumptions) -> Floats:
    values = drawn[sample.target.column]
    if not assumed.objective.classes:
        return np.asarray(values, dtype=np.float64)
    places = {name: float(i) for i, name in enumerate(assumed.objective.order)}
    return np.array([places[name] for name in values.tolist()])


def _drifts(assumed: Assumptions, sample: Sample) -> dict[str, Drift]:
    """Changed worlds to try the daily check on: the strongest number moves, gaps grow."""
    roomy = [c for c in assumed.features if c.field.numeric and c.field.distinct > 20]
    effects = [e.column for score in sample.scores for e in score.effects]
    ranked = sorted(roomy, key=lambda c: effects.index(c.field.name) if c.field.name in effects else len(effects))
    found: dict[str, Drift] = {}
    if ranked:
        each = ranked[0].field
        amount = rounded(0.5 * float(np.quantile(each.known, 0.84) - np.quantile(each.known, 0.16)))
        found["inputs_move"] = Drift(shift={each.name: round(amount) if each.kind == "integer" else amount})
    gaps = [c.field for c in assumed.features if c.field.missing]
    if gaps:
        most = max(gaps, key=lambda each: each.missing)
        found["gaps_grow"] = Drift(missing={most.name: round(min(0.9, 0.4 + most.missing_share), 2)})
    return found


def _rounded_down(value: float, places: int) -> float:
    """The largest number with so many decimals that is no larger."""
    steps = math.floor(round(float(value) * 10.0**places, 6))
    return round(steps / 10.0**places, places)


def _rounded_up(value: float, places: int) -> float:
    """The smallest number with so many decimals that is no smaller."""
    return -_rounded_down(-float(value), places)
