"""What a store that speaks S3 refuses is said in words, with the setting to change."""

from collections.abc import Callable

import pytest
import s3fs

from local.ports import free_port
from sluice.adapters.objects import ObjectStore
from sluice.domain.errors import StateError, TransientError
from tests.buckets import S3

Tell = Callable[..., None]


@pytest.fixture
def tell(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Changes what the clients to come are told; None takes it away."""

    def changed(**environment: str | None) -> None:
        for name, value in environment.items():
            if value is None:
                monkeypatch.delenv(name)
            else:
                monkeypatch.setenv(name, value)
        # A process that was told something else.
        s3fs.S3FileSystem.clear_instance_cache()

    return changed


@pytest.fixture(autouse=True)
def _apart() -> None:
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_bucket_that_is_not_there_is_not_made(s3: S3, bucket: str) -> None:
    absent = ObjectStore("s3://sluice-absent/store")

    for ask in (lambda: absent.write_bytes("a", b""), lambda: absent.read_bytes("a")):
        with pytest.raises(StateError, match=r"no such bucket .* make the bucket, or correct SLUICE_OBJECT_STORE"):
            ask()


def test_a_name_that_no_bucket_can_have_is_said(bucket: str) -> None:
    with pytest.raises(StateError, match=r"no bucket can have this name(.|\n)*correct SLUICE_OBJECT_STORE"):
        ObjectStore("s3://No_Bucket!/store").write_bytes("a", b"")


def test_a_key_that_the_store_does_not_know_is_said(s3: S3, bucket: str, tell: Tell) -> None:
    with s3.guarded():
        tell(AWS_ACCESS_KEY_ID="mistyped")
        with pytest.raises(StateError, match=r"does not know the key .* correct AWS_ACCESS_KEY_ID"):
            ObjectStore(bucket).read_bytes("a")


def test_a_secret_that_is_wrong_is_said(s3: S3, bucket: str, tell: Tell) -> None:
    with s3.guarded() as good:
        tell(**good | {"AWS_SECRET_ACCESS_KEY": "mistyped"})
        with pytest.raises(StateError, match=r"does not accept the key's secret .* AWS_SECRET_ACCESS_KEY"):
            ObjectStore(bucket).write_bytes("a", b"")


def test_a_key_without_the_right_is_said(s3: S3, bucket: str, tell: Tell) -> None:
    with s3.guarded() as good:
        tell(**good)
        for ask in (ObjectStore(bucket).read_bytes, ObjectStore(bucket).exists):
            with pytest.raises(StateError, match=r"does not let this key do that .* give the key the rights"):
                ask("a")


def test_no_key_at_all_is_said(bucket: str, tell: Tell) -> None:
    tell(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)

    with pytest.raises(StateError, match=r"there is no key .* set AWS_ACCESS_KEY_ID"):
        ObjectStore(bucket).exists("a")


def test_a_store_that_is_away_may_come_back(bucket: str, tell: Tell) -> None:
    tell(AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}")

    with pytest.raises(TransientError, match=r"does not answer: .* start it, or correct AWS_ENDPOINT_URL"):
        ObjectStore(bucket).read_bytes("a")


def test_an_endpoint_that_is_no_address_is_said(bucket: str, tell: Tell) -> None:
    tell(AWS_ENDPOINT_URL="minio:9000")

    with pytest.raises(StateError, match=r"Invalid endpoint: minio:9000 .* correct AWS_ENDPOINT_URL"):
        ObjectStore(bucket).read_bytes("a")
