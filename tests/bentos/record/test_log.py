"""The prediction log beside a real database: order, bounds, rows that it cannot hold."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from sluice.adapters.migrations import migrate
from sluice.adapters.warehouse import Warehouse
from tabular import ids
from tabular.record.entries import Entry, Failure, Sheet, Written, numbers
from tabular.record.heartbeat import Heartbeat
from tabular.record.log import BATCH_EVERY, LONGEST_PAUSE, Log, pause
from tabular.releases.outputs import Answers
from tabular.releases.standing import Standing
from tests.bentos.databases import Database
from tests.bentos.servers import Relay, eventually

MakeLog = Callable[..., Log]


@pytest.fixture
def drops() -> list[int]:
    return []


@pytest.fixture
def make_log(warehouse: Warehouse, drops: list[int]) -> Iterator[MakeLog]:
    made: list[Log] = []

    def make(capacity: int = 1000, dsn: str = warehouse.dsn) -> Log:
        log = Log(dsn, "rents", Heartbeat("rents", "r" * 64, Standing), capacity, drops.append)
        made.append(log)
        return log

    yield make
    for log in made:
        log.close(patience=0)


def identity(moment: datetime) -> dict[str, Any]:
    return {
        "answer_id": ids.fresh(),
        "request_id": uuid4().hex,
        "version": 3,
        "role": "champion",
        "names": ["income", "place"],
        "latency_ms": 1.5,
        "predicted_at": moment,
    }


def entry(*rows: Sequence[Any], answers: Answers | None = None, moment: datetime | None = None) -> Entry:
    answers = answers or Answers([float(index) for index in range(len(rows))])
    moment = moment or datetime.now(UTC)
    return Entry(**identity(moment), rows=rows, answers=answers)


def kept(warehouse: Warehouse, given: Entry | Sheet) -> list[dict[str, Any]]:
    query = "SELECT * FROM serving.predictions WHERE request_id = %(request_id)s ORDER BY prediction_id"
    return warehouse.rows(query, {"request_id": given.request_id})


def test_values_come_back_as_they_were(make_log: MakeLog, warehouse: Warehouse) -> None:
    log = make_log()
    given = entry((0.1 + 0.2, 'a "quoted", \\ back\nslashed ünïcode'), (None, None), (12345.678, "x"))
    log.offer(given)
    log.start()
    rows = eventually(lambda: kept(warehouse, given))
    assert [row["features"]["place"] for row in rows] == [row[1] for row in given.rows]
    assert [row["features"]["income"] for row in rows] == [0.1 + 0.2, None, 12345.678]
    assert rows[0]["predicted_at"] == given.predicted_at
    assert [row["prediction_id"] for row in rows] == ids.predictions(given.answer_id, 3)


def test_a_class_is_kept_with_its_probabilities(make_log: MakeLog, warehouse: Warehouse) -> None:
    log = make_log()
    odd = 'a "class", with \\ and ü'
    probabilities = [{"low": 0.1 + 0.2, odd: 0.7}, {"low": 1e-300, odd: 1.0}]
    answers = Answers(["low", odd], probabilities)
    given = entry((1, "a"), (2, "b"), answers=answers)
    log.offer(given)
    log.start()
    rows = eventually(lambda: kept(warehouse, given))
    assert [(row["prediction"], row["label"], row["probabilities"]) for row in rows] == [
        (None, "low", probabilities[0]),
        (None, odd, probabilities[1]),
    ]


@pytest.mark.parametrize(
    ("predictions", "labels", "probabilities", "taken"),
    [
        ([1.5], None, None, True),
        (None, ["low"], '[{"low": 1.0}]', True),
        (None, None, None, False),
        ([1.5], ["low"], '[{"low": 1.0}]', False),
        (None, ["low"], None, False),
        ([1.5], None, '[{"low": 1.0}]', False),
        ([1.5, 2.5], None, None, False),
    ],
    ids=["a number", "a class", "neither", "both", "no probabilities", "number with probabilities", "another size"],
)
def test_the_log_holds_numbers_or_classes(
    warehouse: Warehouse,
    predictions: list[float] | None,
    labels: list[str] | None,
    probabilities: str | None,
    taken: bool,
) -> None:
    insert = (
        "INSERT INTO serving.answers (answer_id, request_id, use_case, model_version, role, size, names, features,"
        " predictions, labels, probabilities, latency_ms, predicted_at) VALUES (gen_random_uuid(), 'r', 'rents', 1,"
        " 'champion', 1, '{}', '[[]]', %(predictions)s, %(labels)s, %(probabilities)s, 1, now())"
    )
    values = {"predictions": predictions, "labels": labels, "probabilities": probabilities}
    warehouse.rows("SELECT serving.ensure_partition(current_date)")
    with contextlib.nullcontext() if taken else pytest.raises(psycopg2.errors.CheckViolation):
        assert warehouse.execute(insert, values) == 1


def test_what_comes_meanwhile_waits_for_the_next_round(make_log: MakeLog, warehouse: Warehouse) -> None:
    log = make_log()
    log.start()
    given = [entry((1, "a")) for _ in range(300)]
    begun = time.monotonic()
    for each in given:
        log.offer(each)
        time.sleep(0.002)
    log.close()
    seconds = time.monotonic() - begun
    (written,) = warehouse.rows(
        "SELECT count(*) AS answers, count(DISTINCT xmin::text) AS transactions FROM serving.answers"
        " WHERE answer_id::text = ANY(%(ids)s)",
        {"ids": [each.answer_id for each in given]},
    )
    assert written["answers"] == 300
    # Four a second, the first, and the last.
    assert written["transactions"] <= seconds / BATCH_EVERY + 2


def test_each_day_gets_its_partition(make_log: MakeLog, warehouse: Warehouse) -> None:
    log = make_log()
    days = [entry((1, "a"), moment=datetime(2031, 5, day, 23, 59, 59, tzinfo=UTC)) for day in (1, 2)]
    for given in days:
        log.offer(given)
    log.start()
    log.close()
    assert [len(kept(warehouse, given)) for given in days] == [1, 1]
    assert warehouse.rows("SELECT to_regclass('serving.answers_20310502') IS NOT NULL AS there") == [{"there": True}]


@pytest.mark.parametrize("bad", ["bad \x00", "bad \ud800"], ids=["for the database", "for any text"])
def test_an_answer_that_cannot_be_kept_costs_only_itself(
    make_log: MakeLog, warehouse: Warehouse, drops: list[int], bad: str
) -> None:
    log = make_log()
    given = [entry((1, "good")), entry((2, bad), (3, "good")), entry((4, "good"))]
    for each in given:
        log.offer(each)
    log.start()
    log.close()
    assert [[row["features"]["income"] for row in kept(warehouse, each)] for each in given] == [[1], [], [4]]
    assert drops == [2]


def test_six_characters_that_look_like_an_escape_are_kept(
    make_log: MakeLog, warehouse: Warehouse, drops: list[int]
) -> None:
    log, moment = make_log(), datetime.now(UTC)
    texts = ["\\u0000", "\\\\u0000", "a\\u0000"]
    given = entry(*[(1, text) for text in texts])
    written = Written(json.dumps([[1, text] for text in texts]).encode(), numbers([1, 2, 3], 3))
    block = Sheet(**identity(moment), size=3, written=written)
    bad = Written(json.dumps([[1, text] for text in ("\\\x00", "a", "b")]).encode(), numbers([1, 2, 3], 3))
    refused = replace(block, answer_id=ids.fresh(), request_id=uuid4().hex, written=bad)
    for each in (given, block, refused):
        log.offer(each)
    log.start()
    log.close()
    assert [[row["features"]["place"] for row in kept(warehouse, each)] for each in (given, block, refused)] == [
        texts,
        texts,
        [],
    ]
    assert drops == [3]


def test_what_was_written_already_is_not_a_loss(make_log: MakeLog, warehouse: Warehouse, drops: list[int]) -> None:
    log = make_log()
    first = entry((1, "a"), (2, "b"))
    log.offer(first)
    log.offer(first)
    log.start()
    log.close()
    assert len(kept(warehouse, first)) == 2
    assert drops == []


def test_what_there_is_no_room_for_is_dropped_whole(make_log: MakeLog, drops: list[int]) -> None:
    log = make_log(capacity=5)
    log.offer(entry(*[(i, "a") for i in range(8)]))
    log.offer(entry(*[(i, "a") for i in range(3)]))
    assert (drops, log.room) == ([8], 2)
    log.offer(entry(*[(i, "a") for i in range(3)]))
    assert drops == [8, 3]


def test_what_comes_after_the_end_is_dropped_and_counted(make_log: MakeLog, drops: list[int]) -> None:
    log = make_log()
    log.start()
    log.close()
    log.offer(entry((1, "a"), (2, "b")))
    assert drops == [2]


def test_offering_never_waits_for_a_database_that_hangs(make_log: MakeLog, drops: list[int]) -> None:
    # An address that swallows packets: nobody refuses, nobody answers.
    log = make_log(dsn="postgresql://nobody@198.51.100.1:5432/nowhere")
    log.start()
    started = time.monotonic()
    for _ in range(100):
        log.offer(entry((1, "a")))
    assert time.monotonic() - started < 0.5
    assert drops == []


def failure(reason: str) -> Failure:
    return Failure(uuid4().hex, 4, "challenger", reason, datetime.now(UTC))


def blamed(warehouse: Warehouse, given: Failure) -> list[dict[str, Any]]:
    return warehouse.rows("SELECT * FROM serving.failures WHERE request_id = %(id)s", {"id": given.request_id})


def test_failures_are_kept_beside_the_answers(make_log: MakeLog, warehouse: Warehouse) -> None:
    log = make_log()
    failed, answered = failure('no-prediction: 1 "instance"'), replace(entry((1, "a")), role="shadow")
    log.offer(failed)
    log.offer(answered)
    log.start()
    log.close()
    (row,) = blamed(warehouse, failed)
    assert row == {
        "failure_id": failed.failure_id,
        "request_id": failed.request_id,
        "use_case": "rents",
        "model_version": 4,
        "role": "challenger",
        "reason": failed.reason,
        "failed_at": failed.failed_at,
    }
    assert [row["role"] for row in kept(warehouse, answered)] == ["shadow"]


def test_a_failure_that_the_database_cannot_hold_costs_only_itself(
    make_log: MakeLog, warehouse: Warehouse, drops: list[int]
) -> None:
    log = make_log()
    bad, good, answered = failure("bad \x00"), failure("good"), entry((1, "a"))
    for each in (bad, answered, good):
        log.offer(each)
    log.start()
    log.close()
    assert (len(blamed(warehouse, bad)), len(blamed(warehouse, good)), len(kept(warehouse, answered))) == (0, 1, 1)
    assert drops == [1]


def test_a_failure_needs_room_like_an_answer(make_log: MakeLog, drops: list[int]) -> None:
    log = make_log(capacity=1)
    log.offer(failure("first"))
    log.offer(failure("second"))
    assert drops == [1]


def test_the_pause_between_two_tries_grows_and_ends_at_its_longest() -> None:
    assert [max(pause(failures) for _ in range(1000)) for failures in range(4)] == pytest.approx(
        [0.25, 0.5, 1, 2], rel=0.05
    )
    # After days, too.
    assert LONGEST_PAUSE / 2 <= pause(1_000_000) <= LONGEST_PAUSE


@pytest.mark.parametrize("away", [1.0, 6.0], ids=lambda seconds: f"{seconds:g} s")
def test_a_database_that_is_back_is_written_to_in_seconds_and_its_outage_told_once(
    make_log: MakeLog,
    warehouse: Warehouse,
    way: Relay,
    caplog: pytest.LogCaptureFixture,
    say: Callable[[str], None],
    away: float,
) -> None:
    caplog.set_level(logging.INFO, "bentoml.tabular")
    log = make_log(dsn=way.around(warehouse.dsn))
    log.start()
    before, after = entry((1, "a")), entry((2, "b"))
    log.offer(before)
    eventually(lambda: kept(warehouse, before))
    way.cut()
    log.offer(after)
    time.sleep(away)
    way.mend()
    began = time.monotonic()
    eventually(lambda: kept(warehouse, after), every=0.01)
    seconds = time.monotonic() - began
    say(f"written to again {seconds:.2f} s after an outage of {away:g} s")
    assert seconds < LONGEST_PAUSE + 0.5
    eventually(lambda: "the warehouse answers again" in caplog.text)
    assert caplog.text.count("predictions wait, the warehouse does not take them") == 1


@pytest.mark.parametrize("days", [(3, 3), (4, 5)], ids=["the same day", "one of them two days"])
def test_processes_that_write_a_day_first_do_not_stand_in_each_others_way(
    warehouse: Warehouse, days: tuple[int, int]
) -> None:
    first, second = psycopg2.connect(warehouse.dsn), psycopg2.connect(warehouse.dsn)
    with contextlib.closing(first), contextlib.closing(second):
        for link, day in ((first, 1), (second, 2)):
            ensure(link, date(2031, 6, day))
            link.commit()
        failed: list[Exception] = []

        def write() -> None:
            try:
                ensure(second, date(2031, 6, days[1]))
            except psycopg2.Error as error:
                failed.append(error)

        ensure(first, date(2031, 6, days[0]))
        thread = threading.Thread(target=write)
        thread.start()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        eventually(lambda: warehouse.rows(waiting), within=5)
        ensure(first, date(2031, 6, days[1]))
        first.commit()
        thread.join()
    assert failed == []


def test_who_reads_the_log_does_not_keep_a_day_from_being_made(make_log: MakeLog, warehouse: Warehouse) -> None:
    log, given = make_log(), entry((1, "a"), moment=datetime(2031, 7, 1, tzinfo=UTC))
    with contextlib.closing(psycopg2.connect(warehouse.dsn)) as reader, reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM serving.answers")
        log.offer(given)
        log.start()
        eventually(lambda: kept(warehouse, given), within=5)


def ensure(link: Connection, day: date) -> None:
    """Make a day's partition, unless it is there."""
    with link.cursor() as cursor:
        cursor.execute("SELECT serving.ensure_partition(%(day)s)", {"day": day})


