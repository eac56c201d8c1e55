"""What is told, and what is only seen: a restart is nobody's news, and one cause speaks for what it brings with it."""

from __future__ import annotations

from sluice.domain.alert import Alert
from watcher.confirmation import Confirmation, Verdict
from watcher.sight import Look, Seen, Sight, Unseen, off

WELL = Seen()


def alert(cause: str) -> Alert:
    return Alert(cause=cause, use_case="platform", stage="airflow", kind="scheduler_down", headline=cause)


def bad(*causes: str) -> Seen:
    return Seen(tuple(alert(cause) for cause in causes))


def look(
    name: str,
    *,
    causes: str = "",
    after: tuple[str, ...] = (),
    patience: float | None = None,
    starts: bool = True,
    others: frozenset[str] = frozenset(),
) -> Look:
    return Look(name, causes or name, lambda: WELL, after, patience, starts, others)


class Story:
    """Rounds ten seconds apart, of looks that are patient for a minute and may take five to start."""

    def __init__(self, *looks: Look) -> None:
        self.judge = Confirmation(looks, patience=60, start=300, began=0)
        self.now = 0.0
        self.told: list[str] = []

    def round(self, **sights: Sight) -> Verdict:
        verdict = self.judge.judge(sights, self.told, self.now)
        self.now += 10
        self.told = [c for c in self.told if c not in verdict.healed] + [each.alert.cause for each in verdict.bad]
        return verdict

    def rounds(self, count: int, **sights: Sight) -> list[str]:
        """The causes that were told in so many rounds."""
        return [each.alert.cause for _ in range(count) for each in self.round(**sights).bad]


def test_what_was_away_for_less_than_a_minute_is_not_told() -> None:
    story = Story(look("mlflow"))
    story.round(mlflow=WELL)

    assert story.rounds(6, mlflow=bad("mlflow")) == []
    assert story.rounds(6, mlflow=WELL) == []


def test_what_is_away_for_a_minute_is_told_once_and_since_when() -> None:
    story = Story(look("mlflow"))
    story.round(mlflow=WELL)
    story.rounds(6, mlflow=bad("mlflow"))

    [told] = story.round(mlflow=bad("mlflow")).bad
    later = story.rounds(100, mlflow=bad("mlflow"))

    assert told.alert.cause == "mlflow"
    assert told.age == 60
    assert later == []


def test_each_restart_is_counted_by_itself() -> None:
    story = Story(look("mlflow"))
    story.round(mlflow=WELL)

    for _ in range(5):
        assert story.rounds(5, mlflow=bad("mlflow")) == []
        assert story.rounds(1, mlflow=WELL) == []


def test_it_has_healed_when_it_was_seen_well_twice() -> None:
    story = Story(look("mlflow"))
    story.round(mlflow=WELL)
    story.rounds(7, mlflow=bad("mlflow"))

    first = story.round(mlflow=WELL).healed
    relapse = story.round(mlflow=bad("mlflow")).healed
    again, second = story.round(mlflow=WELL).healed, story.round(mlflow=WELL).healed

    assert (first, relapse, again, second) == ((), (), (), ("mlflow",))


def test_what_needs_no_patience_is_told_at_second_sight() -> None:
    story = Story(look("disk", causes="disk:", patience=0, starts=False))

    assert story.round(disk=bad("disk:/a")).bad == ()
    assert [each.alert.cause for each in story.round(disk=bad("disk:/a")).bad] == ["disk:/a"]


def test_a_program_that_was_never_seen_well_may_still_be_starting() -> None:
    story = Story(look("mlflow"))

    assert story.rounds(30, mlflow=bad("mlflow")) == []
    assert story.rounds(1, mlflow=bad("mlflow")) == ["mlflow"]


def test_what_something_else_explains_is_not_told_and_not_for_a_while_after_that() -> None:
    story = Story(look("warehouse"), look("scheduler", after=("warehouse",), patience=0))
    story.round(warehouse=WELL, scheduler=WELL)

    away = story.rounds(30, warehouse=bad("warehouse"), scheduler=bad("scheduler"))
    back = story.rounds(8, warehouse=WELL, scheduler=bad("scheduler"))
    left = story.rounds(2, warehouse=WELL, scheduler=bad("scheduler"))

    assert away == ["warehouse"]
    assert back == []
    assert left == ["scheduler"]


def test_who_is_silent_for_another_s_sake_is_named() -> None:
    story = Story(look("warehouse"), look("airflow", after=("warehouse",)), look("scheduler", after=("airflow",)))

    verdict = story.round(warehouse=bad("warehouse"), airflow=WELL, scheduler=bad("scheduler"))

    assert verdict.silent == {"airflow", "scheduler"}


def test_not_to_know_is_neither_bad_nor_healed() -> None:
    story = Story(look("scheduler", patience=0))
    story.round(scheduler=WELL)
    unknown = story.rounds(50, scheduler=Unseen("the API server does not say"))
    story.rounds(2, scheduler=bad("scheduler"))

    healed = [story.round(scheduler=Unseen("the API server does not say")).healed for _ in range(50)]

    assert unknown == []
    assert set(healed) == {()}


def test_what_is_not_asked_explains_nothing() -> None:
    logged_in = off("logins", "logins", "no login")
    story = Story(logged_in, look("mlflow", after=("logins",)))
    story.round(logins=logged_in.ask(), mlflow=WELL)

    assert story.rounds(7, logins=logged_in.ask(), mlflow=bad("mlflow")) == ["mlflow"]


def test_of_many_causes_each_is_told_and_heals_by_itself() -> None:
    story = Story(look("runs", causes="deadline:", patience=0))
    story.round(runs=WELL)

    story.rounds(2, runs=bad("deadline:a"))
    both = story.rounds(2, runs=bad("deadline:a", "deadline:b"))
    story.round(runs=bad("deadline:b"))
    healed = story.round(runs=bad("deadline:b")).healed

    assert both == ["deadline:b"]
    assert healed == ("deadline:a",)


def test_what_one_look_asks_by_name_is_no_business_of_the_one_that_sees_all_others() -> None:
    asked = look("housing", causes="serving:housing")
    story = Story(asked, look("beats", causes="serving:", others=frozenset({"serving:housing"})))
    story.round(housing=WELL, beats=WELL)

    told = story.rounds(7, housing=bad("serving:housing"), beats=WELL)
    later = story.rounds(7, housing=bad("serving:housing"), beats=bad("serving:loan"))

    assert told == ["serving:housing"]
    assert later == ["serving:loan"]
    assert story.round(housing=bad("serving:housing"), beats=WELL).healed == ()


def test_what_was_not_asked_in_a_round_stays_as_it_was() -> None:
    story = Story(look("warehouse"), look("runs", causes="deadline:", patience=0, starts=False))
    story.round(warehouse=WELL, runs=bad("deadline:a"))

    between = story.rounds(5, warehouse=WELL)
    told = story.rounds(1, warehouse=WELL, runs=bad("deadline:a"))

    assert between == []
    assert told == ["deadline:a"]
