"""The second blessing: is the release servable, seen from outside, through its URL?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np

from sluice.domain.contract import Contract, Golden
from sluice.domain.evidence import Check, Evidence, Subject, bounded
from sluice.domain.policy import Servable
from sluice.domain.release import Started

PREDICT = "/api/v1/predict"
LATENCY_REQUESTS = 200


def judge(policy: Servable, subject: Subject, started: Started, contract: Contract, golden: Golden) -> Evidence:
    """Query a started release as a caller would.

    Args:
        policy: Its budget.
        subject: What is judged.
        started: The running release.
        contract: What it promises.
        golden: Inputs and the outputs it must give for them.
    """
    if started.ready_seconds is None:
        message = f"the release never became ready within {policy.ready_seconds:g} s"
        checks: tuple[Check, ...] = (Check(code="ready", verdict="fail", message=message),)
    else:
        ready = bounded("ready", started.ready_seconds, "seconds until ready", maximum=policy.ready_seconds)
        with httpx.Client(base_url=started.url, timeout=30) as client:
            checks = (
                ready,
                _parity(client, subject, contract, golden),
                _refuses(client),
                _latency(client, contract, policy),
            )
    return Evidence(subject=subject, blessing="servable", checks=checks, notes=(started.how,))


def _parity(client: httpx.Client, subject: Subject, contract: Contract, golden: Golden) -> Check:
    """Whether the release answers as the fitted model did, and as the version it should be."""
    code = "golden_parity"
    size = contract.limits.max_instances
    got: list[float] = []
    for start in range(0, len(golden.instances), size):
        response = client.post(PREDICT, json={"instances": golden.instances[start : start + size]})
        if response.status_code != 200:
            message = f"the release answers {response.status_code} to golden rows: {response.text[:300]}"
            return Check(code=code, verdict="fail", message=message)
        body = response.json()
        if body["model_version"] != subject.version:
            message = f"the release says it is version {body['model_version']}, not {subject.version}"
            return Check(code=code, verdict="fail", message=message)
        got += [row["prediction"] for row in body["predictions"]]
    expected = np.array(golden.predictions)
    if len(got) != len(expected) or not len(expected):
        message = f"{len(got)} answers came for {len(expected)} golden rows"
        return Check(code=code, verdict="fail", message=message)
    allowed = golden.relative * np.abs(expected) + golden.absolute
    excess = float(np.max(np.abs(np.array(got) - expected) / allowed))
    return bounded(code, excess, "largest golden difference, as a share of what is allowed,", maximum=1.0)


def _refuses(client: httpx.Client) -> Check:
    """Whether bad requests are the caller's fault, each with a reason."""
    requests: dict[str, tuple[bytes, str]] = {
        "no JSON": (b"{", "application/json"),
        "no instances": (b'{"instances": []}', "application/json"),
        "an unknown field": (b'{"instances": [{"no_such_field": 1}]}', "application/json"),
        "another content type": (b"instances", "application/x-pickle"),
    }
    for name, (body, kind) in requests.items():
        response = client.post(PREDICT, content=body, headers={"content-type": kind})
        if not 400 <= response.status_code < 500:
            message = f"a request with {name} is answered by {response.status_code} instead of a refusal"
            return Check(code="bad_input", verdict="fail", message=message)
    return Check(code="bad_input", verdict="pass", message=f"{len(requests)} kinds of bad requests are refused")


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
