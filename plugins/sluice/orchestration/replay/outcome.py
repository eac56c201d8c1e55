"""The outcome: what a scenario expected, beside what its replay showed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from sluice.orchestration.replay.record import Day, Training
from sluice.orchestration.replay.scenario import Scenario


@dataclass(frozen=True)
class Expectation:
    """One thing that the replay must show.

    Attributes:
        what: In words.
        found: What it showed.
        met: Whether that is enough.
    """

    what: str
    found: str
    met: bool


def judge(
    scenario: Scenario, days: tuple[Day, ...], retrainings: tuple[tuple[int, Training], ...], cool_down_days: float
) -> tuple[Expectation, ...]:
    """Compare what was expected with what was seen.

    Args:
        scenario: What was expected.
        days: What was seen.
        retrainings: Day and training, without that of the first release.
        cool_down_days: After a training no other must follow for so long.
    """
    judged = [_false_alarms(scenario, days), *_found(scenario, days), _retrained(scenario, retrainings)]
    judged += _rested(retrainings, cool_down_days)
    if scenario.expected.retrainings[0]:
        decided = sum(training.decided for _, training in retrainings)
        found = f"{decided} of {len(retrainings)}"
        judged.append(Expectation("each of them decided by the gate", found, decided == len(retrainings) > 0))
    promoted = sum(training.promoted for _, training in retrainings)
    if scenario.expected.promotions:
        what = f"at least {scenario.expected.promotions} of them let through by the gate"
        judged.append(Expectation(what, str(promoted), promoted >= scenario.expected.promotions))
    return (*judged, *_estimated(scenario, days))


def found_on(scenario: Scenario, days: tuple[Day, ...]) -> int | None:
    """The day on which the expected check first called for something, from the first change on."""
    breach, first = scenario.expected.breach, scenario.first_day
    if breach is None or first is None:
        return None
    return next((day.number for day in days if day.number >= first and breach in day.alarms), None)


def _false_alarms(scenario: Scenario, days: tuple[Day, ...]) -> Expectation:
    quiet = [day for day in days if day.unchanged]
    false = [day for day in quiet if day.alarms]
    rate = len(false) / len(quiet) if quiet else 0.0
    most = scenario.expected.false_alarm_rate
    named = "".join(f", on day {day.number} by {' and '.join(day.alarms)}" for day in false[:3])
    return Expectation(
        f"alarms on at most {most:.0%} of the days without any change",
        f"{len(false)} of {len(quiet)}{named}",
        rate <= most,
    )


def _found(scenario: Scenario, days: tuple[Day, ...]) -> list[Expectation]:
    breach, within, first = scenario.expected.breach, scenario.expected.found_within_days, scenario.first_day
    if breach is None or within is None or first is None:
        return []
    day = found_on(scenario, days)
    what = f"found by the {breach} check within {within} day{'s' if within > 1 else ''}"
    if day is None:
        return [Expectation(what, "never", met=False)]
    took = day - first + 1
    return [Expectation(what, f"on day {day}, after {took} day{'s' if took > 1 else ''}", took <= within)]


def _retrained(scenario: Scenario, retrainings: tuple[tuple[int, Training], ...]) -> Expectation:
    least, most = scenario.expected.retrainings
    count = f"{least} to {most}" if least != most else "no" if not most else f"{most}"
    what = f"{count} training{'s' if most > 1 else ''}"
    days = ", ".join(f"day {day}" for day, _ in retrainings)
    return Expectation(what, f"{len(retrainings)}{f' ({days})' if days else ''}", least <= len(retrainings) <= most)


def _rested(retrainings: tuple[tuple[int, Training], ...], cool_down_days: float) -> list[Expectation]:
    between = [after - before for (before, _), (after, _) in pairwise(retrainings)]
    if not between:
        return []
    what = f"at least {cool_down_days:g} days from one training to the next"
    return [Expectation(what, str(min(between)), min(between) >= cool_down_days)]


def _estimated(scenario: Scenario, days: tuple[Day, ...]) -> list[Expectation]:
    until = scenario.expected.estimates_until_day
    told = [d.estimate_holds for d in days if d.estimate_holds is not None and (until is None or d.number <= until)]
    share = scenario.expected.estimates_within
    what = f"estimates without labels hold on at least {share:.0%} of the days"
    what += f" until day {until}" if until is not None else ""
    if not told:
        return [Expectation(what, "there was none to compare", met=False)] if share else []
    return [Expectation(what, f"{sum(told)} of {len(told)}", sum(told) / len(told) >= share)]