def test_a_heartbeat_that_cannot_be_written_keeps_no_answer_from_being_written(
    make_log: MakeLog, warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    forbid = "ALTER TABLE serving.replicas ADD CONSTRAINT none_here CHECK (use_case <> 'rents') NOT VALID"
    log, given = make_log(), [entry((1, "a")), entry((2, "b"))]
    warehouse.execute(forbid)
    try:
        log.start()
        for each in given:
            log.offer(each)
            eventually(lambda each=each: kept(warehouse, each), within=5)  # type: ignore[misc]
    finally:
        warehouse.execute("ALTER TABLE serving.replicas DROP CONSTRAINT none_here")
    shown = "SELECT 1 FROM serving.replicas WHERE use_case = 'rents'"
    eventually(lambda: warehouse.rows(shown))
    assert caplog.text.count("the heartbeat cannot be written") == 1


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Database]:
    """A database that writes down what it is given, and says so to nobody: the copy that it waits for is nowhere."""
    database = Database(tmp_path)
    migrate(database.dsn, Path(__file__).resolve().parents[3] / "include" / "sql" / "migrations")
    yield database
    database.stop("immediate")


@pytest.mark.parametrize("rows", [[[(1, "a"), (2, "b")], [(3, "c")]], []], ids=["answers too", "a failure alone"])
def test_what_was_written_without_a_word_is_written_and_counted_once(
    forgetful: Database, drops: list[int], rows: list[list[tuple[int, str]]]
) -> None:
    warehouse, written = Warehouse(forgetful.dsn, Path()), []
    hung = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    standing = Standing()
    heartbeat = Heartbeat("rents", "r" * 64, lambda: standing)
    log = Log(forgetful.dsn, "rents", heartbeat, 1000, drops.append, written.append)
    log.start()
    # Right after a heartbeat, or the next one would be the first to hear nothing.
    eventually(lambda: len(written) == 2)
    settings(forgetful, "'nowhere'")
    given, failed = [entry(*each) for each in rows], failure("broken")
    for record in (*given, failed):
        log.offer(record)
    eventually(lambda: warehouse.rows(hung))
    eventually(lambda: blamed(warehouse, failed))
    settings(forgetful, "''")
    log.close()
    assert [len(kept(warehouse, each)) for each in given] == [len(each) for each in rows]
    assert len(blamed(warehouse, failed)) == 1
    assert (sum(written), drops) == (1 + sum(map(len, rows)), [])


def test_what_nobody_can_tell_at_the_end_is_counted_as_lost_and_named(
    forgetful: Database, drops: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    warehouse, written = Warehouse(forgetful.dsn, Path()), []
    standing = Standing()
    log = Log(
        forgetful.dsn, "rents", Heartbeat("rents", "r" * 64, lambda: standing), 1000, drops.append, written.append
    )
    log.start()
    eventually(lambda: len(written) == 2)
    settings(forgetful, "'nowhere'")
    log.offer(entry((1, "a"), (2, "b")))
    eventually(lambda: warehouse.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"))
    log.offer(entry((3, "c")))
    log.close(patience=0.1)
    assert drops == [3]
    assert "3 predictions could not be logged before the end" in caplog.text
    assert "2 of them may be there nevertheless" in caplog.text


def settings(database: Database, standbys: str) -> None:
    """Let a database wait for these copies of it before it says that something is written."""
    with contextlib.closing(psycopg2.connect(database.dsn)) as link, link.cursor() as cursor:
        link.autocommit = True
        cursor.execute(f"ALTER SYSTEM SET synchronous_standby_names = {standbys}")
        cursor.execute("SELECT pg_reload_conf()")
    # One process of the server after the other hears of it.
    time.sleep(0.3)
