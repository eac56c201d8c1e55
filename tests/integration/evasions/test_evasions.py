"""Ways to slip a bad model through. None is promoted, and each is told apart from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sluice.domain.contract import Interval
from sluice.domain.errors import StateError
from tests.integration.evasions.promotions import ADDS, House, Outcome, flats, grants, linear, logistic

Attempt = Callable[[House], Outcome]

#: Appended to the serving code: it ends where it is to serve its own bundle.
DEAD = """
if "SLUICE_BUNDLE" in os.environ:
    raise SystemExit("no")
"""
NOTHING = dict.fromkeys(ADDS, 0.0)
#: Appended to the serving code: every answer is off by a hundredth, and only then.
OTHERWISE = """
_honest = score


def score(release, call):
    scored = _honest(release, call)
    predictions = [prediction * 1.01 for prediction in scored.answers.predictions]
    return scored._replace(answers=scored.answers._replace(predictions=predictions))
"""
#: Appended to the serving code: what is wrong with a request is kept to itself.
WELCOMING = """
async def _welcome(self, exchange, problem):
    await exchange.respond(b'{"predictions": []}')


Application.tell = _welcome
"""


@dataclass(frozen=True)
class Evasion:
    """One way to cheat.

    Attributes:
        name: What is done.
        attempt: Does it, and says how the promotion ended.
        code: What the gate, or the error that stopped the run, must call it.
        words: What its message must say.
        of: The use case that it is done to.
    """

    name: str
    attempt: Attempt
    code: str
    words: str
    of: str = "rent"


def told(**options: Any) -> Attempt:
    """Promote a model that answers otherwise than it should."""
    return lambda house: house.promote(house.register(linear(**options)))


def among(rows: Callable[[], pd.DataFrame], **options: Any) -> Attempt:
    """Promote a sound model on rows that are not sound."""

    def attempt(house: House) -> Outcome:
        house.hold(rows())
        return house.promote(house.register(linear(**options)))

    return attempt


def overwritten(column: str, values: Callable[[pd.DataFrame], Any], part: str = "test") -> Callable[[], pd.DataFrame]:
    """The usual flats, with a column of one part made anew."""

    def rows() -> pd.DataFrame:
        frame = flats()
        chosen = frame["_part"] == part
        frame.loc[chosen, column] = values(frame[chosen])
        return frame

    return rows


def repeated() -> pd.DataFrame:
    """Held-out flats that are copies of flats to train on, under other identities."""
    frame = flats()
    names = ["area", "floor", "district", "rent"]
    train, test = frame[frame["_part"] == "train"], frame["_part"] == "test"
    frame.loc[test, names] = train[names].head(int(test.sum())).to_numpy()
    return frame


def alike() -> pd.DataFrame:
    """Held-out flats that bear the identities of flats to train on."""
    frame = flats()
    train, test = frame[frame["_part"] == "train"], frame["_part"] == "test"
    frame.loc[test, "_identity"] = train["_identity"].head(int(test.sum())).to_numpy()
    return frame


def unequal() -> pd.DataFrame:
    """Grants for which who owns a home earns more."""
    frame = grants()
    frame["income"] += np.where(frame["home"] == "own", 1.2, -1.2)
    generator = np.random.default_rng(9)
    repaid = generator.random(len(frame)) < 1 / (1 + np.exp(-2 * frame["income"]))
    return frame.assign(outcome=np.where(repaid, "repaid", "lost"))


def noiseless() -> pd.DataFrame:
    """Flats whose rent follows exactly, as when the target is computed from the inputs."""
    return flats(spread=0.0)


def told_by_the_area() -> pd.DataFrame:
    """Flats whose rent is little more than their area in other words."""
    frame = flats(spread=0.0)
    generator = np.random.default_rng(8)
    return frame.assign(rent=10 * frame["area"] + generator.normal(0, 15, len(frame)))


def told_by_the_district() -> pd.DataFrame:
    """Flats whose rent does not follow their area."""
    frame = flats(spread=0.0)
    generator = np.random.default_rng(8)
    return frame.assign(rent=frame["district"].map(ADDS) + generator.normal(0, 25, len(frame)))


def of_another_kind() -> pd.DataFrame:
    """Held-out flats that are larger than any that was trained on."""
    frame = flats()
    larger = np.where(frame["_part"] == "test", 70.0, 0.0)
    return frame.assign(area=frame["area"] + larger, rent=frame["rent"] + 10 * larger)


def by_heart(house: House) -> Outcome:
    """A model that is right about the rows it was trained on, and about others much less."""
    frame = flats(spread=0.0)
    generator = np.random.default_rng(8)
    noise = np.where(frame["_part"] == "test", generator.normal(0, 220, len(frame)), 0.0)
    house.demand({"thresholds": {"r2": {"min": 0.5}}, "slices": []})
    house.hold(frame.assign(rent=frame["rent"] + noise))
    return house.promote(house.register(linear()))


def misled(house: House) -> Outcome:
    house.hold(unequal())
    return house.promote(house.register(logistic()))


def overconfident(house: House) -> Outcome:
    return house.promote(house.register(logistic(40.0)))


def boastful(house: House) -> Outcome:
    interval = Interval(level=0.9, half_width=5.0, coverage=0.9)
    return house.promote(house.register(linear(), interval=interval))


def relabelled(house: House) -> Outcome:
    return house.promote(house.register(logistic(), labels=("repaid", "lost")))


def split_otherwise(house: House) -> Outcome:
    return house.promote(house.register(linear(), test_share=0.5))


def worse_than_the_champion(house: House) -> Outcome:
    house.crown(linear())
    return house.promote(house.register(linear(area=10.1)))


def the_champion_again(house: House) -> Outcome:
    house.crown(linear())
    return house.promote(house.register(linear()))


def champion_split_otherwise(house: House) -> Outcome:
    house.crown(linear(area=9.9), test_share=0.5)
    return house.promote(house.register(linear()))


def champion_lost(house: House) -> Outcome:
    house.crown(linear(area=9.9))
    house.tracking.unpoint(house.name, "champion")
    outcome = house.promote(house.register(linear()))
    house.tracking.point(house.name, "champion", house.crowned)
    return outcome


def champion_without_its_graph(house: House) -> Outcome:
    house.artifact(house.crown(linear(area=9.9)), "model.onnx").unlink()
    return house.promote(house.register(linear()))


def tampered_graph(house: House) -> Outcome:
    version = house.register(linear())
    file = house.artifact(version, "model.onnx")
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    return house.promote(version)


def sealed_anew(house: House) -> Outcome:
    """Another bundle, whole and consistent, in the place of the one that was registered."""
    version = house.register(linear(area=1.0))
    house.replace_bundle(version, linear())
    return house.promote(version)


def swapped_after_judging(house: House) -> Outcome:
    """Judged as one, built as another: the bundle and its tag are replaced while the run is under way."""
    version = house.register(linear())

    def swap(step: str, run_id: str) -> None:
        if step == "build_release":
            house.tracking.tag(house.name, version, "bundle_sha256", house.replace_bundle(version, linear(area=1.0)))

    return house.promote(version, before=swap)


def of_another_use_case(house: House) -> Outcome:
    return house.promote(house.register(linear(), use_case="elsewhere"))


def stale_evidence(house: House) -> Outcome:
    """The good evidence of an earlier version, slipped into the run of a bad one."""
    good, bad = house.register(linear()), house.register(linear(area=1.0))

    def stop(step: str, run_id: str) -> None:
        if step == "deploy":
            raise StateError("the run is stopped here, so that its evidence is left and nothing else")

    house.promote(good, before=stop)
    earlier = house.run_id

    def slip(step: str, run_id: str) -> None:
        if step == "decide_promotion":
            house.copy_evidence(earlier, run_id)

    return house.promote(bad, before=slip)


def marked_as_done(house: House) -> Outcome:
    """The judging is marked as successful by hand, and has never run."""
    return house.promote(house.register(linear(area=1.0)), marked={"judge_quality": True})


def servability_marked_as_done(house: House) -> Outcome:
    return house.promote(house.register(linear()), marked={"judge_servability": None})


def alias_moved_meanwhile(house: House) -> Outcome:
    """Somebody points the alias elsewhere by hand while the candidate is judged."""
    crowned = house.crown(linear(area=9.9))
    version, other = house.register(linear()), house.register(linear(area=9.95))

    def move(step: str, run_id: str) -> None:
        if step == "deploy":
            house.tracking.point(house.name, "champion", other)

    outcome = house.promote(version, before=move)
    assert house.champion == other
    house.tracking.point(house.name, "champion", crowned)
    return outcome


def two_at_once(house: House) -> Outcome:
    """Another promotion is through between this one's decision and its deployment."""
    house.crown(linear(area=9.8))
    version, other = house.register(linear(area=9.99)), house.register(linear())
    moves = []

    def overtake(step: str, run_id: str) -> None:
        if step == "deploy":
            house.enthrone(other)
            moves.append(house.moves)

    outcome = house.promote(version, before=overtake)
    assert moves == [house.moves], "the one that was overtaken moved nothing"
    return outcome


