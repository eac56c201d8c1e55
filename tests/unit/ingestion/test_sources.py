"""Sources: paths, URLs and samples become one local file, or an error that says what to do."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from local.ports import free_port
from sluice.adapters.objects import ObjectStore
from sluice.domain.errors import SourceError, SpecError, TransientError
from sluice.domain.use_case import UseCase
from sluice.ingestion import sources

CSV = b"meter,reading\n1,2\n"

SAMPLE = """
rows: 10
seed: 3
columns:
  meter: {normal: [100, 10], decimals: 0}
  floor: {constant: 2, decimals: 0}
  heated: {shares: {"true": 1, "false": 1}}
  fuel: {shares: {gas: 3, oil: 1}}
target: {column: reading, base: 20, noise: 1, decimals: 2}
drift:
  cold: {base: -10}
"""


class Answers(BaseHTTPRequestHandler):
    """A server's answers, by path."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path == "/moved":
            self.send_response(302)
            self.send_header("location", "/good.csv")
            self.end_headers()
            return
        if path == "/slow.csv":
            time.sleep(1)
        status = int(path.strip("/")) if path.strip("/").isdigit() else 200
        self.send_response(status)
        self.send_header("content-type", "text/html; charset=utf-8" if path == "/page" else "text/csv")
        self.end_headers()
        self.wfile.write(CSV)

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{found.server_port}"
        found.shutdown()


@pytest.mark.parametrize("form", ["{path}", "file://{path}", "source.csv"], ids=["path", "file URL", "relative path"])
def test_a_file_is_hashed_where_it_is(tmp_path: Path, heating: UseCase, form: str) -> None:
    path = tmp_path / "source.csv"
    path.write_bytes(CSV)
    with sources.resolve(heating, tmp_path, form.format(path=path)) as source:
        assert (source.path, source.uri, source.bytes) == (path, path.as_uri(), len(CSV))
        assert source.sha256 == hashlib.sha256(CSV).hexdigest()
        assert not source.changed()
        path.write_bytes(CSV + CSV)
        assert source.changed()
    assert path.exists()


@pytest.mark.parametrize("path", ["/good.csv", "/moved"])
def test_a_url_is_copied_for_as_long_as_it_is_needed(tmp_path: Path, heating: UseCase, server: str, path: str) -> None:
    with sources.resolve(heating, tmp_path, f"http://someone:secret@{server}{path}") as source:
        assert source.path.read_bytes() == CSV
        assert source.uri == f"http://{server}{path}"
        assert source.sha256 == hashlib.sha256(CSV).hexdigest()
    assert not source.path.exists()


@pytest.mark.parametrize(
    ("uri", "error", "says"),
    [
        ("http://{server}/404", SourceError, "answered 404"),
        ("http://{server}/403", SourceError, "answered 403"),
        ("http://{server}/503", TransientError, "answered 503"),
        ("http://{server}/429", TransientError, "answered 429"),
        ("http://{server}/page", SourceError, "web page"),
        ("http://{server}/slow.csv", TransientError, "did not answer: ReadTimeout"),
        ("http://127.0.0.1:1/x.csv", TransientError, "did not answer: ConnectError"),
        ("http://[half/x.csv", SourceError, "address"),
        ("ftp://somewhere/x.csv", SourceError, "kind 'ftp'"),
        ("absent.csv", SourceError, "No such file"),
        (".", SourceError, "Is a directory"),
        ("sample:other", SourceError, "no sample 'other'"),
        ("sample:?colour=red", SourceError, "no 'colour'"),
        ("sample:?rows=many", SourceError, "whole numbers"),
        ("sample:?drift=warm", SpecError, "no drift 'warm'"),
    ],
)
def test_what_cannot_be_opened_says_whether_to_try_again(
    tmp_path: Path,
    heating: UseCase,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    uri: str,
    error: type[Exception],
    says: str,
) -> None:
    monkeypatch.setattr(sources, "TIMEOUT", 0.5)
    (tmp_path / "sample.yaml").write_text(SAMPLE)
    with (
        pytest.raises(error, match=says) as raised,
        sources.resolve(_without_at(heating), tmp_path, uri.format(server=server)),
    ):
        pass
    assert type(raised.value) is error


