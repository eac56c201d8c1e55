"""A decision's page says what was decided, what to do next and why, and loads nothing; the question says the same."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sluice.adapters.objects import ObjectStore
from sluice.domain.evidence import Check, Decision, Evidence, Ruling, Subject, bounded, decide, rule
from sluice.domain.policy import Slice, Threshold
from sluice.domain.report import sealed
from sluice.domain.use_case import UseCase
from sluice.gate import plots, quality
from sluice.gate.curves import curve
from sluice.gate.decision import Entry
from sluice.gate.report import compared, publish, question, render, sections
from sluice.gate.rows import Rows
from tests.unit.conftest import MakeBundle

SUBJECT = Subject(use_case="line", version=7, bundle_sha256="b" * 64, champion_version=5, champion_bundle_sha256="c")
GENERATOR = np.random.default_rng(3)
READY = bounded("ready", 2.5, "seconds until ready", maximum=60)
SERVABLE = Evidence(subject=SUBJECT, blessing="servable", checks=(READY,), notes=("as a process",))
ANN = Ruling(action="force", actor="ann", reason="for the fair")


@pytest.fixture(scope="module")
def sliced(line: UseCase) -> UseCase:
    """The line, with a limit below its middle and one above."""
    slices = (Slice(column="x", edges=(10.0,), thresholds={"rmse": Threshold(max=1.0)}),)
    return line.model_copy(update={"gate": line.gate.model_copy(update={"slices": slices})})


@pytest.fixture(scope="module")
def judged(sliced: UseCase, make_bundle: MakeBundle) -> Evidence:
    """What the gate really finds of a candidate that is worse than its champion."""
    x = GENERATOR.normal(10, 4, 800)
    rows = pd.DataFrame({"x": x, "y": 2 * x + GENERATOR.normal(0, 0.5, 800), "_repeated": False})
    rows["_identity"] = [str(i) for i in range(800)]
    half = Rows(test=rows.head(400), train=rows.tail(400))
    return quality.judge(sliced, SUBJECT, make_bundle(1.9), make_bundle(2.0), half)


def entry(decision: Decision, evidence: tuple[Evidence, ...], number: int = 1, overrides: int | None = None) -> Entry:
    now = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    return Entry(number, "line", 7, "b" * 64, 5, decision, overrides, evidence, now, "manual__2026-05-01")


def decided(*evidence: Evidence) -> Entry:
    return entry(decide(SUBJECT, evidence), evidence)


def passing(evidence: Evidence) -> Evidence:
    return evidence.model_copy(update={"checks": tuple(c for c in evidence.checks if c.verdict == "pass")})


def text(page: str) -> str:
    """What a page says, without its marks and its style."""
    body = re.sub(r"<style>.*?</style>|<wbr>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_the_page_names_every_check_with_value_limit_interval_and_verdict(sliced: UseCase, judged: Evidence) -> None:
    page = render(sliced, (decided(judged, SERVABLE),))

    said = text(page)
    for check in (*judged.checks, READY):
        assert check.code in said
    change = next(c for c in judged.checks if c.code == "change.rmse")
    assert change.interval is not None
    [row] = [line for line in page.split("<tr>") if '<td class="code"><code>change.<wbr>rmse' in line]
    for shown in (plots.plain(change.value or 0), plots.plain(change.interval[0]), "&gt; +0.00%", "✗ fail"):
        assert shown in row
    assert "as a process" in said


def test_the_page_loads_nothing_from_elsewhere(sliced: UseCase, judged: Evidence) -> None:
    page = render(sliced, (decided(judged, SERVABLE),))

    assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import|https?:", page)
    assert page.lstrip().startswith("<!doctype html>")


def test_what_a_check_says_cannot_become_a_part_of_the_page(sliced: UseCase) -> None:
    wicked = Check(code="slice.x.<b>.rmse", verdict="fail", message="<script>alert(1)</script>")
    page = render(sliced, (decided(SERVABLE.model_copy(update={"checks": (wicked,)})),))

    assert "<script" not in page
    assert "<b>" not in page


def test_candidate_and_champion_stand_side_by_side(judged: Evidence) -> None:
    lines = {line.title: line for line in compared((judged, SERVABLE))}

    assert set(lines) == {plots.title_of(name) for name in judged.metrics}
    assert lines["RMSE"].better is False
    assert lines["R²"].better is False
    assert lines["RMSE"].gain.startswith("-")


def test_a_first_release_is_compared_with_nothing(judged: Evidence) -> None:
    lines = compared((judged.model_copy(update={"champion_metrics": {}}),))

    assert {(line.champion, line.gain, line.better) for line in lines} == {("", "", None)}


def test_checks_stand_below_the_heading_of_their_kind_what_failed_first(judged: Evidence) -> None:
    found = sections((judged, SERVABLE))

    assert found["Servable"] == [READY]
    assert [c.code for c in found["Against the champion"]] == ["change.rmse"]
    assert {c.code.partition(".")[0] for c in found["Slices"]} == {"slice"}
    assert "Further checks" not in found, "a check of the gate has no heading"
    for checks in found.values():
        verdicts = [c.verdict for c in checks]
        assert verdicts == sorted(verdicts), "fail, then pass"


@pytest.mark.parametrize(
    ("code", "words", "advice"),
    [
        ("promote", "✓ Version 7 may serve", "Nothing: this run carries it out."),
        ("needs_approval", "? Version 7 passed, and waits for a person's yes", "Answer ask_approval"),
        ("reject:change.rmse", "✗ Version 7 is rejected: change.rmse", "force, and a reason"),
        ("reject:approval", "✗ Version 7 is rejected: approval", "To ask again"),
        ("undecided:ready", "? Whether version 7 may serve could not be told: ready", "cannot be forced"),
    ],
)
def test_the_verdict_is_one_line_and_says_what_to_do_next(line: UseCase, code: str, words: str, advice: str) -> None:
    said = text(render(line, (entry(Decision(code=code, message="so it is"), (SERVABLE,)),)))

    assert words in said
    assert advice in said


def test_what_is_not_servable_is_not_offered_to_be_forced(line: UseCase) -> None:
    broken = SERVABLE.model_copy(update={"checks": (READY.model_copy(update={"verdict": "fail"}),)})

    assert "this cannot be forced" in text(render(line, (decided(broken),)))


def test_without_a_champion_nothing_is_said_to_go_on_serving(line: UseCase) -> None:
    first = replace(entry(Decision(code="reject:approval", message="refused"), (SERVABLE,)), champion_version=None)

    assert "Nothing serves yet." in text(render(line, (first,)))


def test_what_a_person_forced_is_told_beside_what_the_gate_said(sliced: UseCase, judged: Evidence) -> None:
    gate = decided(judged, SERVABLE)
    forced = entry(rule(SUBJECT, gate.evidence, gate.decision, ANN), gate.evidence, 2, overrides=1)

    said = text(render(sliced, (forced, gate)))

    assert "Version 7 may serve, says ann" in said
    assert "forced: for the fair; set aside: " in said
    assert f"Before that the gate said {gate.decision.code} : {gate.decision.message}" in said
    assert "Decided by ann, 2026-05-01 12:00:00 UTC" in said


def test_a_run_that_could_tell_nothing_has_a_page_too(line: UseCase) -> None:
    said = text(render(line, (decided(),)))

    assert "could not be told: no evidence.good enough" in said
    assert "There is no evidence." in said


def test_a_page_is_kept_under_its_run_and_written_over(tmp_path: Path, sliced: UseCase, judged: Evidence) -> None:
    objects, first = ObjectStore(tmp_path.as_uri()), decided(judged, SERVABLE)
    publish(objects, sliced, (first,))

    address, page = publish(objects, sliced, (replace(first, decision_id=99), first))

    assert address.key.startswith("reports/line/decision/manual__2026-05-01-")
    assert objects.read_bytes(address.key) == sealed(page)
    assert "99" in text(page)


def test_the_question_shows_the_evidence_and_where_all_of_it_is(sliced: UseCase, judged: Evidence) -> None:
    evidence = (passing(judged), SERVABLE)
    asked = entry(decide(SUBJECT, evidence, "required"), evidence)

    put = question(sliced, asked, "/sluice/reports/line/decision/run")

    assert "(/sluice/reports/line/decision/run)" in put
    assert "champion (version 5)" in put
    for check in (*evidence[0].checks, READY):
        assert f"`{check.code}`" in put
    widths = {tuple(line.count("|") for line in block.splitlines()) for block in put.split("\n\n") if block[0] == "|"}
    assert all(len(set(width)) == 1 for width in widths), "every row of a table has all of its cells"


def test_a_curve_follows_what_was_observed() -> None:
    said = np.linspace(0, 100, 500)
    found = curve(said * 2, said)

    assert len(found.said) == 10
    assert sum(found.rows) == 500
    np.testing.assert_allclose(np.array(found.said) * 2, found.observed)
    assert all(low < middle < high for low, middle, high in zip(found.low, found.observed, found.high, strict=True))


def test_a_curve_of_classes_compares_probability_and_share() -> None:
    sure = GENERATOR.random(4000)
    true = (GENERATOR.random(4000) < sure).astype(np.float64)

    found = curve(true, np.stack([1 - sure, sure], axis=1))

    assert np.abs(np.array(found.said) - found.observed).max() < 0.08
    assert all(
        0 <= low <= share <= high <= 1 for low, share, high in zip(found.low, found.observed, found.high, strict=True)
    )


def test_of_many_classes_the_chosen_one_is_looked_at() -> None:
    scores = np.tile([0.2, 0.7, 0.1], (40, 1))

    found = curve(np.array([1.0, 0.0] * 20), scores)

    assert found.said == pytest.approx((0.7, 0.7))
    assert found.observed == (0.5, 0.5)


def test_slices_of_one_metric_share_a_scale_with_their_limits(judged: Evidence) -> None:
    [group] = plots.slices((judged,))

    assert group.title == "RMSE"
    assert [bar.name for bar in group.bars] == ["x: below 10", "x: from 10"]
    limits = {bar.limits for bar in group.bars}
    assert len(limits) == 1
    for bar in group.bars:
        assert bar.at is not None
        assert bar.low is not None
        assert bar.high is not None
        assert 0 <= bar.low <= bar.at <= bar.high <= 100
        assert (bar.at > bar.limits[0]) == (bar.verdict == "fail")


def test_a_slice_without_a_number_is_named_all_the_same() -> None:
    unknown = Check(code="slice.x.all.r2", verdict="unknown", message="nan", limit=">= 1,000")

    [group] = plots.slices((SERVABLE.model_copy(update={"checks": (unknown,)}),))

    assert (group.bars[0].at, group.bars[0].text) == (None, "unknown")