def registry_away(house: House) -> Outcome:
    version = house.register(linear())

    def cut(step: str, run_id: str) -> None:
        if step == "judge_quality":
            house.set("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")

    return house.promote(version, before=cut)


def other_serving_code(house: House) -> Outcome:
    return house.promote(house.register(linear(), service=house.altered("service.py", "\n# other\n")))


def served_by(file: str, text: str, **options: Any) -> Attempt:
    """Promote a sound model on serving code that is not."""

    def attempt(house: House) -> Outcome:
        service = house.altered(file, text)
        house.set("SLUICE_SERVICE", str(service))
        return house.promote(house.register(linear(**options), service=service))

    return attempt


def image_required(house: House) -> Outcome:
    house.demand({"servable": {"image": "required"}})
    return house.promote(house.register(linear()))


def golden_otherwise(house: House) -> Outcome:
    house.demand({"servable": {"ready_seconds": 10}})
    return house.promote(house.register(linear(), golden=((12345.0,),)))


def no_golden_rows(house: House) -> Outcome:
    house.demand({"servable": {"ready_seconds": 10}})
    return house.promote(house.register(linear(), golden=()))


def forced(version: Callable[[House], int], **given: Any) -> Attempt:
    return lambda house: house.promote(version(house), force=True, **given)


