"""Whatever goes wrong in Airflow is told once, to the right people, with links that lead somewhere; what heals, too."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.runs import DONE, Run
from sluice.adapters.warehouse import Warehouse
from tests.live import LiveStack

OWNER = "tents"
#: How the subjects of its mails begin.
OWNED = f"[sluice] {OWNER} "
#: A use case whose spec is broken for a while.
BROKEN = "huts"
ADDRESS = "camp@example.test"
PLATFORM = "ops@localhost"
#: Seconds from the end of what went wrong to its mail.
DETECTED = 60.0
#: Seconds in which all of it comes to its end, on a machine that is busy.
PATIENCE = 180.0
TORN = '"""An Airflow dag that cannot be read."""\nimport nothing_of_this_name\n'
MENDED = '''"""An Airflow DAG that can be read again."""
from sluice.orchestration.steps import platform, step
from airflow.sdk import DAG
with DAG(**platform("torn", "Does nothing.", hours=1), schedule=None):
    step(print, minutes=5, task_id="read")()
'''


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong: the DAG in which, what its mail's subject says, and whether it heals."""

    name: str
    words: tuple[str, ...]
    heals: bool = True
    fails: bool = True


#: Those first that have little time.
FAULTS = (
    Fault("linger", ("linger is late:",), fails=False),
    Fault("overrun", ("overrun run failed: timed out",)),
    Fault("fail", ("fail failed: fail",)),
    Fault("hang", ("hang failed: hang",)),
    Fault("die", ("die lost: die",)),
    Fault("several", ("several failed:",)),
    Fault("reject", ("promote not promoted: version 4, reject:threshold.r2",), fails=False),
    Fault("doubt", ("retraining retraining started",), heals=False),
    Fault("drift", ("drift drifted:",), fails=False),
    Fault("quality", ("quality data quality:",), fails=False),
    Fault("performance", ("performance performance dropped:",), fails=False),
    Fault("question", ("question waits for approval: May it serve?",), heals=False, fails=False),
)
#: They go wrong a second time, before they go well.
TWICE = ("fail", "several")


