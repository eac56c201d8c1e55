"""The journey: a use case carried through a scenario's days, each through the real stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sluice.domain.errors import DataError, SluiceError, StateError
from sluice.orchestration.replay import answers, checks, stages
from sluice.orchestration.replay.days import Days
from sluice.orchestration.replay.record import Day, Training
from sluice.orchestration.replay.stages import Place, Release

#: The day before the first one, by the replay's clock.
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
#: When of the day the stages run, as their usual schedules have it.
INGEST, MONITOR = timedelta(hours=1), timedelta(hours=3)


@dataclass
class Journey:
    """A replay while it goes on.

    Attributes:
        place: Where.
        world: What happens.
        releases: Everything that was made, in order.
        days: The days that are over.
    """

    place: Place
    world: Days
    releases: list[Release] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)

    @property
    def retrainings(self) -> tuple[tuple[int, Training], ...]:
        """Day and training, without that of the first release."""
        return tuple((day.number, day.training) for day in self.days[1:] if day.training)

    def run(self, days: int, tell: Callable[[Day], None] = lambda _: None) -> tuple[Day, ...]:
        """Make the first release and go through the days.

        Args:
            days: How many.
            tell: Told of each day when it is over.

        Returns:
            All of them, that of the first release first; what was realised is known in hindsight.

        Raises:
            StateError: The gate lets no first release through, so there is nothing to look after.
        """
        self.begin()
        tell(self.days[0])
        for number in range(1, days + 1):
            self.days.append(self._live(number))
            tell(self.days[-1])
        self._look_back(days)
        return tuple(self.days)

    def begin(self) -> None:
        """Ingest the days before the first, and make the first release."""
        use_case = self.world.use_case
        accepted, refusal = stages.ingest(self.place, use_case, self.world.extract(1), _midnight(1) + INGEST)
        if not accepted:
            raise StateError("the unchanged world is refused", use_case.name, refusal)
        training = self._train(0, "", "the first release")
        if not training.promoted:
            raise StateError(
                f"the first release is not promoted: {training.code}: {training.message}",
                use_case.name,
                "raise the scenario's `trials` or `rows_per_day`, or look at the use case's gate",
            )
        first = Day(0, 0.0, True, training.version or 0, True, "", 0, 0, training=training)
        self.days.append(first)

    def _live(self, number: int) -> Day:
        """One day: the endpoint is asked; in the night after it the file comes, and in the morning the checks run."""
        place, world = self.place, self.world
        use_case, scenario = world.use_case, world.scenario
        midnight, next_midnight = _midnight(number), _midnight(number + 1)
        release = self._champion()
        asked = answers.log(place.warehouse, use_case, release.bundle, release.version, world.asked(number), midnight)
        labelled = self._label(number - scenario.label_delay_days, next_midnight)
        accepted, refusal = stages.ingest(place, use_case, world.extract(number + 1), next_midnight + INGEST)
        found = checks.check(place, use_case, release, _run_id("monitor", number), next_midnight + MONITOR)
        day = Day(
            number=number,
            strength=max((change.strength(number) for change in scenario.changes), default=0.0),
            unchanged=scenario.unchanged(number, use_case.monitoring.performance.days),
            version=release.version,
            accepted=accepted,
            refusal=refusal,
            asked=asked,
            labelled=labelled,
            checks=found.checks,
            columns=found.columns,
            drifted_share=found.drifted_share,
            metrics=found.metrics,
        )
        for kind, check in found.checks.items():
            if check.response == "retrain":
                return replace(day, training=self._train(number, kind, check.reason))
        return day

    def _train(self, number: int, breach: str, reason: str) -> Training:
        """Train, judge, and deploy what passes; where nothing can be made, say why."""
        place, use_case = self.place, self.world.use_case
        before = self._champion() if self.releases else None
        try:
            made = stages.train(place, use_case, self.world.scenario.trials, reason)
        except DataError as error:
            return Training(breach, reason, None, error.code, str(error))
        self.releases.append(made)
        try:
            decided = stages.promote(place, use_case, made, before, _run_id("promote", number))
        except SluiceError as error:
            # As in the promotion's DAG: what could not be told is not promoted.
            return Training(breach, reason, made.version, f"undecided:{error.code}", str(error))
        return Training(breach, reason, made.version, decided.code, decided.message)

    def _champion(self) -> Release:
        use_case = self.world.use_case
        found = stages.champion(self.place, use_case, tuple(self.releases))
        if found is None:
            raise StateError(f"{use_case.name} has no champion", "the replay's registry", "see why it was not promoted")
        return found

    def _label(self, number: int, known: datetime) -> int:
        """The labels of a day's predictions, where there were any."""
        if number < 1:
            return 0
        rows = self.world.asked(number)
        return answers.label(self.place.warehouse, self.world.use_case, rows, _midnight(number), known)

    def _look_back(self, last: int) -> None:
        """Let the labels arrive that are still due, and compare every day with what was realised."""
        delay = self.world.scenario.label_delay_days
        for number in range(last - delay + 1, last + 1):
            self._label(number, _midnight(number + delay + 1))
        releases = {release.version: release for release in self.releases}
        for place, day in enumerate(self.days):
            if day.measured("estimated") is not None:
                morning = _midnight(day.number + 1) + MONITOR
                found = checks.realised(self.place, self.world.use_case, releases[day.version], morning)
                self.days[place] = replace(day, hindsight=found)


def _midnight(number: int) -> datetime:
    return EPOCH + timedelta(days=number)


def _run_id(stage: str, number: int) -> str:
    return f"replay__{stage}__day_{number:03d}"