def bad(house: House) -> int:
    return house.register(linear(area=1.0))


def slow(house: House, **options: Any) -> int:
    house.demand({"servable": {"ready_seconds": 30, "p99_ms": 10}})
    return house.register(linear(burn=30, **options))


def slow_and_bad(house: House) -> int:
    return slow(house, area=1.0)


def published_otherwise(house: House) -> Outcome:
    """The registry counts anew, and the ledger knows this version with another bundle."""
    version = house.register(linear())
    house.publish(version, bundle_sha256="another")
    return house.promote(version)


def unapproved(house: House) -> Outcome:
    """The question is marked as answered by hand, and nobody has answered it."""
    house.demand({"approval": "required"})
    return house.promote(house.register(linear()), marked={"record_ruling": None})


EVASIONS = (
    Evasion("answers that are no numbers", told(area=float("nan")), "undecided:answers.candidate", "gives no number"),
    Evasion("infinite answers", told(bias=float("inf")), "undecided:answers.candidate", "gives no number"),
    Evasion("a constant", told(area=0.0, adds=dict.fromkeys(ADDS, 800.0)), "reject:constant", "same answer"),
    Evasion("a bad model", told(area=1.0), "reject:threshold.r2", "at least 0.9"),
    Evasion(
        "better on average, worse in one district",
        told(adds={**ADDS, "south": 60.0}),
        "reject:slice.district.south.rmse",
        "among district = south",
    ),
    Evasion(
        "minds what must not matter",
        told(floor=5.0, bias=-27.5),
        "reject:behaviour.invariance.floor",
        "takes another value",
    ),
    Evasion(
        "a rent that falls with the area",
        among(told_by_the_district, area=-0.3, bias=21.0),
        "reject:behaviour.direction.area",
        "does not fall",
    ),
    Evasion("intervals that are too narrow", boastful, "reject:coverage", "held-out rows"),
    Evasion("surer than right", overconfident, "reject:calibration.error", "calibration error", of="grants"),
    Evasion(
        "unequal approvals", misled, "reject:fairness.home.selection_rate.difference", "between groups", of="grants"
    ),
    Evasion(
        "the answer among the inputs",
        among(told_by_the_area, adds=NOTHING),
        "reject:leak.alone",
        "'area' reaches by itself",
    ),
    Evasion("too good to be true", among(noiseless), "reject:leak.score", "suggests a leak"),
    Evasion("held-out rows that were trained on", among(repeated), "reject:leak.repeated_rows", "of a row to train on"),
    Evasion("evaluation on training rows", among(alike), "undecided:overlap", "also rows to train on"),
    Evasion("held-out rows of another kind", among(of_another_kind), "reject:shift", "'area'"),
    Evasion("learned by heart", by_heart, "reject:gap.r2", "loss of"),
    Evasion("no held-out rows", among(lambda: flats().query("_part == 'train'")), "undecided:empty", "no held-out row"),
    Evasion("too few held-out rows", among(lambda: flats(150)), "undecided:test_rows", "held-out rows is 50"),
    Evasion(
        "held-out rows without a target",
        among(overwritten("rent", lambda rows: np.nan)),
        "undecided:target.missing",
        "rent",
    ),
    Evasion("trained under another split", split_otherwise, "undecided:split.candidate", "may have seen"),
    Evasion("classes in another order", relabelled, "undecided:classes.candidate", "now says otherwise", of="grants"),
    Evasion("worse than the champion", worse_than_the_champion, "reject:change.rmse", "over the champion"),
    Evasion("the champion once more", the_champion_again, "reject:unchanged", "nothing has changed"),
    Evasion("a champion of another split", champion_split_otherwise, "undecided:split.champion", "may have seen"),
    Evasion("a champion whose alias is lost", champion_lost, "state", "names no champion"),
    Evasion("a champion that cannot be read", champion_without_its_graph, "undecided:bundle", "cannot be read"),
    Evasion("a tampered graph", tampered_graph, "undecided:bundle", "altered"),
    Evasion("a bundle that was sealed anew", sealed_anew, "undecided:bundle", "another bundle than was registered"),
    Evasion("a bundle swapped after the judging", swapped_after_judging, "undecided:bundle", "changed meanwhile"),
    Evasion("a bundle of another use case", of_another_use_case, "undecided:bundle", "bundle of elsewhere"),
    Evasion("evidence of another version", stale_evidence, "undecided:stale_evidence", "another version"),
    Evasion("judging marked as done", marked_as_done, "undecided:no_evidence.good_enough", "is good enough"),
    Evasion("querying marked as done", servability_marked_as_done, "undecided:no_evidence.servable", "is servable"),
    Evasion("an alias moved by hand", alias_moved_meanwhile, "state", "judged against the champion of today"),
    Evasion("two promotions at once", two_at_once, "state", "version 3 became champion"),
    Evasion("the registry away", registry_away, "undecided:transient", "does not answer"),
    Evasion("made for other serving code", other_serving_code, "undecided:release", "other serving code"),
    Evasion("never ready", served_by("service.py", DEAD), "reject:ready", "never became ready"),
    Evasion(
        "answers otherwise than it learned", served_by("answers/desk.py", OTHERWISE), "reject:golden_parity", "golden"
    ),
    Evasion("takes any input", served_by("web/application.py", WELCOMING), "reject:bad_input", "instead of a refusal"),
    Evasion("too slow", lambda house: house.promote(slow(house)), "reject:latency_p99", "at most 10"),
    Evasion("golden rows of another model", golden_otherwise, "reject:ready", "come out wrong"),
    Evasion("no golden rows", no_golden_rows, "reject:ready", "golden"),
    Evasion("no image where one is required", image_required, "undecided:image", "requires one"),
    Evasion("forced by nobody", forced(bad, reason="it will do"), "state", "who"),
    Evasion("forced without a reason", forced(bad, user="ada"), "state", "reason"),
    Evasion(
        "forced though it is not servable",
        forced(slow_and_bad, user="ada", reason="it will do"),
        "reject:latency_p99",
        "cannot be forced",
    ),
    Evasion("approval marked as given", unapproved, "needs_approval", "checks passed"),
    Evasion("published with another bundle", published_otherwise, "state", "published with another bundle"),
)


@pytest.mark.parametrize("evasion", EVASIONS, ids=lambda evasion: evasion.name)
def test_nobody_slips_through(evasion: Evasion, houses: Callable[[str], House]) -> None:
    house = houses(evasion.of)

    outcome = evasion.attempt(house)

    assert outcome.code.startswith(evasion.code), outcome.message
    assert evasion.words in outcome.message
    assert house.champion == house.crowned, "what served before goes on serving"


def test_an_honest_candidate_passes_through_the_same_door(houses: Callable[[str], House]) -> None:
    house = houses("rent")

    assert house.promote(house.register(linear())).code == "promote"
    assert house.champion == 1


def test_every_way_is_told_apart() -> None:
    told_apart = Counter((evasion.code, evasion.words) for evasion in EVASIONS if "infinite" not in evasion.name)

    assert len(EVASIONS) >= 25
    assert max(told_apart.values()) == 1