class Chat:
    """A chat's webhook, which keeps what it is told; the other one refuses everything."""

    def __init__(self) -> None:
        self.told: list[str] = []
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                is_refused = self.path == "/refuses"
                if not is_refused:
                    chat.told.append(body["text"])
                self.send_response(500 if is_refused else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@dataclass(frozen=True)
class Story:
    """What was told while things went wrong, and after they went well."""

    live: LiveStack
    http: httpx.Client
    chat: Chat
    failed: dict[str, Run]
    mails: list[dict[str, Any]]

    def of(self, *words: str) -> list[dict[str, Any]]:
        return [mail for mail in self.mails if all(word in mail["subject"] for word in words)]


@pytest.fixture(scope="module")
def chat() -> Iterator[Chat]:
    chat = Chat()
    yield chat
    chat.server.shutdown()
    chat.server.server_close()


@pytest.fixture(scope="module")
def http(live: LiveStack) -> Iterator[httpx.Client]:
    """Somebody who is signed in to Airflow."""
    login = {"username": "admin", "password": live.addresses.credentials.admin}
    url = live.addresses.airflow
    token = httpx.post(f"{url}/auth/token", json=login, trust_env=False).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def story(live: LiveStack, http: httpx.Client, chat: Chat) -> Iterator[Story]:
    """A use case whose DAGs all go wrong, and then all go well."""
    folder = live.use_cases / OWNER
    shutil.copytree(live.use_cases / "housing", folder)
    spec = folder / "use_case.yaml"
    text = spec.read_text(encoding="utf-8").replace("name: housing", f"name: {OWNER}", 1)
    owner = f"owner:\n  name: Camp\n  alerts: [{ADDRESS}]\n  webhooks: [nowhere, refuses, chat]\n"
    spec.write_text(re.sub(r"owner:\n(  .*\n)+", owner, text), encoding="utf-8")
    for name, host in (("chat", f"{chat.url}/hook"), ("refuses", f"{chat.url}/refuses")):
        body = {"connection_id": name, "conn_type": "http", "host": host}
        assert http.post("/api/v2/connections", json=body).status_code in (201, 409)
    seen = len(live.mails())
    faults = live.dags / "faults"
    try:
        faults.mkdir()
        shutil.copy(Path(__file__).with_name("faults.py"), faults / "faults.py")
        (faults / "torn.py").write_text(TORN, encoding="utf-8")
        yield from _told(live, http, chat, seen)
    finally:
        for made in (faults, folder, live.use_cases / BROKEN):
            shutil.rmtree(made, ignore_errors=True)


def _told(live: LiveStack, http: httpx.Client, chat: Chat, seen: int) -> Iterator[Story]:
    runs = {fault.name: live.start(f"{OWNER}_{fault.name}", reason="go wrong") for fault in FAULTS}
    failed = {name: live.finish(run) for name, run in runs.items() if name != "question"}
    again = [live.start(f"{OWNER}_{name}", reason="go wrong") for name in TWICE]
    for fault in FAULTS:
        live.await_mail(OWNED, *fault.words, seen=seen, seconds=PATIENCE)
    for run in again:
        live.finish(run)
    (live.use_cases / BROKEN).mkdir()
    (live.use_cases / BROKEN / "use_case.yaml").write_text("name: huts\n", encoding="utf-8")
    for _ in range(2):
        live.finish(live.start("sluice_check"))
    shutil.rmtree(live.use_cases / BROKEN)
    live.await_mail("import cannot be read: torn.py", seen=seen, seconds=PATIENCE)
    (live.dags / "faults" / "torn.py").write_text(MENDED, encoding="utf-8")
    _answer(live, http, runs["question"])
    good = [live.start(f"{OWNER}_{fault.name}") for fault in FAULTS if fault.name != "question"]
    good += [live.start("sluice_check"), live.start("sluice_torn")]
    for run in good:
        assert live.finish(run).state == "success", run
    live.await_mail("import recovered: torn.py", seen=seen, seconds=PATIENCE)
    live.await_mail("check recovered", BROKEN, seen=seen, seconds=PATIENCE)
    for fault in FAULTS:
        if fault.heals:
            live.await_mail(OWNED, _stage(fault), "recovered", seen=seen, seconds=PATIENCE)
    # Nothing more may come.
    time.sleep(3)
    yield Story(live, http, chat, failed, live.mails()[seen:])


def _stage(fault: Fault) -> str:
    return f" {fault.words[0].split()[0]} "


def _answer(live: LiveStack, http: httpx.Client, run: Run) -> None:
    path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/ask_approval/-1/hitlDetails"
    answer = http.patch(path, json={"chosen_options": ["Approve"], "params_input": {}})
    assert answer.status_code == 200, answer.text
    assert live.finish(run).state in DONE


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_goes_wrong_is_told_once_to_its_owner(story: Story, fault: Fault) -> None:
    """Although some went wrong twice, and one in several tasks of one run."""
    [mail] = story.of(OWNED, *fault.words)

    assert mail["to"] == [ADDRESS]
    assert mail["text"].startswith(mail["subject"])
    assert "Since: 20" in mail["text"]
    if fault.fails:
        assert story.failed[fault.name].state == "failed"
        ended = story.failed[fault.name].ended
        assert ended is not None
        assert (datetime.fromisoformat(mail["received_at"]) - ended).total_seconds() < DETECTED


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_heals_is_told_once(story: Story, fault: Fault) -> None:
    recovered = [mail for mail in story.of(OWNED, _stage(fault)) if "recovered" in mail["subject"]]

    assert len(recovered) == sum(other.heals for other in FAULTS if _stage(other) == _stage(fault))


def test_there_is_no_mail_beside_those(story: Story) -> None:
    expected = sum(1 + fault.heals for fault in FAULTS)

    assert len(story.of(OWNED)) == expected, [mail["subject"] for mail in story.mails]


@pytest.mark.parametrize("what", ["import cannot be read: torn.py", f"check spec is broken: {BROKEN}/use_case.yaml"])
def test_what_no_use_case_can_tell_goes_to_the_platforms_people(story: Story, what: str) -> None:
    [mail] = story.of("platform", what)
    [healed] = story.of("platform", "recovered", what.rsplit(maxsplit=1)[-1])

    assert mail["to"] == healed["to"] == [PLATFORM]


def test_the_mail_shows_the_end_of_the_tasks_log(story: Story) -> None:
    [failed] = story.of(OWNED, "fail failed: fail")
    [lost] = story.of(OWNED, "die lost: die")

    assert "about to go wrong" in failed["text"]
    assert "ValueError: it went wrong" in failed["text"].split("Last lines of the log")[1]
    assert "Last lines of the log" in lost["text"]


def test_every_link_leads_somewhere(story: Story) -> None:
    mails = [*story.of(OWNED), *story.of("platform", "torn.py"), *story.of("platform", BROKEN)]
    links = {link for mail in mails for link in re.findall(r'href="([^"]+)"', mail["html"])}
    pages = {link for link in links if link.startswith(story.live.addresses.airflow) and "/sluice/reports/" not in link}

    # What tells of a decision here is not the promotion that it speaks of.
    pages = {link for link in pages if f"/{OWNER}_promote/" not in link}
    assert len(pages) > len(FAULTS)
    for link in pages:
        assert story.http.get(_resource(link.replace(story.live.addresses.airflow, ""))).status_code == 200, link


def _resource(path: str) -> str:
    """What Airflow's page at a path shows, by the REST API; the page itself is the same for every path."""
    found = re.fullmatch(
        r"/dags(?:/(?P<dag>[^/]+)/runs/(?P<run>[^/?]+)"
        r"(?:/tasks/(?P<task>[^/?]+)(?:/mapped/(?P<index>\d+))?(?:/required_actions)?)?)?(?:\?.*)?",
        path,
    )
    assert found, path
    if found["dag"] is None:
        return "/api/v2/dags"
    run = f"/api/v2/dags/{found['dag']}/dagRuns/{found['run']}"
    if found["task"] is None:
        return run
    return f"{run}/taskInstances/{found['task']}" + (f"/{found['index']}" if found["index"] else "")


def test_the_chat_hears_of_all_of_it_although_another_one_refuses(story: Story) -> None:
    # Airflow lets the callback of a deadline see the connections of the environment, and none of its own database.
    subjects = [mail["subject"] for mail in story.of(OWNED) if "is late" not in mail["subject"]]

    assert sorted(text.split("\n", 1)[0] for text in story.chat.told) == sorted(subjects)


def test_the_ledger_holds_what_was_wrong_and_that_it_is_over(story: Story) -> None:
    rows = story.live.warehouse.rows(
        "SELECT cause, times FROM monitoring.incidents WHERE use_case = %(name)s AND closed_at IS NULL", {"name": OWNER}
    )
    [failed] = story.live.warehouse.rows(
        "SELECT times FROM monitoring.incidents WHERE cause = %(cause)s", {"cause": f"task:{OWNER}_fail.fail"}
    )

    assert rows == []
    assert failed["times"] >= 2, "it went wrong twice"


def test_a_deadline_makes_no_new_version_of_a_dag_that_is_what_it_was(story: Story) -> None:
    airflow = Warehouse(story.live.addresses.database("airflow"), story.live.warehouse.statements)
    rows = airflow.rows("SELECT dag_id, count(*) AS versions FROM dag_version WHERE dag_id LIKE 'tents%%' GROUP BY 1")

    assert {row["versions"] for row in rows} == {1}, rows
