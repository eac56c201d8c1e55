"""A container works when it does what it is there for: most run and are healthy, some have ended well."""

from __future__ import annotations

import pytest

from local.containers import Container


@pytest.mark.parametrize(
    ("service", "state", "health", "code", "works", "failed"),
    [
        pytest.param("worker", "running", "healthy", 0, True, False, id="healthy"),
        pytest.param("worker", "running", "starting", 0, False, False, id="not healthy yet"),
        pytest.param("worker", "running", "unhealthy", 0, False, False, id="unhealthy may become healthy"),
        pytest.param("worker", "restarting", "starting", 1, False, False, id="being started again"),
        pytest.param("worker", "exited", "unhealthy", 1, False, True, id="ended"),
        pytest.param("airflow-init", "running", "", 0, False, False, id="still preparing"),
        pytest.param("airflow-init", "exited", "", 0, True, False, id="has prepared"),
        pytest.param("airflow-init", "exited", "", 1, False, True, id="could not prepare"),
    ],
)
def test_what_a_container_is_there_for(
    service: str, state: str, health: str, code: int, works: bool, failed: bool
) -> None:
    container = Container(f"sluice_{service}_1", service, state, health, code)

    assert (container.works, container.failed) == (works, failed)


def test_how_a_container_is_in_words() -> None:
    assert Container("a_1", "a", "exited", "unhealthy", 3).words == "a_1: exited with 3, unhealthy"
    assert Container("b_1", "b", "running", "", 0).words == "b_1: running"
