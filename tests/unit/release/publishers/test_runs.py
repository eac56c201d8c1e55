"""What is entered in Weights & Biases names each file by its address and digest; what keeps it out is told."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sluice.domain.errors import PublishError, TransientError
from sluice.release.publishers.publication import Publication
from sluice.release.publishers.runs import Runs

KEY = "0" * 39 + "1"
#: Of a block of the client's file, which is a log as LevelDB writes it; of its header; of a record's header.
BLOCK, HEADER, RECORD = 32_768, 7, 7


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client keeps what it would send."""
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    folder = tmp_path / "wandb"
    folder.mkdir()
    return Runs("team/sluice", "http://127.0.0.1:1", KEY, folder, seconds=1)


def records(folder: Path) -> list[Any]:
    """What the client would send, in the messages that it would send it in."""
    from wandb.proto.wandb_internal_pb2 import Record

    [file] = folder.glob("wandb/offline-run-*/*.wandb")
    return [Record.FromString(part) for part in _parts(file.read_bytes())]


def _parts(content: bytes) -> Iterator[bytes]:
    """The entries of a log; one that crosses the end of a block is in pieces (first, middle, last)."""
    position, whole = HEADER, b""
    while position + RECORD <= len(content):
        if BLOCK - position % BLOCK < RECORD:
            position += BLOCK - position % BLOCK
        _, length, kind = struct.unpack("<IHB", content[position : position + RECORD])
        whole += content[position + RECORD : position + RECORD + length]
        position += RECORD + length
        if kind in (1, 4):
            yield whole
            whole = b""


def artifact(folder: Path) -> Any:
    """The artifact among them."""
    [found] = [record.artifact for record in records(folder) if record.HasField("artifact")]
    return found


@pytest.mark.usefixtures("offline")
def test_what_is_read_back_names_every_file_by_its_address_and_digest(runs: Runs, publication: Publication) -> None:
    runs.publish(replace(publication, metrics={"r2": 0.81}))

    said = records(runs.folder)
    assert {each.path: (each.ref, each.digest) for each in artifact(runs.folder).manifest.contents} == {
        path: (f"s3://store/releases/line/3/{path}", sha256) for path, sha256 in publication.files.items()
    }
    [run] = [record.run for record in said if record.run.run_id]
    assert (run.entity, run.project, run.run_id) == ("team", "sluice", f"line-{publication.name}")
    config = {item.key: item.value_json for item in run.config.update}
    assert config["bundle"] == f'"{publication.facts["bundle"]}"'
    summary = {item.key: item.value_json for record in said for item in record.summary.update}
    assert summary["r2"] == "0.81"
    assert KEY not in str(said)


@pytest.mark.usefixtures("offline")
def test_the_same_again_is_the_same_run_and_the_same_artifact(runs: Runs, publication: Publication) -> None:
    again = replace(runs, folder=runs.folder.with_name("again"))
    again.folder.mkdir()

    for each in (runs, again):
        each.publish(publication)

    first, second = (artifact(each.folder) for each in (runs, again))
    assert first.digest == second.digest != ""
    assert first.run_id == second.run_id == f"line-{publication.name}"
    assert set(first.aliases) >= {"champion", publication.name}


@contextmanager
def answering(status: int | None) -> Iterator[str]:
    """A server that answers everything alike; with no status, not at all."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if status is None:
                over.wait(60)
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = _answer  # noqa: N815  the names are http.server's

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        over.set()
        server.shutdown()
        thread.join()


def test_a_wrong_key_is_told_with_what_to_do_and_without_the_key(runs: Runs, publication: Publication) -> None:
    with answering(401) as url, pytest.raises(PublishError, match=r"refuses the key \(401\)") as refusal:
        replace(runs, url=url).publish(publication)

    assert "sluice_wandb" in refusal.value.action
    assert KEY not in f"{refusal.value}{runs}"


def test_a_service_that_hangs_is_not_waited_for(runs: Runs, publication: Publication) -> None:
    begin = time.monotonic()

    with answering(None) as url, pytest.raises(TransientError, match="Weights & Biases does not answer"):
        replace(runs, url=url).publish(publication)

    assert time.monotonic() - begin < 60


@pytest.mark.usefixtures("offline")
def test_a_full_disk_is_told(runs: Runs, publication: Publication, full_disk: Path) -> None:
    with pytest.raises(PublishError, match="no room to make ready"):
        replace(runs, folder=full_disk).publish(publication)
