"""The tests of a canary hold however often one looks, and tell soon what is plainly worse."""

import math

import numpy as np
import pytest

from sluice.release.sequential import Sample, Tally, distance, radius, suspicion

ALPHA = 0.05
#: A canary's part of it for one charge.
LIMIT = math.log(3 / ALPHA)


@pytest.mark.parametrize(("share", "enough"), [(0.1, 3), (0.5, 12)], ids=["a tenth", "half"])
def test_failures_of_the_challenger_alone_are_told_after_a_few(share: float, enough: int) -> None:
    assert suspicion([Tally(share, enough, 0)]) > LIMIT
    assert suspicion([Tally(share, 1, 0)]) < LIMIT


def test_failures_that_keep_to_the_share_accuse_nobody() -> None:
    assert suspicion([Tally(0.1, 100, 900), Tally(0.5, 200, 200)]) < 0


def test_each_share_is_judged_by_itself() -> None:
    # A third of all failures while it had two thirds of the traffic, then the reverse: neither is suspicious alone.
    assert suspicion([Tally(0.9, 60, 6), Tally(0.1, 1, 9)]) < LIMIT
    assert suspicion([Tally(0.5, 61, 15)]) > LIMIT


def test_a_healthy_challenger_that_is_watched_at_every_event_is_seldom_accused() -> None:
    draws = np.random.default_rng(0)
    alarms = 0
    for _ in range(300):
        tallies = [Tally(0.1, 0, 0), Tally(0.5, 0, 0)]
        for step, share in ((0, 0.1), (1, 0.5)):
            for hit in draws.random(200) < share:
                seen = tallies[step]
                tallies[step] = Tally(share, seen.challenger + hit, seen.champion + (not hit))
                if suspicion(tallies) >= math.log(1 / ALPHA):
                    alarms += 1
                    break
            else:
                continue
            break

    assert alarms <= 300 * ALPHA


def test_means_are_said_to_differ_by_no_more_than_they_do_at_any_moment() -> None:
    draws = np.random.default_rng(0)
    size = np.arange(1, 2001)
    far = 0
    for _ in range(300):
        # As spread as values between 0 and 1 can be.
        totals = [np.cumsum(draws.random(2000) < mean) for mean in (0.45, 0.55)]
        gaps = [
            distance(*(Sample(int(n), float(total[n - 1])) for total in totals), alpha=ALPHA, tuned=200)
            for n in size[::20]
        ]
        far += max(gaps) > 0.1

    assert far <= 300 * ALPHA


def test_a_large_shift_is_told_within_the_fewest_requests_of_a_step() -> None:
    assert distance(Sample(200, 190.0), Sample(1800, 900.0), alpha=ALPHA / 9, tuned=200) > 0.2
    assert distance(Sample(200, 104.0), Sample(1800, 900.0), alpha=ALPHA / 9, tuned=200) == 0


@pytest.mark.parametrize(("sizes", "doubt"), [((200, 1800), 0.19), ((1000, 9000), 0.09)], ids=["few", "many"])
def test_the_doubt_about_two_means_is_what_the_runbook_says(sizes: tuple[int, int], doubt: float) -> None:
    # A third of five percent for this charge, of that a third for each of shadow and two steps.
    apart = distance(*(Sample(size, total) for size, total in zip(sizes, (sizes[0], 0), strict=True)), ALPHA / 9, 200)

    assert 1 - apart == pytest.approx(doubt, abs=0.005)


def test_nothing_is_said_of_what_was_not_seen() -> None:
    assert suspicion([]) == suspicion([Tally(0.1, 0, 0)]) == 0
    assert distance(Sample(0, 0.0), Sample(1000, 900.0), alpha=ALPHA, tuned=200) == 0


def test_the_interval_is_narrowest_for_its_alpha_where_it_is_tuned() -> None:
    assert radius(200, ALPHA, tuned=200) < min(radius(200, ALPHA, tuned=tuned) for tuned in (20, 5000))
    assert radius(2000, ALPHA, tuned=200) < radius(200, ALPHA, tuned=200) < radius(200, ALPHA / 100, tuned=200)
