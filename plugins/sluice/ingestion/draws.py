"""Draws: the arithmetic behind a sample, from normal scores to a target."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from sluice.domain.mechanism import ClassMechanism, Effect, Mechanism, Score
from sluice.domain.sample import GROUP, Drift, Group, Marginal, Sample, Weights

Floats = NDArray[np.float64]
Column = NDArray[Any]
Table = dict[str, Column]

#: Smallest eigenvalue a correlation matrix is lifted to, so that it has a Cholesky factor.
FLOOR = 1e-6


class Draw:
    """Draws tables of a sample's columns.

    What is random does not depend on the drift: the same seed draws the same rows of a changed world.
    """

    def __init__(self, sample: Sample, drift: Drift) -> None:
        self.sample = sample
        self.drift = drift
        members = sample.groups.members if sample.groups else {"all": Group(share=1, center=(), spread=())}
        self.groups = np.array(list(members))
        self.weights = np.array([g.share for g in members.values()])
        self.weights /= self.weights.sum()
        self.members = list(members.values())
        self.scored = [name for name, marginal in sample.columns.items() if marginal.continuous]
        self.factor = np.linalg.cholesky(nearest_correlation(self._pearson()))
        self.lift = np.array([[g.scores.get(n, 0.0) for n in self.scored] for g in self.members])

    def __call__(self, random: np.random.Generator, rows: int) -> Table:
        """Draw rows: text for categories, numbers elsewhere, NaN or None where missing."""
        group = random.choice(len(self.members), rows, p=self.weights)
        table: Table = {GROUP: self.groups[group]}
        table |= self._location(random, group)
        scores = self._scores(random, group)
        for name, marginal in self.sample.columns.items():
            table[name] = self._column(name, marginal, table, scores, random.random(rows))
        table[self.sample.target.column] = self._target(table, random)
        for name, marginal in self.sample.columns.items():
            share = self.drift.missing.get(name, marginal.missing)
            table[name][random.random(rows) < share] = None if marginal.category else np.nan
        return table

    def _pearson(self) -> Floats:
        """The scores' correlations that give the declared rank correlations."""
        place = {name: i for i, name in enumerate(self.scored)}
        matrix = np.eye(len(self.scored))
        for one, other, rho in self.sample.correlations:
            i, j = place[one], place[other]
            matrix[i, j] = matrix[j, i] = 2 * np.sin(np.pi * rho / 6)
        return matrix

    def _location(self, random: np.random.Generator, group: Column) -> Table:
        groups = self.sample.groups
        if groups is None:
            return {}
        normal = random.standard_normal((len(group), len(groups.columns)))
        if len(groups.columns) == 2:
            rho = np.array([g.correlation for g in self.members])[group]
            normal[:, 1] = rho * normal[:, 0] + np.sqrt(1 - rho**2) * normal[:, 1]
        center = np.array([g.center for g in self.members])[group]
        spread = np.array([g.spread for g in self.members])[group]
        values = center + spread * normal
        return {n: self._adjusted(n, values[:, i], None, groups.decimals) for i, n in enumerate(groups.columns)}

    def _scores(self, random: np.random.Generator, group: Column) -> dict[str, Floats]:
        """Normal scores, shifted by group and standardised over all groups."""
        normal = random.standard_normal((len(group), len(self.scored))) @ self.factor.T
        mean = self.weights @ self.lift
        spread = np.sqrt(1 + self.weights @ (self.lift - mean) ** 2)
        scores = (normal + self.lift[group] - mean) / spread
        return {name: scores[:, i] for i, name in enumerate(self.scored)}

    def _column(
        self, name: str, marginal: Marginal, table: Table, scores: dict[str, Floats], uniform: Floats
    ) -> Column:
        if marginal.category:
            return self._categories(name, marginal, table, uniform)
        values: Floats
        if marginal.quantiles:
            values = np.interp(ndtr(scores[name]), self.sample.levels, marginal.quantiles)
        elif marginal.normal:
            values = marginal.normal[0] + marginal.normal[1] * scores[name]
        elif marginal.lognormal:
            values = marginal.lognormal[0] * np.exp(marginal.lognormal[1] * scores[name])
        elif marginal.product:
            values = np.prod([table[part] for part in marginal.product], axis=0)
        elif marginal.quotient:
            numerator, denominator = (table[part] for part in marginal.quotient)
            values = np.divide(numerator, denominator, out=np.full(len(uniform), np.nan), where=denominator != 0)
        else:
            values = np.full(len(uniform), marginal.constant, dtype=np.float64)
        return self._adjusted(name, values, marginal.within, marginal.decimals)

    def _adjusted(self, name: str, values: Floats, within: tuple[float, float] | None, decimals: int) -> Floats:
        values = values * self.drift.scale.get(name, 1) + self.drift.shift.get(name, 0)
        if within:
            values = np.clip(values, *within)
        return np.round(values, decimals) + 0.0

    def _categories(self, name: str, marginal: Marginal, table: Table, uniform: Floats) -> Column:
        change = self.drift.shares.get(name, {})
        result = np.empty(len(uniform), dtype=object)
        if marginal.shares_by_bin:
            bins = marginal.shares_by_bin
            which = np.digitize(table[bins.column], bins.edges)
            cases = [(which == i, shares) for i, shares in enumerate(bins.shares)]
        elif marginal.shares_by_group:
            cases = [(table[GROUP] == g, shares) for g, shares in marginal.shares_by_group.items()]
        else:
            cases = [(np.full(len(uniform), fill_value=True), marginal.shares or {})]
        for rows, shares in cases:
            result[rows] = _chosen(shares, change, uniform[rows])
        return result

    def _target(self, table: Table, random: np.random.Generator) -> Column:
        mechanism, rows = self.sample.target, len(table[GROUP])
        if isinstance(mechanism, ClassMechanism):
            return self._classes(mechanism, table, random)
        total = self._sum(mechanism, table) + self.drift.base
        total += mechanism.noise * random.standard_normal(rows)
        values = np.exp(total) if mechanism.scale == "log" else total
        return self._adjusted(mechanism.column, values, mechanism.within, mechanism.decimals)

    def _classes(self, mechanism: ClassMechanism, table: Table, random: np.random.Generator) -> Column:
        """One class per row, the highest of its scores after Gumbel noise: a draw in proportion to exp(score / t)."""
        scores = np.column_stack([self._sum(score, table) for score in mechanism.classes.values()])
        scores[:, -1] += self.drift.base
        noise = random.gumbel(size=scores.shape)
        names = np.array(list(mechanism.classes), dtype=object)
        return np.asarray(names[np.argmax(scores + mechanism.temperature * noise, axis=1)])

    def _sum(self, score: Score | Mechanism, table: Table) -> Floats:
        """The base and all effects, as strong as the drift leaves them."""
        strength = self.drift.effects
        total = np.full(len(table[GROUP]), score.base, dtype=np.float64)
        for effect in score.effects:
            total += strength.get(effect.column, 1) * _amount(effect, table)
        for interaction in score.interactions:
            product = np.prod([_amount(factor, table) for factor in interaction.factors], axis=0)
            total += strength.get(interaction.name, 1) * product
        return total


