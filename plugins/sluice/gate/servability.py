"""The second blessing: is the release servable, seen from outside, through its URL?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import numpy as np

from sluice.domain.contract import Contract, Golden
from sluice.domain.evidence import Check, Evidence, Subject, bounded
from sluice.domain.policy import Servable
from sluice.domain.release import Started
from sluice.gate.ending import Stop, stops
from sluice.gate.refusals import refuses

PREDICT = "/api/v1/predict"
LATENCY_REQUESTS = 200


def judge(
    policy: Servable,
    subject: Subject,
    started: Started,
    contract: Contract,
    golden: Golden,
    *,
    image: str | None,
    stop: Stop,
) -> Evidence:
    """Query a started release as a caller would, and stop it.

    Args:
        policy: Its budget.
        subject: What is judged.
        started: The running release.
        contract: What it promises.
        golden: Inputs and the outputs it must give for them.
        image: Name of its container image; None where no engine is configured.
        stop: Ends it; called once, after everything else.
    """
    if started.ready_seconds is None:
        message = f"the release never became ready, for which it has {policy.ready_seconds:g} s: {started.how}"
        checks: tuple[Check, ...] = (Check(code="ready", verdict="fail", message=message),)
    else:
        ready = bounded("ready", started.ready_seconds, "seconds until ready", maximum=policy.ready_seconds)
        with httpx.Client(base_url=started.url, timeout=30, trust_env=False) as client:
            checks = (
                ready,
                _asked("golden_parity", partial(_parity, client, subject, contract, golden)),
                _asked("bad_input", partial(refuses, client, PREDICT, contract)),
                _asked("latency_p99", partial(_latency, client, contract, policy)),
            )
        checks += (stops(policy, started, PREDICT, contract, stop), *_isolated(policy, started))
    checks += (_imaged(policy, image),)
    return Evidence(subject=subject, blessing="servable", checks=checks, notes=(started.how,))


def _asked(code: str, ask: Callable[[], Check]) -> Check:
    """What comes of asking; a release that hangs up on a caller is not servable."""
    try:
        return ask()
    except httpx.HTTPError as error:
        message = f"the release hangs up or does not answer: {type(error).__name__}: {error}"
        return Check(code=code, verdict="fail", message=message)


def _isolated(policy: Servable, started: Started) -> tuple[Check, ...]:
    """What a container may do; a process says nothing about it."""
    seen = started.isolation
    if seen is None:
        return ()
    root, read_only = seen.user_id == 0, seen.read_only
    says = "root" if root else f"user {seen.user_id}"
    files = "cannot" if read_only else "can"
    return (
        Check(code="non_root", verdict="fail" if root else "pass", message=f"the container runs as {says}"),
        Check(
            code="read_only",
            verdict="pass" if read_only else "fail",
            message=f"a file {files} be written to the container's root file system",
        ),
        bounded("image_size", seen.image_mb, "size of the image, in MB,", maximum=policy.image_mb),
    )


def _imaged(policy: Servable, image: str | None) -> Check:
    """Whether there is an image; where there is none because nobody configured an engine, the policy decides."""
    if image is not None:
        return Check(code="image", verdict="pass", message=f"the image {image} was built")
    message = "no image was built: the engine is none"
    if policy.image == "required":
        # Nothing is wrong with the release: it is the machine that cannot tell.
        message += ", and the use case requires one; set SLUICE_CONTAINER_ENGINE, promote again"
        return Check(code="image", verdict="unknown", message=message)
    return Check(code="image", verdict="pass", message=message)


def _parity(client: httpx.Client, subject: Subject, contract: Contract, golden: Golden) -> Check:
    """Whether the release answers as the fitted model did, and as the version it should be."""
    code = "golden_parity"
    size = contract.limits.max_instances
    got: list[list[float]] = []
    for start in range(0, len(golden.instances), size):
        response = client.post(PREDICT, json={"instances": golden.instances[start : start + size]})
        if response.status_code != 200:
            message = f"the release answers {response.status_code} to golden rows: {response.text[:300]}"
            return Check(code=code, verdict="fail", message=message)
        try:
            version, rows = _read(response, contract)
        except (ValueError, LookupError, TypeError) as error:
            what = f"{type(error).__name__}: {error}"
            message = f"the release's answer is not the one its contract promises ({what}): {response.text[:300]}"
            return Check(code=code, verdict="fail", message=message)
        if version != subject.version:
            message = f"the release says it is version {version}, not {subject.version}"
            return Check(code=code, verdict="fail", message=message)
        got += rows
    expected, answered = np.array(golden.predictions, ndmin=2), np.array(got, ndmin=2)
    if answered.shape != expected.shape or not expected.size:
        message = f"answers of shape {answered.shape} came for golden rows of shape {expected.shape}"
        return Check(code=code, verdict="fail", message=message)
    allowed = golden.relative * np.abs(expected) + golden.absolute
    excess = float(np.max(np.abs(answered - expected) / allowed))
    return bounded(code, excess, "largest golden difference, as a share of what is allowed,", maximum=1.0)


def _read(response: httpx.Response, contract: Contract) -> tuple[int, list[list[float]]]:
    """The version that answered, and for each row the number or the probabilities in the contract's order.

    Raises:
        ValueError: It is not JSON, a number is none, or a class is named that is not the most probable one.
        LookupError: Something is missing.
        TypeError: Something is of another kind.
    """
    body = response.json()
    classes = [label.value for label in contract.output.labels]
    rows: list[list[float]] = []
    for said in body["predictions"]:
        if classes:
            rows.append([_number(said["probabilities"][name]) for name in classes])
            if said["prediction"] != classes[int(np.argmax(rows[-1]))]:
                raise ValueError(f"{said['prediction']!r} is not the most probable class")
        else:
            rows.append([_number(said["prediction"])])
    return body["model_version"], rows


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _latency(client: httpx.Client, contract: Contract, policy: Servable) -> Check:
    body = {"instances": [contract.example]}
    durations: list[float] = []
    for _ in range(LATENCY_REQUESTS):
        with _stopwatch(durations):
            response = client.post(PREDICT, json=body)
        if response.status_code != 200:
            message = f"the release answers {response.status_code} to its example: {response.text[:300]}"
            return Check(code="latency_p99", verdict="fail", message=message)
    p99 = float(np.quantile(durations, 0.99)) * 1000
    return bounded("latency_p99", p99, "p99 latency of one row, in ms,", maximum=policy.p99_ms)


@contextmanager
def _stopwatch(durations: list[float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    durations.append(time.perf_counter() - start)
