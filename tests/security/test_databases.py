"""The roles of the databases: each opens its own, and what shares the warehouse does there what it must and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import product
from secrets import token_hex
from time import monotonic
from uuid import uuid4

import psycopg2
import pytest

from local import postgres
from local.secrets import leaks
from sluice.adapters.incidents import Incidents
from sluice.domain.alert import Alert
from tabular import ids
from tabular.record.book import Book
from tabular.record.entries import Entry, Failure
from tabular.record.heartbeat import Heartbeat
from tabular.record.labels import Label
from tabular.record.log import Log
from tabular.releases.outputs import Answers
from tabular.releases.standing import Standing
from tests.bentos.servers import eventually
from tests.security.clusters import FIRST, VARIABLES, Cluster
from watcher.serving import Deployed, beating

OWN = {"airflow": "airflow", "mlflow": "mlflow", "optuna": "optuna", "sluice": "warehouse"}
OPEN = {*OWN.items(), ("serving", "warehouse"), ("watcher", "warehouse")}
DATABASES = ("airflow", "mlflow", "optuna", "warehouse", "postgres", "template1")

NOBODYS = (
    "CREATE TABLE serving.own (a int)",
    "CREATE TABLE public.own (a int)",
    "CREATE SCHEMA own",
    "CREATE TEMPORARY TABLE own (a int)",
    "CREATE ROLE own",
    "SET ROLE sluice",
    "SELECT rolpassword FROM pg_authid",
    "SELECT pg_read_file('/etc/passwd')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT * FROM landing.later",
    "SELECT * FROM ml.later",
    "SELECT * FROM serving.later",
    "SELECT * FROM monitoring.later",
    "SELECT serving.later_function()",
    "SELECT * FROM ml.decisions",
    "SELECT * FROM ingest.batches",
    "INSERT INTO ml.deployments (use_case, to_version, actor, reason) VALUES ('rents', 1, 'me', 'because')",
    "UPDATE ml.releases SET bundle_sha256 = 'mine'",
    "DELETE FROM serving.answers",
    "UPDATE serving.answers SET features = '[]'",
    "TRUNCATE serving.answers",
    "DROP TABLE serving.answers",
    "ALTER FUNCTION serving.ensure_partition(date) SECURITY INVOKER",
    "CREATE OR REPLACE FUNCTION ml.refuse_change() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
)
SERVINGS = (
    "SELECT * FROM ml.deployments",
    "SELECT * FROM serving.failures",
    "SELECT * FROM monitoring.incidents",
    "UPDATE monitoring.heartbeats SET seen_at = now()",
    "UPDATE serving.labels SET true_number = 1",
    "DELETE FROM serving.labels",
)
WATCHERS = (
    "SELECT reason FROM ml.deployments",
    "SELECT * FROM serving.answers",
    "SELECT * FROM serving.labels",
    "SELECT host FROM serving.replicas",
    "INSERT INTO serving.failures VALUES ('r', 'rents', 1, 'champion', 'because', now())",
    "SELECT serving.ensure_partition(current_date)",
    "DELETE FROM monitoring.incidents",
    "DELETE FROM monitoring.heartbeats",
    "SELECT * FROM monitoring.reports",
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server whose roles, databases and tables are made, and tables of a later migration beside them."""
    folder = tmp_path_factory.mktemp("cluster")
    with postgres.throwaway(folder, FIRST) as port:
        made = Cluster(folder, port, {variable: token_hex(16) for variable in VARIABLES.values()})
        said = made.lay()
        assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
        assert made.migrate() == ["serving", "watcher"]
        with closing(psycopg2.connect(made.dsn("sluice"))) as link, link, link.cursor() as cursor:
            for schema in ("landing", "ml", "serving", "monitoring"):
                cursor.execute(f"CREATE TABLE {schema}.later (a int)")
            cursor.execute("CREATE FUNCTION serving.later_function() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        yield made


def can_connect(dsn: str) -> bool:
    try:
        psycopg2.connect(dsn, connect_timeout=5).close()
    except psycopg2.OperationalError:
        return False
    return True


def entry() -> Entry:
    return Entry(
        answer_id=ids.fresh(),
        request_id=uuid4().hex,
        version=3,
        role="champion",
        names=["income"],
        latency_ms=1.5,
        predicted_at=datetime.now(UTC),
        rows=[(1.0,), (2.0,)],
        answers=Answers([1.0, 2.0]),
    )


def failure() -> Failure:
    return Failure(uuid4().hex, 3, "champion", "inference: for a test", datetime.now(UTC))


@pytest.mark.parametrize(("role", "database"), list(product([*OWN, "serving", "watcher"], DATABASES)))
def test_a_role_opens_its_own_database_and_no_other(cluster: Cluster, role: str, database: str) -> None:
    assert can_connect(cluster.dsn(role, database)) is ((role, database) in OPEN)


@pytest.mark.parametrize("role", OWN)
def test_who_owns_a_database_can_make_tables_there_and_is_no_superuser(cluster: Cluster, role: str) -> None:
    with closing(psycopg2.connect(cluster.dsn(role, OWN[role]))) as link, link.cursor() as cursor:
        cursor.execute("CREATE TABLE public.own (a int)")
        cursor.execute(
            "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles"
            " WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (False,)


def test_the_model_servers_write_all_that_they_write(cluster: Cluster) -> None:
    asked = monotonic()
    lost: list[int] = []
    given, failed = entry(), failure()
    log = Log(cluster.dsn("serving"), "rents", Heartbeat("rents", "r" * 64, Standing), 1000, lost.append)
    log.offer(given)
    log.offer(failed)
    log.start()
    owner = cluster.warehouse("sluice")
    eventually(lambda: owner.rows("SELECT 1 FROM serving.replicas WHERE use_case = 'rents'"))
    eventually(lambda: owner.rows("SELECT 1 FROM serving.answers") and owner.rows("SELECT 1 FROM serving.failures"))
    book = Book(cluster.dsn("serving"), "rents")
    labels = [
        Label("0", ids.predictions(given.answer_id, 2)[0], None, None, 7.0, None),
        Label("1", None, given.request_id, 1, 8.0, None),
    ]
    kept = [book.keep(labels, None, asked) for _ in range(2)]
    book.close()
    log.close()

    assert lost == []
    assert [(each.stored, each.unchanged) for each in kept] == [(2, 0), (0, 2)]
    assert owner.rows("SELECT 1 FROM serving.replicas WHERE use_case = 'rents'") == []


def test_the_watcher_reads_and_writes_all_that_it_does(cluster: Cluster) -> None:
    cluster.warehouse("sluice").execute(
        "INSERT INTO ml.deployments (use_case, to_version, actor, reason) VALUES ('flats', 1, 'somebody', 'first')"
    )
    warehouse = cluster.warehouse("watcher")
    deployed, incidents = Deployed(warehouse), Incidents(warehouse)
    deployed.refresh()
    now = datetime.now(UTC)
    alert = Alert("task:flats_train.search", "flats", "train", "task_failed", "search", (("Run", "r"),))

    assert deployed.names() == {"flats"}
    assert len(beating(warehouse, 60, frozenset({"flats"}), "http://watcher").alerts) == 1
    assert incidents.open(alert, now)
    incidents.mailed(alert.cause)
    assert incidents.newest(alert.cause).times == 1
    assert incidents.heal("task:") == (alert,)
    incidents.closed(alert.cause)
    incidents.dismiss(alert.cause)
    assert (incidents.owed(now), incidents.owed_recoveries(now)) == ((), ())
    warehouse.execute(warehouse.statement("watcher/beat"), {"component": "watcher", "note": "all is well"})
    assert warehouse.rows(warehouse.statement("watcher/silence"), {"component": "watcher"})
    assert warehouse.rows(warehouse.statement("watcher/open_incidents"), {"kinds": ["task_failed"]}) == []


@pytest.mark.parametrize(
    ("role", "statement"),
    [*product(["serving", "watcher"], NOBODYS), *product(["serving"], SERVINGS), *product(["watcher"], WATCHERS)],
)
def test_nothing_else_is_theirs(cluster: Cluster, role: str, statement: str) -> None:
    with (
        closing(psycopg2.connect(cluster.dsn(role))) as link,
        link.cursor() as cursor,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        cursor.execute(statement)


def test_what_runs_with_the_owners_rights_finds_nothing_of_its_callers(cluster: Cluster) -> None:
    rows = cluster.warehouse("sluice").rows("SELECT proname, proconfig FROM pg_proc WHERE prosecdef")

    assert rows == [{"proname": "ensure_partition", "proconfig": ["search_path=pg_catalog, pg_temp"]}]


def test_asked_again_nothing_changes(cluster: Cluster) -> None:
    said = cluster.lay()

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    assert cluster.migrate() == ["serving", "watcher"]


@pytest.mark.parametrize("role", VARIABLES)
def test_a_new_password_opens_and_the_old_one_does_not(cluster: Cluster, role: str) -> None:
    database = OWN.get(role, "warehouse")
    old, superuser = cluster.dsn(role, database), cluster.values["POSTGRES_PASSWORD"]

    assert cluster.lay(superuser, **{VARIABLES[role]: token_hex(16)}).returncode == 0
    assert can_connect(cluster.dsn(role, database))
    assert not can_connect(old)


def test_a_role_that_got_out_of_hand_is_brought_back(cluster: Cluster) -> None:
    admin = cluster.dsn("postgres", "postgres")
    with closing(psycopg2.connect(admin)) as link, link, link.cursor() as cursor:
        cursor.execute("ALTER ROLE serving SUPERUSER")
    cluster.lay()

    test_nothing_else_is_theirs(cluster, "serving", "CREATE ROLE own")


@pytest.mark.parametrize("variable", VARIABLES.values())
def test_without_a_password_nothing_is_done(cluster: Cluster, variable: str) -> None:
    kept = cluster.values[variable]
    try:
        said = cluster.lay(**{variable: ""})
    finally:
        cluster.values[variable] = kept

    assert said.returncode != 0
    assert variable in said.stderr
    assert all(can_connect(cluster.dsn(role, OWN.get(role, "warehouse"))) for role in VARIABLES)


def test_no_password_is_in_the_servers_log(cluster: Cluster) -> None:
    with closing(psycopg2.connect(cluster.dsn("postgres", "postgres"))) as link, link.cursor() as cursor:
        link.autocommit = True
        cursor.execute("ALTER SYSTEM SET log_statement = 'all'")
        cursor.execute("SELECT pg_reload_conf()")
    eventually(lambda: "log_statement" in cluster.log)
    assert cluster.lay().returncode == 0
    with closing(psycopg2.connect(cluster.dsn("sluice"))) as link, link.cursor() as cursor:
        cursor.execute("SELECT 'something that is logged'")

    assert "something that is logged" in cluster.log
    assert re.search(r"\bALTER ROLE\b.*PASSWORD", cluster.log) is None
    assert leaks(cluster.log, cluster.values) == ()