def test_more_than_is_allowed_is_not_taken(
    tmp_path: Path, heating: UseCase, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 5)
    with pytest.raises(SourceError, match="larger than 5"), sources.resolve(heating, tmp_path, f"http://{server}/a"):
        pass


def test_a_password_is_not_in_the_message(tmp_path: Path, heating: UseCase, server: str) -> None:
    with (
        pytest.raises(SourceError) as error,
        sources.resolve(heating, tmp_path, f"http://someone:secret@{server}/404"),
    ):
        pass
    assert "secret" not in str(error.value)


def test_the_override_comes_before_the_spec_and_the_spec_before_the_sample(
    tmp_path: Path, make_use_case: Callable[..., UseCase]
) -> None:
    named, other = tmp_path / "named.csv", tmp_path / "other.csv"
    for path in (named, other):
        path.write_bytes(CSV)
    (tmp_path / "sample.yaml").write_text(SAMPLE)
    with_source, without = make_use_case(source={"uri": "named.csv"}), _without_at(make_use_case())
    with sources.resolve(with_source, tmp_path, "other.csv") as source:
        assert source.path == other
    with sources.resolve(with_source, tmp_path) as source:
        assert source.path == named
    with sources.resolve(without, tmp_path) as source:
        assert source.uri == f"sample:{without.name}?rows=10&seed=3"
        assert len(source.path.read_text().splitlines()) == 11


def test_a_samples_address_says_what_its_bytes_depend_on(tmp_path: Path, heating: UseCase) -> None:
    (tmp_path / "sample.yaml").write_text(SAMPLE)
    use_case = _without_at(heating)
    asked = f"sample:{use_case.name}?drift=cold&rows=5"
    with sources.resolve(use_case, tmp_path, asked) as first, sources.resolve(use_case, tmp_path, first.uri) as again:
        assert first.uri == f"sample:{use_case.name}?rows=5&seed=3&drift=cold"
        assert (first.uri, first.sha256) == (again.uri, again.sha256)


def test_a_use_case_with_neither_source_nor_sample_is_told_so(tmp_path: Path, heating: UseCase) -> None:
    with pytest.raises(SpecError, match="no source and no sample"), sources.resolve(heating, tmp_path):
        pass


def _without_at(use_case: UseCase) -> UseCase:
    """The use case without its timestamp, which no sample draws."""
    return use_case.model_copy(update={"columns": use_case.columns[:-1]})


def test_a_file_of_a_bucket_is_copied_too(tmp_path: Path, heating: UseCase, bucket: str) -> None:
    uri = ObjectStore(bucket).write_bytes("readings.csv", CSV)

    with sources.resolve(heating, tmp_path, uri) as source:
        assert (source.uri, source.path.read_bytes()) == (uri, CSV)
    assert not source.path.exists()


@pytest.mark.parametrize(
    "uri",
    ["s3://sluice-absent/readings.csv", "{bucket}/absent.csv", "s3://No_Bucket!/x"],
    ids=["bucket", "file", "name"],
)
def test_what_a_bucket_does_not_have_is_said(tmp_path: Path, heating: UseCase, bucket: str, uri: str) -> None:
    with (
        pytest.raises(SourceError, match=r"(the address|check the address)"),
        sources.resolve(heating, tmp_path, uri.format(bucket=bucket)),
    ):
        pass


def test_a_bucket_that_is_away_may_come_back(
    tmp_path: Path, heating: UseCase, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    S3FileSystem.clear_instance_cache()

    with pytest.raises(TransientError, match="does not answer"), sources.resolve(heating, tmp_path, f"{bucket}/x.csv"):
        pass
    S3FileSystem.clear_instance_cache()
