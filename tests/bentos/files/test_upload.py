"""Files of rows: answered while they come in, each row for itself, by one release, in little memory."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import http.client
import io
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from sluice.adapters.warehouse import Warehouse
from tabular.answers.desk import Desk
from tabular.exchange import Bounds, Cut
from tabular.files.flow import Flow
from tabular.files.room import Room
from tabular.files.spool import Disk
from tabular.files.upload import MOST, Upload
from tabular.record.entries import Failure, Record
from tabular.releases import bundle as loading
from tabular.releases.standing import Release, Standing
from tabular.watching.metrics import Metrics
from tabular.web.application import Application
from tabular.web.routes import Routes
from tests.bentos import bundles
from tests.bentos.bundles import USE_CASE, Recipe, broken, predict, shifted
from tests.bentos.servers import Service, eventually

ADDRESS = "/predict/file"
CSV = {"content-type": "text/csv"}
HEADER = "income,rooms,furnished,place"
VERSION = 3


def line(number: int) -> str:
    """A good row, and not the same as its neighbours."""
    furnished, place = ("false", "true")[number % 2], ("INLAND", "NEAR BAY")[number % 3 == 0]
    return f"{number % 20},{number % 8 + 1},{furnished},{place}"


def expected(number: int, base: float = 100.0) -> float:
    income, rooms, furnished, place = line(number).split(",")
    instance = {"income": float(income), "rooms": int(rooms), "furnished": furnished == "true", "place": place}
    return predict(instance, base)


def file(rows: int) -> bytes:
    return "\n".join([HEADER, *map(line, range(rows)), ""]).encode()


def read(content: bytes | str) -> list[dict[str, str]]:
    text = content if isinstance(content, str) else content.decode()
    return list(csv.DictReader(io.StringIO(text), strict=True))


@pytest.fixture(scope="module")
def service(serve: Callable[..., Service], warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service that gives unknown columns back, and logs."""
    recipe = Recipe().with_limits(unknown_fields="ignore")
    folder = bundles.write(tmp_path_factory.mktemp("bundle"), recipe)
    (folder / "release.json").write_text(json.dumps({"version": VERSION, "bento": f"rents:{VERSION}"}))
    return serve(SLUICE_BUNDLE=str(folder), SLUICE_WAREHOUSE_DSN=warehouse.dsn, SLUICE_BODY_SECONDS="5").wait()


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as connected:
        yield connected


def curl(service: Service, content: bytes, folder: Path, *options: str) -> bytes:
    """Send a file as people do."""
    (folder / "rows.csv").write_bytes(content)
    command = ["curl", "-sS", "--fail", "--noproxy", "*", "-T", str(folder / "rows.csv"), *options]
    address = f"{service.url}{ADDRESS}"
    return subprocess.run([*command, "-H", "content-type: text/csv", address], capture_output=True, check=True).stdout


def test_a_file_is_answered_row_by_row_and_every_row_is_logged(
    service: Service, warehouse: Warehouse, tmp_path: Path
) -> None:
    rows = 30_000
    answer = curl(service, file(rows), tmp_path, "-D", str(tmp_path / "head"), "-H", "x-request-id: march")
    found = read(answer)
    assert [float(row["prediction"]) for row in found] == [expected(number) for number in range(rows)]
    assert ",".join(found[0]) == f"{HEADER},prediction,prediction_low,prediction_high,prediction_id,error"
    assert len({row["prediction_id"] for row in found}) == rows
    assert answer.endswith(b"\n")
    head = (tmp_path / "head").read_text().lower()
    for told in ("content-type: text/csv; charset=utf-8", f"x-sluice-version: {VERSION}", "x-request-id: march"):
        assert told in head
    last = found[-1]
    logged = eventually(lambda: _logged(warehouse, "march", rows))
    assert len(logged) == rows
    assert logged[last["prediction_id"]] == (
        {"income": float(last["income"]), "rooms": 8, "furnished": True, "place": "INLAND"},
        float(last["prediction"]),
        VERSION,
    )
    series = httpx.get(f"{service.url}/metrics", trust_env=False).text
    assert f'upload_rows_total{{outcome="ok",use_case="{USE_CASE}"}} {rows}' in series.replace(".0\n", "\n")


