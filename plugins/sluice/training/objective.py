"""The objective: one proposal, cross-validated."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import optuna
from optuna.trial import Trial

from sluice.adapters.metrics import METRICS
from sluice.domain.errors import DataError
from sluice.domain.measures import HIGHER_IS_BETTER
from sluice.domain.search import Family
from sluice.domain.use_case import UseCase
from sluice.training import families, folds, proposals
from sluice.training.choices import Choices
from sluice.training.snapshots import Part

#: How far from good a proposal is whose answers overflow; finite, because means and deviations are taken of it.
_HOPELESS = 1e150


class Objective:
    """Draws a proposal and scores it on every fold, or until it is given up.

    Args:
        use_case: Declares the space, the metric and the folds.
        train: The rows to fit and score on.
        choices: What the train rows decided about the features.
        drawn: Called as soon as the proposal is in the study, before anything is fitted.
    """

    def __init__(self, use_case: UseCase, train: Part, choices: Choices, drawn: Callable[[], None]) -> None:
        self._use_case = use_case
        self._train = train
        self._choices = choices
        self._drawn = drawn
        self._parts = folds.divide(use_case, train, use_case.training.folds, use_case.training.seed)
        self._metric = use_case.search_metric

    def __call__(self, trial: Trial) -> float:
        """The mean of the folds.

        Raises:
            optuna.TrialPruned: The proposal is given up.
            DataError: The metric cannot be told on a fold, whatever the model says.
        """
        begun = time.monotonic()
        family, parameters = proposals.propose(trial, self._use_case.training.families)
        trial.set_user_attr("family", family)
        trial.set_user_attr("parameters", parameters)
        self._drawn()
        scores: list[float] = []
        for number, part in enumerate(self._parts, start=1):
            scores.append(self._score(family, parameters, part))
            # Wilcoxon's test pairs the folds of two trials; the other pruners compare what is known by then.
            alone = self._use_case.training.pruner == "wilcoxon"
            trial.report(scores[-1] if alone else float(np.mean(scores)), number)
            trial.set_user_attr("scores", scores)
            trial.set_user_attr("seconds", time.monotonic() - begun)
            if number < len(self._parts) and trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(scores))

    def _score(self, family: Family, parameters: families.Parameters, part: folds.Fold) -> float:
        model = families.assemble(self._use_case, family, parameters, self._choices)
        inputs, target = self._train.inputs, self._train.target
        model.fit(inputs.iloc[part.fit], target[part.fit])
        with np.errstate(over="ignore", invalid="ignore"):
            answers = families.scores(self._use_case, model, inputs.iloc[part.score])
            if not np.isfinite(answers).all():
                return self._worst
            score = METRICS[self._metric](target[part.score], answers)
        if math.isnan(score):
            raise DataError(
                f"{self._metric} cannot be told on a fold of {len(part.score)} rows",
                f"the training rows of {self._use_case.name}",
                "ingest more rows, or choose fewer `training.folds` or another `training.metric`",
            )
        return score if math.isfinite(score) else self._worst

    @property
    def _worst(self) -> float:
        return -_HOPELESS if self._metric in HIGHER_IS_BETTER else _HOPELESS
