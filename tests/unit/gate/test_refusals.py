"""What a contract refuses is asked of the release, and nothing that it allows."""

from __future__ import annotations

import json
from typing import Literal

import httpx
import pytest

from sluice.domain.contract import Contract, Input
from sluice.gate.refusals import bad_requests, refuses
from tests.unit.conftest import MakeBundle

HOUSE = {"rooms": 3, "garden": True, "place": "town"}
INPUTS = (
    Input(name="rooms", type="integer", minimum=1, maximum=20),
    Input(name="garden", type="boolean"),
    Input(name="place", type="category", categories=("town", "coast")),
)


@pytest.fixture(scope="module")
def contract(make_bundle: MakeBundle) -> Contract:
    return make_bundle(2.0).contract.model_copy(update={"inputs": INPUTS, "example": HOUSE})


def test_every_kind_of_input_is_given_what_it_cannot_be(contract: Contract) -> None:
    requests = bad_requests(contract)

    def sent(name: str, column: str) -> object:
        return json.loads(requests[name][0])["instances"][0][column]

    assert sent("a number below the range", "rooms") < 1
    assert sent("a number above the range", "rooms") > 20
    assert sent("a broken integer", "rooms") == 0.5
    assert sent("text for a number", "rooms") == "1"
    assert sent("a number for a boolean", "garden") == 1
    assert sent("an unseen category", "place") not in ("town", "coast")


@pytest.mark.parametrize("policy", ["ignore", "most_frequent"])
def test_a_category_that_is_allowed_to_be_new_is_no_bad_request(
    contract: Contract, policy: Literal["ignore", "most_frequent"]
) -> None:
    limits = contract.limits.model_copy(update={"unseen_category": policy})

    assert "an unseen category" not in bad_requests(contract.model_copy(update={"limits": limits}))


@pytest.mark.parametrize(
    ("answer", "verdict", "message"),
    [
        (httpx.Response(422, json={"detail": "rooms is not a number"}), "pass", "kinds of bad requests are refused"),
        (httpx.Response(422, text="no"), "fail", "is refused without a reason: no"),
        (httpx.Response(500, json={"detail": "sorry"}), "fail", "is answered by 500 instead of a refusal"),
        (httpx.Response(200, json={"detail": "3"}), "fail", "is answered by 200 instead of a refusal"),
    ],
    ids=["a reason", "none", "a failure", "an answer"],
)
def test_a_refusal_is_the_callers_fault_and_has_a_reason(
    contract: Contract, answer: httpx.Response, verdict: str, message: str
) -> None:
    transport = httpx.MockTransport(lambda _: answer)
    with httpx.Client(base_url="http://release.test", transport=transport) as client:
        check = refuses(client, "/predict", contract)

    assert check.verdict == verdict
    assert message in check.message