def _logged(warehouse: Warehouse, request_id: str, rows: int) -> dict[str, Any] | None:
    query = """
    SELECT prediction_id::text, features, prediction, model_version FROM serving.predictions WHERE request_id = %(id)s
    """
    found = warehouse.rows(query, {"id": request_id})
    if len(found) < rows:
        return None
    return {row["prediction_id"]: (row["features"], row["prediction"], row["model_version"]) for row in found}


def test_the_answer_begins_before_the_upload_ends(service: Service) -> None:
    head = f"POST {ADDRESS} HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(head.encode() + _chunk(file(3)))
        got = b""
        while got.count(b"\n") < 3 or b"true" not in got:
            got += connection.recv(65536)
        assert b"200 OK" in got
        connection.sendall(_chunk(b"1,2,true,MOON\n") + b"0\r\n\r\n")
        while b"0\r\n\r\n" not in got[-5:]:
            got += connection.recv(65536)
    assert b'MOON,,,,,"place is not one of the categories' in got


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


@pytest.mark.parametrize(
    ("content", "headers", "status", "kind", "told"),
    [
        (file(1), {}, 415, "unsupported-media-type", "curl -T"),
        (file(1), {"content-type": "application/json"}, 415, "unsupported-media-type", "curl -T"),
        (file(1), {"content-type": "text/csv; charset=latin-1"}, 415, "unsupported-media-type", "curl -T"),
        (file(1), CSV | {"content-encoding": "gzip"}, 415, "unsupported-media-type", "content-encoding"),
        (b"", CSV, 400, "malformed-csv", "empty"),
        (b"income;rooms;furnished;place\n", CSV, 400, "malformed-csv", "semicolons"),
        (b"income,rooms,place\n1,2,INLAND\n", CSV, 422, "contract", "header.furnished is missing"),
    ],
)
def test_what_cannot_be_read_is_refused_before_the_first_row(
    client: httpx.Client, content: bytes, headers: dict[str, str], status: int, kind: str, told: str
) -> None:
    answer = client.post(ADDRESS, content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["type"] == f"urn:sluice:problem:{kind}"
    assert told in answer.json()["detail"]


def test_a_header_alone_is_answered_by_one(client: httpx.Client) -> None:
    answer = client.post(ADDRESS, content=HEADER.encode(), headers=CSV | {"content-type": 'text/csv;charset="UTF-8"'})
    assert (answer.status_code, read(answer.content)) == (200, [])
    assert answer.text == f"{HEADER},prediction,prediction_low,prediction_high,prediction_id,error\n"


def test_a_caller_who_sends_everything_before_reading_is_answered_too(service: Service) -> None:
    rows = 20_000
    note = "x" * 2000
    content = "\n".join([f"{HEADER},note", *(f"{line(number)},{note}" for number in range(rows)), ""]).encode()
    head = f"POST {ADDRESS} HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\nconnection: close\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
        connection.sendall(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        got = answer.read()
    assert got.count(note.encode()) == rows


def test_memory_does_not_grow_with_the_file(service: Service, tmp_path: Path) -> None:
    def taken() -> float:
        return service.worker.memory_info().rss / 1e6

    for _ in range(3):
        curl(service, file(25_000), tmp_path)
    before = taken()
    curl(service, file(500_000), tmp_path, "-o", "/dev/null")
    # The answer to that file has 60 MB.
    assert taken() - before < 25


@contextlib.contextmanager
def begun(service: Service, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """An upload that has begun and does not go on, by the caller of an address."""
    head = f"POST {ADDRESS} HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\ncontent-length: 1000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=20, source_address=(host, 0)) as connection:
        connection.sendall(head.encode() + file(2))
        assert connection.recv(12) == b"HTTP/1.1 200"
        yield connection


def test_there_are_only_so_many_uploads_at_once_and_one_who_hangs_up_makes_room(
    service: Service, client: httpx.Client
) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(MOST):
            stack.enter_context(begun(service, f"127.0.0.{2 + number}"))
        answer = client.post(ADDRESS, content=file(1), headers=CSV)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert f"{MOST} uploads under way" in answer.json()["detail"]
        assert client.post("/api/v1/predict", json={"instances": [bundles.EXAMPLE]}).status_code == 200
    eventually(lambda: client.post(ADDRESS, content=file(1), headers=CSV).status_code == 200, within=3)


def test_one_caller_cannot_take_every_place(service: Service, client: httpx.Client) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MOST - 1):
            stack.enter_context(begun(service, "127.0.0.2"))
        with httpx.Client(
            base_url=service.url, transport=httpx.HTTPTransport(local_address="127.0.0.2"), trust_env=False
        ) as same:
            answer = same.post(ADDRESS, content=file(1), headers=CSV)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert f"{MOST - 1} of your uploads" in answer.json()["detail"]
        assert client.post(ADDRESS, content=file(1), headers=CSV).status_code == 200


def test_files_one_after_the_other_never_meet(client: httpx.Client) -> None:
    assert {client.post(ADDRESS, content=file(1), headers=CSV).status_code for _ in range(100)} == {200}


def test_an_upload_that_stops_is_cut_off_and_the_log_says_so_in_one_line(service: Service) -> None:
    before = len(service.log)
    with begun(service) as connection:
        got = b""
        while piece := connection.recv(65536):
            got += piece
    assert not got.endswith(b"0\r\n\r\n")
    # Uvicorn's own words would come after ours.
    time.sleep(0.5)
    said = [line for line in service.log[before:].splitlines() if " 200 " not in line]
    assert len(said) == 1, said
    assert "was cut off: the next piece of a body may take 5 s" in said[0]


def test_a_caller_who_reads_nothing_does_not_keep_the_connection(service: Service) -> None:
    head = f"POST {ADDRESS} HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\ncontent-length: 100000000\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", service.port))
        connection.sendall(head.encode() + file(200_000))
        port = connection.getsockname()[1]
        assert _ends(service, port)
        eventually(lambda: not _ends(service, port), within=20)