def nearest_correlation(matrix: Floats) -> Floats:
    """The correlation matrix with a Cholesky factor that lies near a symmetric matrix.

    Negative eigenvalues are lifted and the diagonal scaled back to 1 (Rebonato and Jäckel, 1999).
    """
    values, vectors = np.linalg.eigh(matrix)
    if len(values) == 0 or values.min() >= FLOOR:
        return matrix
    lifted = (vectors * np.maximum(values, FLOOR)) @ vectors.T
    scale = np.sqrt(np.diag(lifted))
    return np.asarray(lifted / np.outer(scale, scale))


def _amount(effect: Effect, table: Table) -> Floats:
    values = table[effect.column]
    if effect.at is not None and not isinstance(effect.add, dict):
        return np.interp(values, effect.at, effect.add)
    amounts = effect.add if isinstance(effect.add, dict) else {}
    return np.array([amounts.get(v, 0.0) for v in values])


def _chosen(shares: Weights, change: Weights, uniform: Floats) -> Column:
    """One category per row, by weights that a drift may have changed."""
    names = np.array(list(shares), dtype=object)
    weights = np.array([shares[n] * change.get(n, 1) for n in shares])
    cumulated = np.cumsum(weights / weights.sum())
    return names[np.minimum(np.searchsorted(cumulated, uniform, side="right"), len(names) - 1)]
