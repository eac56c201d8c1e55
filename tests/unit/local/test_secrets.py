"""The secrets of the containers: made once, kept private, rotated one by one, and found where they leak."""

from __future__ import annotations

import re
import stat
import subprocess
from base64 import b64encode, urlsafe_b64decode
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet, MultiFernet

from local import secrets
from local.errors import StackError
from local.keys import KEY
from local.secrets import NAMES, SECRETS

MADE = tuple(secret.name for secret in SECRETS if secret.make)
IN_ADDRESSES = [name for name in NAMES if name.endswith(("_DB_PASSWORD", "POSTGRES_PASSWORD", "REDIS_PASSWORD"))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def private(path: Path, text: str) -> None:
    """Put a file there as a careful person does."""
    path.write_text(text)
    path.chmod(0o600)


def test_every_secret_gets_a_value_and_a_person_owes_the_mail_server(path: Path) -> None:
    written = secrets.write(path)
    values = secrets.read(path)

    assert (written.made, written.kept, written.owed) == (MADE, (), ("SLUICE_SMTP",))
    assert set(values) == set(NAMES)
    assert len({values[name] for name in MADE}) == len(MADE)


def test_two_stacks_share_none(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for file in (one, other):
        secrets.write(file)

    assert not {secrets.read(one)[name] for name in MADE} & {secrets.read(other)[name] for name in MADE}


def test_only_the_owner_may_read_them_and_nothing_lies_beside_them(path: Path) -> None:
    secrets.write(path)
    secrets.rotate(path, "SLUICE_JWT_SECRET")

    assert [(file.name, stat.S_IMODE(file.stat().st_mode)) for file in path.parent.iterdir()] == [(".env", 0o600)]


@pytest.mark.parametrize("name", IN_ADDRESSES)
def test_what_stands_in_an_address_needs_no_quoting(path: Path, name: str) -> None:
    secrets.write(path)
    value = secrets.read(path)[name]

    assert quote(value, safe="") == value
    assert len(value) >= 43


def test_each_kind_is_what_its_program_takes(path: Path) -> None:
    secrets.write(path)
    values = secrets.read(path)

    assert len(urlsafe_b64decode(values["SLUICE_FERNET_KEY"])) == 32
    assert KEY.fullmatch(values["SLUICE_WATCHER_API_KEY"])
    assert re.fullmatch(r"([a-z]{4}-){5}[a-z]{4}", values["SLUICE_ADMIN_PASSWORD"])


def test_what_stands_there_stays_and_what_is_missing_is_added(path: Path) -> None:
    theirs = f"# ours since May\nSLUICE_JWT_SECRET={'j' * 40}\nSLUICE_SMTP='smtp://u:p%40ss@mail.example:465'\nOTHER=1"
    private(path, theirs)
    written = secrets.write(path)

    assert path.read_text().startswith(theirs + "\n")
    assert set(written.kept) == {"SLUICE_JWT_SECRET", "SLUICE_SMTP"}
    assert written.owed == ()
    assert secrets.read(path)["SLUICE_SMTP"] == "smtp://u:p%40ss@mail.example:465"


def test_asked_again_it_changes_nothing(path: Path) -> None:
    secrets.write(path, dev=True)
    before = path.read_bytes(), path.stat().st_ino

    assert secrets.write(path, dev=True).made == ()
    assert (path.read_bytes(), path.stat().st_ino) == before


def test_a_line_without_a_value_gets_one(path: Path) -> None:
    private(path, "SLUICE_HASH_KEY=\nSLUICE_SMTP=\n")
    secrets.write(path)

    assert len(secrets.read(path)["SLUICE_HASH_KEY"]) == 64
    assert path.read_text().count("SLUICE_HASH_KEY") == 1


def test_for_development_mails_are_caught(path: Path) -> None:
    written = secrets.write(path, dev=True)
    values = secrets.read(path)

    assert written.owed == ()
    assert values["SLUICE_SMTP"] == secrets.CAUGHT
    assert values["COMPOSE_PROFILES"] == "dev"


def test_a_profile_that_catches_no_mails_is_told(path: Path) -> None:
    private(path, "COMPOSE_PROFILES=s3\n")

    with pytest.raises(StackError, match=r"COMPOSE_PROFILES is s3.*add dev"):
        secrets.write(path, dev=True)
    assert path.read_text() == "COMPOSE_PROFILES=s3\n"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    secrets.write(path)
    before = path.read_bytes()
    path.chmod(mode)

    for attempt in (secrets.write, secrets.read, lambda file: secrets.rotate(file, MADE[0])):
        with pytest.raises(StackError, match=r"others may read.*chmod 600"):
            attempt(path)
    assert path.read_bytes() == before


def test_a_file_that_git_has_is_refused(path: Path) -> None:
    secrets.write(path)
    for arguments in (("init", "-q"), ("add", "-f", ".env")):
        subprocess.run(["git", "-C", path.parent, *arguments], check=True)

    with pytest.raises(StackError, match=r"git has the secrets.*git rm --cached .env"):
        secrets.write(path)


@pytest.mark.parametrize(
    "line",
    ["SLUICE_WAREHOUSE_DB_PASSWORD=p@ss/word?no#way", "SLUICE_REDIS_PASSWORD=short", "SLUICE_FERNET_KEY=none"],
)
def test_what_cannot_work_is_told_before_anything_starts(path: Path, line: str) -> None:
    private(path, line + "\n")

    with pytest.raises(StackError, match=f"impossible: {line.partition('=')[0]}") as caught:
        secrets.write(path)
    assert line.partition("=")[2] not in str(caught.value)
    assert path.read_text() == line + "\n"


@pytest.mark.parametrize("name", MADE)
def test_one_is_rotated_and_no_other(path: Path, name: str) -> None:
    secrets.write(path)
    before = secrets.read(path)
    afterwards = secrets.rotate(path, name)
    after = secrets.read(path)

    assert {each for each in NAMES if before[each] != after[each]} == {name}
    assert "make compose-up" in afterwards


def test_what_was_encrypted_with_the_old_key_is_still_read(path: Path) -> None:
    secrets.write(path)
    secret = Fernet(secrets.read(path)["SLUICE_FERNET_KEY"]).encrypt(b"of a connection")
    secrets.rotate(path, "SLUICE_FERNET_KEY")
    keys = [Fernet(key) for key in secrets.read(path)["SLUICE_FERNET_KEY"].split(",")]

    assert MultiFernet(keys).decrypt(secret) == b"of a connection"
    assert keys[0].decrypt(MultiFernet(keys).rotate(secret)) == b"of a connection"
    assert secrets.write(path).made == ()


@pytest.mark.parametrize("name", ["SLUICE_SMTP", "SLUICE_NONE", ""])
def test_what_only_others_can_make_is_not_rotated(path: Path, name: str) -> None:
    secrets.write(path)

    with pytest.raises(StackError, match="ROTATE may be one of POSTGRES_PASSWORD"):
        secrets.rotate(path, name)


def test_before_there_is_one_there_is_nothing_to_rotate(path: Path) -> None:
    with pytest.raises(StackError, match="run make secrets"):
        secrets.rotate(path, "SLUICE_JWT_SECRET")
    assert not path.exists()


@pytest.mark.parametrize("name", MADE)
def test_a_leak_is_named(path: Path, name: str) -> None:
    secrets.write(path)
    values = secrets.read(path)

    assert secrets.leaks(f"... {values[name]} ...", values) == (name,)


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc", b"admin:"])
def test_a_leak_in_base64_is_a_leak(path: Path, before: bytes) -> None:
    secrets.write(path)
    values = secrets.read(path)
    header = "Basic " + b64encode(before + values["SLUICE_ADMIN_PASSWORD"].encode() + b"@").decode()

    assert secrets.leaks(header, values) == ("SLUICE_ADMIN_PASSWORD",)


@pytest.mark.parametrize("text", ["p%40ss%2Fword", "p@ss/word"])
def test_of_an_address_the_password_is_the_secret(text: str) -> None:
    values = {"SLUICE_SMTP": "smtp://alice:p%40ss%2Fword@mail.example:465"}

    assert secrets.leaks(f"login {text}", values) == ("SLUICE_SMTP",)
    assert secrets.leaks("alice wrote by mail.example", values) == ()


def test_what_a_person_added_is_watched_too_if_its_name_tells(path: Path) -> None:
    values = {"SLUICE_HUB_TOKEN": "hf_abcdefghij", "SLUICE_PORT_RANGE": "8080-8090"}

    assert secrets.leaks("hf_abcdefghij 8080-8090", values) == ("SLUICE_HUB_TOKEN",)


def test_both_keys_of_a_rotation_are_secret(path: Path) -> None:
    secrets.write(path)
    secrets.rotate(path, "SLUICE_FERNET_KEY")
    values = secrets.read(path)

    for key in values["SLUICE_FERNET_KEY"].split(","):
        assert secrets.leaks(key, values) == ("SLUICE_FERNET_KEY",)


def test_the_command_shows_no_value(tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    folder.mkdir()
    for arguments in ([], ["--dev"], ["--rotate", "SLUICE_FERNET_KEY"]):
        done = CliRunner().invoke(secrets.command, [*arguments, "--file", str(folder / ".env")])
        assert done.exit_code == 0, done.output
        assert secrets.leaks(done.output, secrets.read(folder / ".env")) == ()
        assert str(folder / ".env") in done.output
    assert [file.name for file in folder.iterdir()] == [".env"]


def test_a_mistake_is_one_line(path: Path) -> None:
    done = CliRunner().invoke(secrets.command, ["--rotate", "NONE", "--file", str(path)])

    assert done.exit_code == 1
    assert done.output.count("\n") == 1
