"""A server that speaks S3, and buckets on it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from local.ports import free_port
from tests.bentos.servers import eventually

NUMBERS = count(1)


@dataclass(frozen=True)
class S3:
    """A running server, which believes whoever asks until it is `guarded`."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What its clients are told."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "for-tests",
            "AWS_SECRET_ACCESS_KEY": "only-for-tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            # Nothing on this machine's network is asked for keys.
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def bucket(self) -> str:
        """The URL of a folder in a new bucket."""
        name = f"sluice-{next(NUMBERS)}"
        self._client("s3").create_bucket(Bucket=name)
        return f"s3://{name}/a store"

    def keys(self, root: str) -> list[str]:
        """What lies below a URL."""
        bucket, _, prefix = root.removeprefix("s3://").partition("/")
        found = self._client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", [])
        return [each["Key"].removeprefix(f"{prefix}/") for each in found]

    @contextlib.contextmanager
    def guarded(self) -> Iterator[dict[str, str]]:
        """Let in nobody but those who have a key; yields a good one, which may do nothing."""
        iam = self._client("iam")
        name = f"somebody-{next(NUMBERS)}"
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        httpx.post(f"{self.url}/moto-api/reset-auth", content=b"0").raise_for_status()
        try:
            yield {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        finally:
            httpx.post(f"{self.url}/moto-api/reset-auth", content=b"inf").raise_for_status()

    def _client(self, service: str) -> Any:
        import boto3

        told = self.environment
        return boto3.client(
            service,
            endpoint_url=self.url,
            aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
            region_name=told["AWS_DEFAULT_REGION"],
        )


@contextlib.contextmanager
def running(folder: Path) -> Iterator[S3]:
    """A server of one's own, in a process of its own; it keeps everything in memory."""
    port = free_port()
    server = S3(f"http://127.0.0.1:{port}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "--port", str(port)], env=os.environ, stdout=log, stderr=log
        )
    try:

        def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"{server.url}/moto-api/").is_success
            return False

        eventually(answers, within=60)
        yield server
    finally:
        process.terminate()
        process.wait(20)
