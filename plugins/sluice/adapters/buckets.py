"""Buckets: how a store that speaks S3 is opened, and which setting its refusals speak of."""

from __future__ import annotations

from typing import Any

from sluice.domain.errors import SluiceError, StateError, TransientError

_OPTIONS: dict[str, Any] = {
    # A list that was kept would hide what other machines have written since.
    "use_listings_cache": False,
    # One request reads a file, so that one that is replaced meanwhile is read as it was or as it is.
    "max_concurrency": 1,
    "config_kwargs": {"connect_timeout": 5, "read_timeout": 60, "retries": {"mode": "standard", "max_attempts": 3}},
}

_KEY = "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_REGION = ("the bucket is in another region than it was looked for in", "correct AWS_DEFAULT_REGION")
_DENIED = (
    "the object store does not let this key do that",
    f"give the key the rights to get, put, delete and list, or {_KEY}",
)
#: What is said for each code, and what to do. `403` is all that an answer without a body says.
_REFUSALS = {
    "NoSuchBucket": ("there is no such bucket", "make the bucket, or correct SLUICE_OBJECT_STORE"),
    "InvalidBucketName": ("no bucket can have this name", "correct SLUICE_OBJECT_STORE"),
    "InvalidAccessKeyId": ("the object store does not know the key", _KEY),
    "SignatureDoesNotMatch": ("the object store does not accept the key's secret", _KEY),
    "InvalidToken": ("the object store does not accept the session's token", "renew AWS_SESSION_TOKEN"),
    "ExpiredToken": ("the session's token is out of date", "renew AWS_SESSION_TOKEN"),
    "AccessDenied": _DENIED,
    "403": _DENIED,
    "AuthorizationHeaderMalformed": _REGION,
    "PermanentRedirect": _REGION,
    "301": _REGION,
    "RequestTimeTooSkewed": ("the object store's clock and this machine's differ", "set the clocks"),
}


def options(root: str) -> dict[str, Any]:
    """How fsspec is to open a store; nothing unusual for one that is no bucket.

    Args:
        root: The store's URL.
    """
    return _OPTIONS if root.startswith("s3:") else {}


def meaning(error: Exception, place: str) -> SluiceError | None:
    """What an error of the file system says about the store; None where it says nothing about it.

    Args:
        error: As fsspec raises it.
        place: The URL that was asked for.
    """
    if said := _REFUSALS.get(_code(error)):
        return StateError(said[0], place, said[1])
    if isinstance(error, FileNotFoundError):
        return StateError("a file is missing from the object store", place, "restore it")
    # Local: it takes long to import, and nobody needs it whose store is a folder.
    from botocore import exceptions as known

    if isinstance(error, known.NoCredentialsError | known.PartialCredentialsError):
        return StateError("there is no key for the object store", place, "set AWS_ACCESS_KEY_ID and its secret")
    if isinstance(error, known.ParamValidationError):
        return StateError(f"no bucket can have this name: {error}", place, "correct SLUICE_OBJECT_STORE")
    if isinstance(error, ValueError) and "endpoint" in str(error):
        return StateError(f"the object store's address is none: {error}", place, "correct AWS_ENDPOINT_URL")
    if isinstance(error, known.BotoCoreError) or _code(error):
        return TransientError(
            f"the object store does not answer: {error}", place, "start it, or correct AWS_ENDPOINT_URL"
        )
    return None


def _code(error: BaseException) -> str:
    """The code of an answer of S3; empty where there was none."""
    # The file system puts an error of Python's in front of the answer.
    for told in (error, error.__cause__):
        if answer := getattr(told, "response", None):
            return str(answer.get("Error", {}).get("Code", ""))
    return ""