def _ends(service: Service, port: int) -> list[Any]:
    """The service's end of the connection from a port."""
    return [end for end in service.worker.net_connections("tcp") if end.raddr and end.raddr.port == port]


def test_numbers_that_no_double_holds_are_logged_as_the_graph_took_them(
    client: httpx.Client, warehouse: Warehouse
) -> None:
    long = [f"0.{'0' * 20_000}1", f"{'0' * 20_000}7", f"0.{'0' * 290}1e-99"]
    written = [*long, "1e-20000", "0e200000", "1e-999", "1e-5"]
    # Each in a file of its own: one odd number decides how all of a block are logged.
    for number in written:
        content = f"{HEADER}\n{number},3,true,INLAND\n"
        answer = client.post(ADDRESS, content=content, headers=CSV | {"x-request-id": "tiny"})
        assert [row["error"] for row in read(answer.text)] == [""]
    count = "SELECT 1 FROM serving.answers WHERE request_id = 'tiny'"
    eventually(lambda: len(warehouse.rows(count)) == len(written))
    query = """
    SELECT (features ->> 'income')::double precision AS income FROM serving.predictions
    WHERE request_id = 'tiny' ORDER BY predicted_at
    """
    assert [row["income"] for row in warehouse.rows(query)] == [0, 7, 0, 0, 0, 0, 1e-5]


class Story:
    """One upload in this process, whose pieces are sent one by one."""

    def __init__(self, standing: Callable[[], Standing]) -> None:
        self.noted: list[Record] = []
        self.series = CollectorRegistry()
        self.desk = Desk(USE_CASE, "r" * 64, standing, self.noted.append, Metrics(USE_CASE, self.series))
        self._application = Routes(self.desk, Bounds(10_000, 10)).application()
        self._sent = False
        self.status = 0
        self.content = b""
        self.whole = self.cut = False

    def by(self, upload: Upload) -> Story:
        """The same by another upload's rules."""
        self._application = Application({ADDRESS: {"POST": upload}}, Bounds(10_000, 10))
        return self

    async def send(self, pieces: list[bytes | Callable[[], None]], reads: bool = True) -> None:
        """Send pieces, and do things between them, each once what came before is answered; maybe never read that."""
        left = [*pieces]

        async def receive() -> dict[str, Any]:
            while left and callable(left[0]):
                await asyncio.sleep(0.5)
                left.pop(0)()  # type: ignore[operator]
            if not left:
                if self._sent:
                    await asyncio.Event().wait()
                self._sent = True
                return {"type": "http.request", "body": b"", "more_body": False}
            return {"type": "http.request", "body": left.pop(0), "more_body": True}

        async def send(message: Any) -> None:
            self.status = message.get("status", self.status)
            self.content += message.get("body", b"")
            self.whole = message["type"] == "http.response.body" and not message.get("more_body")
            if self.content and not reads:
                await asyncio.Event().wait()

        headers = [(b"content-type", b"text/csv")]
        scope = {"type": "http", "method": "POST", "path": ADDRESS, "headers": headers, "client": ("x", 1)}
        try:
            await self._application(scope, receive, send)
        except Cut:
            self.cut = True


