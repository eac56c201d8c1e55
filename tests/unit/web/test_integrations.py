import time
from threading import Event

import pytest

from sluice.web.integrations import Probe, Sight, bare, look

FINE = Sight("ok", "It answers.")


def probe(name: str, look_: object) -> Probe:
    return Probe(name, "somewhere", "SLUICE_SOMETHING", look_)  # type: ignore[arg-type]


def test_all_are_looked_at_side_by_side_and_shown_in_their_order() -> None:
    def slow() -> Sight:
        time.sleep(0.2)
        return FINE

    begin = time.monotonic()
    found = look([probe(f"slow {number}", slow) for number in range(8)])

    assert time.monotonic() - begin < 0.8
    assert [one.name for one in found] == [f"slow {number}" for number in range(8)]
    assert all(one.sight == FINE and 0.2 <= one.seconds < 0.8 for one in found)


def test_what_hangs_could_not_be_told_of_and_keeps_nobody_waiting() -> None:
    release, looks = Event(), []

    def hang() -> Sight:
        looks.append(1)
        release.wait(10)
        return FINE

    begin = time.monotonic()
    hanging, fine = look([probe("hangs", hang), probe("fine", lambda: FINE)], patience=0.2)
    look([probe("hangs", hang)], patience=0.1)

    assert time.monotonic() - begin < 1
    assert (hanging.sight.state, hanging.tone, fine.sight.state) == ("could not tell", "unsure", "ok")
    assert looks == [1], "a second look would have hung beside the first"
    release.set()


def test_what_goes_wrong_is_told_without_passwords() -> None:
    def fail() -> Sight:
        raise ConnectionError("no route to postgresql://ada:hidden-word@db/warehouse")

    [found] = look([probe("broken", fail)])

    assert found.sight.state == "bad"
    assert found.sight.message == "ConnectionError: no route to postgresql://db/warehouse"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://ada:word@host:5000/x", "http://host:5000/x"),
        ("http://ada:wo@rd@host", "http://host"),
        ("http://host/a@b and s3://bucket", "http://b and s3://bucket"),
        ("file:///sluice/var/store", "file:///sluice/var/store"),
    ],
)
def test_an_address_is_shown_bare(text: str, shown: str) -> None:
    assert bare(text) == shown
