import pytest

from local import fields
from local.errors import StackError


def test_values_are_what_they_look_like_and_an_id_stays_text() -> None:
    given = ['trials=40 again=true reason="a fair price"', "snapshot=1234567890123456", "to=null"]

    assert fields.read(given) == {
        "trials": 40,
        "again": True,
        "reason": "a fair price",
        "snapshot": "1234567890123456",
        "to": None,
    }


@pytest.mark.parametrize("text", ["trials", "=40"])
def test_what_is_no_field_is_refused(text: str) -> None:
    with pytest.raises(StackError, match="is not a field with a value"):
        fields.read([text])