def release(folder: Path, recipe: Recipe, version: int) -> Release:
    loaded = loading.load(bundles.write(folder, recipe), USE_CASE, recipe.runtime_sha256)
    return Release(version, "baked", loaded, datetime.now(UTC))


def test_one_release_answers_a_file_to_its_end(tmp_path: Path) -> None:
    old, new = (release(tmp_path / str(v), shifted(Recipe(), 50.0 * v), v) for v in (0, 1))
    now = [Standing(old, "ok")]
    story = Story(lambda: now[0])
    first, second = file(2), "\n".join([*map(line, range(2, 4)), ""]).encode()
    asyncio.run(story.send([first, lambda: now.__setitem__(0, Standing(new, "ok")), second]))
    assert story.content.count(b"true") == 2
    assert [float(row["prediction"]) for row in read(story.content)] == [expected(number) for number in range(4)]
    assert story.whole


def test_a_failure_in_the_middle_cuts_the_answer_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = Standing(release(tmp_path, broken(Recipe()), VERSION), "ok")
    story = Story(lambda: now)
    asyncio.run(story.send([file(2), lambda: None, b"16,3,true,INLAND\n"]))
    assert (story.status, story.cut, story.whole, len(read(story.content))) == (200, True, False, 2)
    # What failed is told by its type and place alone: an error's words may quote what was sent.
    (noted,) = [record for record in story.noted if isinstance(record, Failure)]
    assert re.fullmatch(r"failed: \w+", noted.reason)
    assert re.search(r"request \w+ failed: \w+\n  File", caplog.text)
    assert not re.search(r"(?i)indices|bounds", caplog.text)


def test_a_failure_at_the_first_rows_is_a_failure_of_the_request(tmp_path: Path) -> None:
    now = Standing(release(tmp_path, broken(Recipe()), VERSION), "ok")
    story = Story(lambda: now)
    asyncio.run(story.send([HEADER.encode() + b"\n16,3,true,INLAND\n"]))
    assert (story.status, story.whole) == (500, True)
    assert any(isinstance(record, Failure) for record in story.noted)


def upload(story: Story, disk: Disk | None = None, flow: Callable[[], Flow] = Flow) -> Upload:
    return Upload(story.desk, lambda _: (), Room(None), lambda _: "alice", disk, flow)


def test_a_full_disk_ends_the_upload_and_is_no_failure_of_the_champion(tmp_path: Path) -> None:
    now = Standing(release(tmp_path / "bundle", Recipe(), VERSION), "ok")
    story = Story(lambda: now)
    gone = Disk(folder=str(tmp_path / "bundle"))
    shutil.rmtree(tmp_path / "bundle")
    pieces = [file(5000)[:-1] + b"\n", *("\n".join(map(line, range(5000))).encode() + b"\n" for _ in range(60))]
    begun = time.monotonic()
    asyncio.run(story.by(upload(story, disk=gone)).send(pieces, reads=False))
    assert (story.status, story.cut, story.whole) == (200, True, False)
    assert time.monotonic() - begun < 10
    assert not any(isinstance(record, Failure) for record in story.noted)


def test_a_caller_who_reads_too_slowly_is_cut_off(tmp_path: Path) -> None:
    now = Standing(release(tmp_path, Recipe(), VERSION), "ok")
    story = Story(lambda: now)
    begun = time.monotonic()
    asyncio.run(story.by(upload(story, flow=lambda: Flow(grace=1))).send([file(2)], reads=False))
    assert (story.status, story.cut, story.whole) == (200, True, False)
    assert time.monotonic() - begun < 10


def test_before_a_release_is_loaded_callers_are_told_to_come_back() -> None:
    story = Story(lambda: Standing(None, "unreachable"))
    asyncio.run(story.send([file(1)]))
    assert (story.status, json.loads(story.content)["type"]) == (503, "urn:sluice:problem:not-ready")
