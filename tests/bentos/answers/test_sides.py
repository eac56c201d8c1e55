"""Which release answers while two do, and what becomes of a request that the challenger cannot answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from tabular.answers import sides
from tabular.answers.desk import Call, Desk
from tabular.answers.forms import BATCH
from tabular.answers.shadow import Shadow
from tabular.answers.sides import Reply
from tabular.problem import ProblemError
from tabular.record.entries import Entry, Failure, Record
from tabular.releases import bundle
from tabular.releases.standing import Challenger, Release, Standing
from tabular.watching.metrics import Metrics
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe
from tests.bentos.servers import eventually

RICH = EXAMPLE | {"income": 16.0}
MakeRelease = Callable[[int, Recipe], Release]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> MakeRelease:
    def make(version: int, recipe: Recipe) -> Release:
        folder = bundles.write(tmp_path_factory.mktemp("bundle"), recipe)
        loaded = bundle.load(folder, USE_CASE, recipe.runtime_sha256)
        return Release(version, "registry", loaded, datetime.now(UTC))

    return make


@dataclass
class Office:
    """A desk, and what was noted there."""

    noted: list[Record] = field(default_factory=list)
    series: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.desk = Desk(USE_CASE, "r" * 64, Standing, self.noted.append, Metrics(USE_CASE, self.series))

    def count(self, name: str, **labels: str) -> float:
        """The value of a counter."""
        return self.series.get_sample_value(name, {"use_case": USE_CASE, **labels}) or 0.0


@pytest.fixture
def office() -> Office:
    return Office()


def call(*instances: dict[str, object], key: str = "k") -> Call:
    now = time.perf_counter()
    return Call(json.dumps({"instances": instances}).encode(), BATCH, uuid4().hex, key, now, now)


def ask(office: Office, champion: Release, challenger: Release, given: Call) -> Reply:
    """Ask a challenger that has all of the traffic."""
    return sides.answer(office.desk, champion, Challenger(challenger, 1.0), given)


def test_keys_are_spread_evenly_and_each_challenger_shuffles_them_anew() -> None:
    keys = [uuid4().hex for _ in range(4000)]
    low = {version: {key for key in keys if sides.place(USE_CASE, version, key) < 0.25} for version in (2, 3)}
    assert len(low[2]) == pytest.approx(1000, abs=120)
    assert len(low[2] & low[3]) == pytest.approx(250, abs=80)


def test_no_key_goes_back_while_the_share_grows(office: Office, release: MakeRelease) -> None:
    champion, rival = release(1, Recipe(base=50)), release(2, Recipe(base=60))
    calls = [call(EXAMPLE, key=uuid4().hex) for _ in range(200)]
    taken: list[set[str]] = [
        {
            each.key
            for each in calls
            if sides.answer(office.desk, champion, Challenger(rival, share), each).version == rival.version
        }
        for share in (0.0, 0.1, 0.5, 1.0)
    ]
    assert [len(keys) for keys in taken] == sorted(len(keys) for keys in taken)
    assert taken[0] == set()
    assert taken[1] <= taken[2] <= taken[3] == {each.key for each in calls}


@pytest.mark.parametrize(
    ("faulty", "instances", "reason"),
    [
        (bundles.blind(Recipe()), [RICH], "no-prediction: 1 instances have no prediction"),
        (bundles.broken(Recipe()), [RICH], "failed: InvalidArgument"),
        (Recipe().with_limits(max_instances=1), [EXAMPLE, EXAMPLE], "too-many-instances: 2 instances"),
        (Recipe(nullable=()), [EXAMPLE | {"rooms": None}], "contract: instances[0].rooms is null"),
    ],
    ids=["no number", "a graph that fails", "a request that is too large", "a stricter contract"],
)
def test_what_a_challenger_cannot_answer_the_champion_does(
    office: Office, release: MakeRelease, faulty: Recipe, instances: list[dict[str, object]], reason: str
) -> None:
    champion, rival = release(1, Recipe(base=50)), release(2, faulty)
    given = call(*instances)
    reply = ask(office, champion, rival, given)
    answered, failed = office.noted
    assert (reply.version, json.loads(reply.content)["model_version"]) == (1, 1)
    assert isinstance(answered, Entry)
    assert isinstance(failed, Failure)
    assert (answered.request_id, answered.version, answered.role) == (given.request_id, 1, "champion")
    assert (failed.request_id, failed.version, failed.role) == (given.request_id, 2, "challenger")
    assert failed.reason.startswith(reason)
    assert office.count("pred_requests_total", version="2", outcome="failed_over") == 1


def test_what_both_refuse_is_the_callers_fault(office: Office, release: MakeRelease) -> None:
    champion, rival = release(1, Recipe()), release(2, Recipe().with_limits(max_instances=1))
    with pytest.raises(ProblemError, match=r"instances\[0\]\.income"):
        ask(office, champion, rival, call(EXAMPLE | {"income": "much"}))
    assert office.noted == []
    assert office.count("pred_requests_total", version="2", outcome="failed_over") == 0


def test_what_neither_can_answer_is_held_against_both(office: Office, release: MakeRelease) -> None:
    champion, rival = release(1, bundles.blind(Recipe())), release(2, bundles.broken(Recipe()))
    with pytest.raises(ProblemError) as caught:
        ask(office, champion, rival, call(RICH))
    assert caught.value.kind == "no-prediction"
    assert {(each.version, each.role) for each in office.noted} == {(1, "champion"), (2, "challenger")}


def test_a_champion_without_an_answer_is_noted_too(office: Office, release: MakeRelease) -> None:
    with pytest.raises(ProblemError, match="have no prediction"):
        sides.answer(office.desk, release(1, bundles.blind(Recipe())), None, call(RICH, EXAMPLE))
    (failed,) = office.noted
    assert isinstance(failed, Failure)
    assert (failed.role, failed.reason) == ("champion", "no-prediction: 1 instances have no prediction")


def test_the_champions_time_holds_nothing_of_a_challengers_attempt(office: Office, release: MakeRelease) -> None:
    champion, rival = release(1, Recipe()), release(2, bundles.blind(bundles.slow(Recipe(), toil=300)))
    given = call(RICH)
    ask(office, champion, rival, given)
    whole = (time.perf_counter() - given.started) * 1000
    answered = office.noted[0]
    assert isinstance(answered, Entry)
    assert whole > 100
    assert 0 < answered.latency_ms < whole / 3


def test_a_failures_reason_is_short_and_holds_nothing_that_a_database_cannot(
    office: Office, release: MakeRelease
) -> None:
    problem = ProblemError(422, "contract", "\x00\ud800\n" + "x" * 1000)
    office.desk.fail(release(1, Recipe()), "champion", "r", problem)
    (failed,) = office.noted
    assert isinstance(failed, Failure)
    assert failed.reason.startswith("contract:  \\ud800 xxx")
    assert len(failed.reason) == 200


def test_a_failures_reason_holds_nothing_of_a_request(office: Office, release: MakeRelease) -> None:
    office.desk.fail(release(1, Recipe()), "champion", "r", ValueError("could not convert 'Alice' to a number"))
    (failed,) = office.noted
    assert isinstance(failed, Failure)
    assert failed.reason == "failed: ValueError"


def test_a_shadow_that_fails_logs_nothing_of_a_request(release: MakeRelease, caplog: pytest.LogCaptureFixture) -> None:
    words = "could not convert 'Alice' to a number"

    def fail(_: Record) -> None:
        raise ValueError(words)

    shadow = Shadow(Desk(USE_CASE, "r" * 64, Standing, fail, Metrics(USE_CASE, CollectorRegistry())))
    shadow.offer(release(2, Recipe()), call(EXAMPLE))
    with caplog.at_level("ERROR", "bentoml.tabular"):
        shadow.start()
        eventually(lambda: "version 2 in shadow: ValueError" in caplog.text)
    shadow.stop()
    assert "in fail" in caplog.text
    assert "Alice" not in caplog.text


def test_a_shadow_answers_aside_and_what_it_has_no_time_for_is_dropped(office: Office, release: MakeRelease) -> None:
    rival = release(2, bundles.blind(bundles.slow(Recipe(), toil=10)))
    shadow = Shadow(office.desk, capacity=2)
    calls = [call(EXAMPLE), call(RICH), call(EXAMPLE)]
    for each in calls:
        shadow.offer(rival, each)
    shadow.start()
    good, bad = eventually(lambda: office.noted if len(office.noted) == 2 else None)
    shadow.stop()
    assert isinstance(good, Entry)
    assert isinstance(bad, Failure)
    assert [(each.request_id, each.version, each.role) for each in (good, bad)] == [
        (each.request_id, 2, "shadow") for each in calls[:2]
    ]
    assert good.latency_ms > 0
    outcomes = ("ok", "failed", "dropped")
    assert [office.count("shadow_scorings_total", version="2", outcome=each) for each in outcomes] == [1, 1, 1]
