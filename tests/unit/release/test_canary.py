"""A canary takes over share by share, is withdrawn by what speaks against it, and survives being left in the middle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pytest

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import SHARE_TAG, Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import StateError
from sluice.domain.policy import Canary
from sluice.domain.use_case import UseCase
from sluice.release import canary, deployments, watch
from tests.bentos.servers import Mlflow, free_port
from tests.unit.conftest import MakeBundle
from tests.unit.release import scenes
from tests.unit.release.scenes import POLICY, Scene

SHADOW = POLICY.model_copy(update={"shadow_minutes": 5.0})
EVEN = [float(value) for value in np.linspace(0.0, 1.0, 200)]
LATER = timedelta(minutes=6)
EARLIER = timedelta(minutes=10)


@dataclass(frozen=True)
class Behaviour:
    """How a challenger behaves beside its champion.

    Attributes:
        failing: Share of the requests that it cannot answer.
        slowdown: How many times as long it takes.
        shift: How much higher its predictions rank on average.
    """

    failing: float = 0.0
    slowdown: float = 1.0
    shift: float = 0.0


@pytest.fixture(scope="module")
def tracking(registry: Mlflow) -> Tracking:
    return Tracking(registry.url)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    return ObjectStore(tmp_path_factory.mktemp("store").as_uri())


@pytest.fixture(scope="module")
def bundles(make_bundle: MakeBundle) -> tuple[scenes.Bundle, scenes.Bundle]:
    return scenes.spread(make_bundle(1.0)), scenes.spread(make_bundle(1.01))


@pytest.fixture
def scene(
    warehouse: Warehouse, tracking: Tracking, store: ObjectStore, bundles: tuple[scenes.Bundle, scenes.Bundle]
) -> Scene:
    return scenes.scene(warehouse, tracking, store, *bundles)


def test_it_begins_with_the_first_share_and_the_ledger_knows(scene: Scene) -> None:
    rollout = scene.begin()

    assert (rollout.state, rollout.step, rollout.share) == ("running", 0, 0.2)
    assert (scene.alias("champion"), scene.alias("challenger"), scene.tag()) == (1, 2, "0.2")
    assert scene.ledger()[-1] == ("canary", 2, 0.2, "gate")


def test_with_a_shadow_it_begins_with_none(scene: Scene) -> None:
    rollout = scene.begin(SHADOW)

    assert (rollout.step, rollout.share, scene.tag()) == (-1, 0.0, "0.0")
    assert scene.ledger()[-1] == ("canary", 2, 0.0, "gate")


def test_beginning_again_finishes_what_a_crash_left_and_changes_nothing_else(scene: Scene) -> None:
    order = scene.order()
    first = scene.begin(order=order)
    scene.tracking.unpoint(scene.use_case, "challenger")
    scene.tracking.tag(scene.use_case, 2, SHARE_TAG, "0.9")

    again = scene.begin(order=order)

    assert again == first
    assert (scene.alias("challenger"), scene.tag()) == (2, "0.2")
    assert [move[0] for move in scene.ledger()] == ["promote", "canary"]


def test_a_champion_that_changed_before_stops_it(scene: Scene) -> None:
    order = scene.order(version=2, champion=7)

    with pytest.raises(StateError, match="version 1 is champion"):
        scene.begin(order=order)

    assert canary.newest(scene.warehouse, scene.use_case) is None
    assert scene.alias("challenger") is None


def test_another_one_cannot_begin_while_one_runs(scene: Scene, bundles: tuple[scenes.Bundle, scenes.Bundle]) -> None:
    scene.begin()
    scene.publish(bundles[1])

    with pytest.raises(StateError, match=r"canary of version 2 .* runs at 20%.*_rollback"):
        scene.begin(order=scene.order(version=3))

    assert scene.alias("challenger") == 2
    canary.withdraw(scene.warehouse, scene.tracking, scene.use_case, "ana", "make room")
    assert scene.begin(order=scene.order(version=3)).version == 3


def test_withdrawing_gives_the_champion_everything_again(scene: Scene) -> None:
    order = scene.order()
    scene.begin(order=order)

    assert canary.withdraw(scene.warehouse, scene.tracking, scene.use_case, "ana", "wrong prices")
    assert not canary.withdraw(scene.warehouse, scene.tracking, scene.use_case, "ana", "wrong prices")

    assert (scene.alias("champion"), scene.alias("challenger")) == (1, None)
    ended = scene.rollout()
    assert (ended.state, ended.reason) == ("withdrawn", "wrong prices")
    assert canary.withdrawn_by(scene.warehouse, ended) == "ana"
    assert scene.ledger()[1:] == [("canary", 2, 0.2, "gate"), ("withdraw", 2, 0.0, "ana")]
    assert scene.look().code == "over"
    with pytest.raises(StateError, match="has ended: wrong prices"):
        scene.begin(order=order)


def test_withdrawing_takes_away_a_challenger_that_no_ledger_knows(scene: Scene) -> None:
    scene.tracking.point(scene.use_case, "challenger", 2)

    assert not canary.withdraw(scene.warehouse, scene.tracking, scene.use_case, "ana", "who is that?")

    assert scene.alias("challenger") is None


def test_two_watchers_advance_once(scene: Scene) -> None:
    rollout = scene.begin()

    for _ in range(2):
        canary.advance(scene.warehouse, scene.tracking, rollout, "enough was seen")

    assert (scene.rollout().step, scene.tag()) == (1, "0.5")
    assert [move[2] for move in scene.ledger()] == [1, 0.2, 0.5]


def test_a_share_that_a_crash_left_behind_is_set_at_the_next_look(scene: Scene) -> None:
    scene.begin()
    scene.tracking.tag(scene.use_case, 2, SHARE_TAG, "0.9")

    scene.pursue()

    assert scene.tag() == "0.2"


def test_promoting_makes_it_the_champion_once(scene: Scene) -> None:
    rollout = scene.begin()

    first, again = (
        canary.promote(scene.warehouse, scene.tracking, scene.store, rollout, "nothing against it") for _ in range(2)
    )

    assert first == again
    assert (scene.alias("champion"), scene.alias("challenger")) == (2, None)
    assert scene.rollout().state == "promoted"
    assert scene.ledger()[-1] == ("promote", 2, 1, "canary")
    assert deployments.deployed(scene.warehouse, scene.use_case) == 2


def test_what_was_withdrawn_while_it_was_concluded_is_not_promoted(scene: Scene) -> None:
    rollout = scene.begin()
    canary.withdraw(scene.warehouse, scene.tracking, scene.use_case, "ana", "wrong prices")

    with pytest.raises(StateError, match="another move has undone"):
        canary.promote(scene.warehouse, scene.tracking, scene.store, rollout, "nothing speaks against it")

    assert scene.alias("champion") == 1
    assert [move[0] for move in scene.ledger()] == ["promote", "canary", "withdraw"]


def test_a_promotion_that_crashed_half_way_is_finished(scene: Scene) -> None:
    rollout = scene.begin()
    scene.tracking.point(scene.use_case, "champion", 2)

    assert scene.look().code == "promote"
    canary.promote(scene.warehouse, scene.tracking, scene.store, rollout, "nothing against it")

    assert scene.rollout().state == "promoted"
    assert scene.ledger()[-1][:3] == ("promote", 2, 1)


def test_what_cannot_become_the_champion_is_withdrawn(
    scene: Scene, bundles: tuple[scenes.Bundle, scenes.Bundle]
) -> None:
    rollout = scene.begin()
    scene.publish(bundles[1])
    scene.tracking.point(scene.use_case, "champion", 3)

    with pytest.raises(StateError, match="became champion"):
        canary.promote(scene.warehouse, scene.tracking, scene.store, rollout, "nothing against it")

    assert (scene.alias("champion"), scene.alias("challenger")) == (3, None)
    assert scene.rollout().state == "withdrawn"


def test_a_step_ends_after_its_time_with_enough_requests_everywhere(scene: Scene) -> None:
    scene.answer("champion", EVEN, before=EARLIER)
    scene.begin()
    assert "290 s are left; 0 of 40 requests were answered" in scene.look().message
    scene.answer("challenger", EVEN[::4])
    scene.answer("champion", EVEN)
    scene.heartbeat(None, None, "loading")
    assert scene.look(LATER).message.endswith("not everywhere yet: here/1 (loading)")
    scene.heartbeat(2, 0.2)

    verdict = scene.pursue()

    assert verdict.code == "advance"
    assert verdict.message == "50 requests at 20%, and nothing speaks against it"
    assert (scene.rollout().step, scene.tag()) == (1, "0.5")
    scene.heartbeat(2, 0.2)
    assert "not everywhere yet" in scene.look(LATER).message


def test_while_nobody_can_tell_what_slow_is_it_goes_no_further(scene: Scene) -> None:
    scene.begin()
    scene.answer("challenger", EVEN)
    scene.answer("champion", EVEN[::4])

    verdict = scene.pursue(LATER)

    assert (verdict.code, scene.rollout().step) == ("wait", 0)
    assert "fewer than 100 requests" in verdict.message


def test_after_the_last_step_it_is_promoted(scene: Scene) -> None:
    scene.answer("champion", EVEN, before=EARLIER)
    canary.advance(scene.warehouse, scene.tracking, scene.begin(), "enough was seen")
    scene.heartbeat(2, 0.5)
    scene.answer("challenger", EVEN)
    scene.answer("champion", EVEN)

    assert scene.pursue(LATER).code == "promote"

    assert scene.alias("champion") == 1, "the promotion is for the one who asked"


def failing(scene: Scene) -> None:
    scene.answer("champion", EVEN)
    scene.fail("challenger", 6)


def slow(scene: Scene) -> None:
    scene.answer("challenger", EVEN[::10], latency_ms=25.0)
    scene.answer("champion", EVEN, latency_ms=9.0)


def shifted(scene: Scene) -> None:
    scene.answer("challenger", [0.9 + value / 10 for value in EVEN])
    scene.answer("champion", EVEN * 4)


def refused(scene: Scene) -> None:
    scene.heartbeat(2, None, "refused: version 2: parity: 1 of 2 golden rows come out wrong")


def for_other_code(scene: Scene) -> None:
    scene.heartbeat(2, None, "needs_new_image: version 2: needs runtime ffff")


def challenger_taken_away(scene: Scene) -> None:
    scene.tracking.unpoint(scene.use_case, "challenger")


def nobody_asks(scene: Scene) -> None:
    scene.clock += timedelta(hours=3)


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (failing, "failures"),
        (slow, "latency"),
        (shifted, "shift"),
        (refused, "refused"),
        (for_other_code, "runtime"),
        (challenger_taken_away, "challenger_changed"),
        (nobody_asks, "too_few_requests"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_speaks_against_it_withdraws_it(scene: Scene, happens: object, code: str) -> None:
    assert callable(happens)
    scene.answer("champion", EVEN, before=timedelta(minutes=10))
    scene.begin()
    happens(scene)

    verdict = scene.pursue()

    assert verdict.code == f"withdraw:{code}"
    assert (scene.alias("champion"), scene.alias("challenger")) == (1, None)
    assert scene.ledger()[-1] == ("withdraw", 2, 0.0, "canary")
    reason = scene.rollout().reason
    assert reason == f"{verdict.code}: {verdict.message}"


def test_a_champion_that_changed_meanwhile_withdraws_it(
    scene: Scene, bundles: tuple[scenes.Bundle, scenes.Bundle]
) -> None:
    scene.begin()
    scene.publish(bundles[1])
    scene.tracking.point(scene.use_case, "champion", 3)

    assert scene.pursue().code == "withdraw:champion_changed"

    assert (scene.alias("champion"), scene.alias("challenger")) == (3, None)


def test_the_same_of_the_champion_accuses_nobody(scene: Scene) -> None:
    scene.answer("champion", EVEN, before=timedelta(minutes=10))
    scene.begin()
    scene.answer("champion", EVEN, latency_ms=25.0)
    scene.answer("challenger", EVEN[::4], latency_ms=25.0)
    scene.fail("champion", 20)
    scene.fail("challenger", 5)

    assert scene.look().code == "wait"


def test_a_request_counts_once_however_many_rows_it_had(scene: Scene) -> None:
    scene.begin()
    scene.answer("challenger", EVEN, ids=["batch"] * len(EVEN))
    scene.answer("champion", EVEN)
    scene.look()

    [stage] = seen(scene).stages

    assert (stage.challenger.requests, stage.champion.requests) == (1, 200)
    assert stage.challenger.ranks == pytest.approx(0.5, abs=0.01)


def test_what_went_into_a_prediction_is_not_taken_apart_by_a_look(scene: Scene) -> None:
    spoil = "UPDATE serving.answers SET features = '0' WHERE use_case = %(name)s"
    scene.begin(SHADOW)
    ids = [f"pair-{number}" for number in range(50)]
    for role in ("champion", "shadow"):
        scene.answer(role, EVEN[:50], ids=ids)
    scene.warehouse.execute(spoil, {"name": scene.use_case})
    scene.look()
    canary.advance(scene.warehouse, scene.tracking, scene.rollout(), "enough was seen")
    scene.heartbeat(2, 0.2)
    scene.answer("challenger", EVEN[:20])
    scene.warehouse.execute(spoil, {"name": scene.use_case})
    scene.look()

    shadow, share = seen(scene).stages

    assert (shadow.challenger.requests, share.challenger.requests) == (50, 20)


def test_nothing_is_counted_twice_and_looks_survive_their_watcher(scene: Scene) -> None:
    scene.begin()
    for _ in range(3):
        scene.answer("challenger", EVEN[:10])
        scene.fail("challenger", 1)
        scene.look()
        # Right after one look there is nothing new.
        scene.look(timedelta())

    [stage] = seen(scene).stages

    assert (stage.challenger.requests, stage.challenger.failures) == (30, 3)


def test_what_the_champion_answered_for_a_failed_challenger_is_not_the_champions_pace(scene: Scene) -> None:
    scene.answer("champion", EVEN, before=timedelta(minutes=10))
    scene.begin()
    scene.answer("champion", EVEN[:5], latency_ms=900.0, ids=list("abcde"))
    scene.fail("challenger", 5, ids=list("abcde"))
    scene.look()

    [stage] = seen(scene).stages

    assert (stage.champion.requests, stage.champion.slow, stage.challenger.failures) == (0, 0, 5)


def test_in_shadow_the_same_requests_are_compared(scene: Scene) -> None:
    scene.answer("champion", EVEN, before=timedelta(minutes=10))
    scene.begin(SHADOW)
    ids = [f"pair-{number}" for number in range(200)]
    scene.answer("champion", EVEN, ids=ids, latency_ms=[25.0] * 100 + [10.0] * 100)
    scene.answer("shadow", EVEN[50:], ids=ids[50:], latency_ms=25.0)
    scene.fail("shadow", 50, ids=ids[:50])
    assert scene.pursue().code == "withdraw:failures"

    [stage] = seen(scene).stages

    assert (stage.step, stage.challenger.requests, stage.champion.requests) == (-1, 150, 150)
    assert (stage.challenger.failures, stage.champion.failures) == (50, 0)
    assert (stage.challenger.slow, stage.champion.slow) == (100, 0)


def test_after_the_shadow_comes_the_first_share(scene: Scene) -> None:
    scene.answer("champion", EVEN, before=EARLIER)
    scene.begin(SHADOW)
    ids = [f"pair-{number}" for number in range(200)]
    scene.answer("champion", EVEN, ids=ids)
    scene.answer("shadow", EVEN, ids=ids)

    assert scene.pursue(LATER).code == "advance"

    assert (scene.rollout().share, scene.tag()) == (0.2, "0.2")


def test_where_nobody_asked_before_slow_is_told_from_the_canarys_own_requests(scene: Scene) -> None:
    assert scene.begin().yardstick.slow_ms is None
    scene.answer("champion", EVEN, latency_ms=[1 + 19 * value for value in EVEN])
    scene.look()
    scene.look()

    assert scene.rollout().yardstick.slow_ms == pytest.approx(19.05, abs=0.1)

    scene.answer("challenger", EVEN[::10], latency_ms=80.0)
    assert scene.look().code == "withdraw:latency"


@pytest.mark.parametrize("away", ["warehouse", "registry"])
def test_what_is_away_is_waited_for(scene: Scene, away: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    scene.answer("champion", EVEN, before=EARLIER)
    scene.begin()
    scene.answer("challenger", EVEN)
    scene.answer("champion", EVEN)
    there = scene.warehouse, scene.tracking
    if away == "warehouse":
        scene.warehouse = replace(scene.warehouse, dsn=f"postgresql://nobody@127.0.0.1:{free_port()}/nowhere")
    else:
        scene.tracking = Tracking(f"http://127.0.0.1:{free_port()}")

    verdict = scene.pursue(LATER)

    assert verdict.code == "wait"
    assert verdict.message.startswith("could not tell")
    scene.warehouse, scene.tracking = there
    assert scene.rollout().step == 0
    assert scene.pursue().code == "advance"


def test_of_classes_the_probability_is_ranked(
    warehouse: Warehouse, tracking: Tracking, store: ObjectStore, loans: UseCase, make_classifier: MakeBundle
) -> None:
    made = [scenes.spread(make_classifier(loans, weights), "income") for weights in ((0.0, 4.0), (0.0, 4.1))]
    classes = scenes.scene(warehouse, tracking, store, *made)
    rollout = classes.begin()
    assert rollout.yardstick.positive == "repaid"
    assert 0.45 < rollout.yardstick.edges[0] < 0.55
    assert rollout.yardstick.edges[-1] > 0.95
    classes.answer("champion", [0.5 + value / 2 for value in EVEN] * 4, label="repaid")
    classes.answer("challenger", [0.1] * 200, label="lost")

    assert classes.look().code == "withdraw:shift"


def seen(scene: Scene) -> watch.Seen:
    """What the last look saw."""
    [row] = scene.warehouse.rows(
        scene.warehouse.statement("release/canary_last_look"), {"canary_id": scene.rollout().canary_id}
    )
    return watch.Seen.model_validate_json(row["seen"])


#: Shorter than any real one, so that many can be watched.
QUICK = Canary(steps=(0.2, 0.5), step_minutes=2, min_requests=60)
#: As bad as it may be and still be called healthy: the champion's own failures, nearly twice its pace, nearly shifted.
HEALTHY = Behaviour(failing=0.05, slowdown=1.9, shift=0.09)


@pytest.mark.parametrize(
    "canaries", [3, pytest.param(200, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])], ids=lambda n: f"{n}"
)
def test_healthy_canaries_that_are_watched_all_the_time_are_seldom_withdrawn(scene: Scene, canaries: int) -> None:
    ends = [simulated(scene, HEALTHY, seed) for seed in range(canaries)]

    assert {end for end in ends if not end.startswith("withdraw:")} == {"promote"}
    withdrawn = sum(end.startswith("withdraw:") for end in ends)
    print(f"{withdrawn} of {canaries} healthy canaries were withdrawn, {QUICK.false_alarm:.0%} may be")
    assert withdrawn <= canaries * QUICK.false_alarm


@pytest.mark.parametrize(
    ("behaviour", "charge"),
    [
        (Behaviour(failing=0.3), "failures"),
        (Behaviour(slowdown=6.0), "latency"),
        (Behaviour(shift=0.49), "shift"),
    ],
    ids=["failing", "slow", "shifted"],
)
def test_faulty_canaries_are_all_withdrawn(scene: Scene, behaviour: Behaviour, charge: str) -> None:
    assert [simulated(scene, behaviour, seed) for seed in range(3)] == [f"withdraw:{charge}"] * 3


def simulated(scene: Scene, behaviour: Behaviour, seed: int) -> str:
    """How a canary ends that 20 requests come to every ten seconds, each time looked at."""
    draws = np.random.default_rng(seed)
    scene.forget()
    scene.answer("champion", EVEN, latency_ms=as_floats(pace(draws, 200)), before=timedelta(minutes=10))
    rollout = scene.begin(QUICK)
    while True:
        asked = draws.random(20) < rollout.share
        for role, requests in (("champion", ~asked), ("challenger", asked)):
            acting = behaviour if role == "challenger" else Behaviour(failing=HEALTHY.failing)
            failed = int((draws.random(int(requests.sum())) < acting.failing).sum())
            answered = int(requests.sum()) - failed
            values = (1 - 2 * abs(acting.shift)) * draws.random(answered) + abs(acting.shift) + acting.shift
            scene.answer(role, as_floats(values), latency_ms=as_floats(acting.slowdown * pace(draws, answered)))
            if failed:
                scene.fail(role, failed)
        scene.heartbeat(2, rollout.share)
        verdict = scene.pursue()
        if verdict.code == "promote":
            canary.withdraw(scene.warehouse, scene.tracking, scene.use_case, "test", "so that the next can begin")
        if verdict.code not in ("wait", "advance"):
            return verdict.code
        rollout = scene.rollout()


def pace(draws: np.random.Generator, requests: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """How long requests take, in milliseconds: some of them much longer than most."""
    return draws.lognormal(1.0, 0.8, requests)


def as_floats(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    return [float(value) for value in values]
