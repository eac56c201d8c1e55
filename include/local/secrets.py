"""The secrets of the stack in containers: `python -m local.secrets [--dev] [--rotate NAME]`.

They stand in .env beside docker-compose.yaml. What stands there is left as it is, unless it is to be rotated.
"""

from __future__ import annotations

import re
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex, token_urlsafe
from urllib.parse import quote, unquote, urlsplit

import click

from local import variables
from local.credentials import fernet_key, pronounceable
from local.errors import StackError
from local.keys import PREFIX, RANDOM_BYTES
from local.state import REPOSITORY, write_private

#: Where the stack's mail goes that nobody shall get: the catcher, which speaks no TLS.
CAUGHT = "smtp://mail:1025/?disable_ssl=true&disable_tls=true"
#: What may stand in an address unquoted.
PLAIN = re.compile(r"[A-Za-z0-9_-]{16,}")
#: What compose reads from the file as it stands there.
WORD = re.compile(r"[^\s$'\"#]{8,}")
#: Other variables that whoever runs the stack may add, such as a publisher's token.
TELLING = re.compile(r".*(PASSWORD|SECRET|TOKEN|KEY)")
FERNET = re.compile(r"[A-Za-z0-9_-]{43}=(,[A-Za-z0-9_-]{43}=)*")
#: Shorter words are met everywhere.
SHORTEST = 8

UP = "make compose-up"


def _random() -> str:
    # Without - and _, which a command line may take for something else.
    return token_hex(32)


def _typed() -> str:
    return pronounceable(6)


def _api_key() -> str:
    return PREFIX + token_urlsafe(RANDOM_BYTES)


@dataclass(frozen=True)
class Secret:
    """A secret of the stack.

    Attributes:
        name: The variable.
        about: What it opens.
        afterwards: What is to be done once it has another value, and what that breaks.
        make: Makes a value; None where only a person knows it.
        form: What a value looks like.
    """

    name: str
    about: str
    afterwards: str = f"{UP}: the programs that use it are started anew"
    make: Callable[[], str] | None = _random
    form: re.Pattern[str] = WORD


def _database(name: str, about: str) -> Secret:
    afterwards = f"{UP}: the role gets it, and the programs that use it are started anew"
    return Secret(name, about, afterwards, form=PLAIN)


SECRETS = (
    _database("POSTGRES_PASSWORD", "the superuser of Postgres, which only the making of the roles needs"),
    _database("SLUICE_AIRFLOW_DB_PASSWORD", "Airflow's database"),
    _database("SLUICE_MLFLOW_DB_PASSWORD", "MLflow's database"),
    _database("SLUICE_OPTUNA_DB_PASSWORD", "the database of the searches"),
    _database("SLUICE_WAREHOUSE_DB_PASSWORD", "the warehouse, for Airflow's tasks"),
    _database("SLUICE_SERVING_DB_PASSWORD", "of the warehouse what the model servers log"),
    _database("SLUICE_WATCHER_DB_PASSWORD", "of the warehouse what the watcher sees and tells"),
    Secret("SLUICE_REDIS_PASSWORD", "the queue of the workers", form=PLAIN),
    Secret(
        "SLUICE_JWT_SECRET",
        "signs what people and tasks show to Airflow's API",
        f"{UP} while no task runs: people sign in again, and a task that runs is taken for lost and retried",
    ),
    Secret("SLUICE_API_SECRET", "signs the sessions of Airflow's pages", f"{UP}: people sign in again"),
    Secret(
        "SLUICE_FERNET_KEY",
        "encrypts the connections and variables in Airflow's database",
        f"{UP}; then `airflow rotate-fernet-key` in the api-server, "
        f"take the comma and what follows it out of .env, {UP} again",
        fernet_key,
        FERNET,
    ),
    Secret("SLUICE_ADMIN_PASSWORD", "Airflow's account admin", f"{UP}: the account gets it", _typed),
    Secret("SLUICE_WATCHER_AIRFLOW_PASSWORD", "Airflow's account watcher", f"{UP}: the account gets it"),
    Secret(
        "SLUICE_WATCHER_API_KEY",
        "the model servers' counters, for the watcher and Prometheus",
        f"{UP}: the servers take it and refuse the old one within a second",
        _api_key,
    ),
    Secret(
        "SLUICE_HASH_KEY",
        "the hashes that stand in the log for inputs marked `sensitive: hash`",
        f"{UP}: the same input has another hash from then on, and looks new where its hashes are compared",
    ),
    Secret("SLUICE_GRAFANA_PASSWORD", "Grafana's account admin", f"{UP}: the account gets it", _typed),
    Secret("SLUICE_S3_ACCESS_KEY", "names who uses the object store, where that is s3://"),
    Secret("SLUICE_S3_SECRET_KEY", "the object store, where that is s3://"),
    Secret(
        "SLUICE_SMTP",
        "sends mails: smtp://user:password@host:port, TLS from the start; ?disable_ssl=true for STARTTLS, "
        "?disable_ssl=true&disable_tls=true for neither; % and two digits for each of $%:@/?# in the password",
        make=None,
        form=re.compile(r"smtp://\S+"),
    ),
)
NAMES = tuple(secret.name for secret in SECRETS)
ABOUT = {secret.name: secret.about for secret in SECRETS} | {"COMPOSE_PROFILES": "which unusual parts run, with commas"}


@dataclass(frozen=True)
class Written:
    """What became of the file.

    Attributes:
        made: Names that have a new value.
        kept: Names that have the value that they had.
        owed: Names that a person must give a value.
    """

    made: tuple[str, ...]
    kept: tuple[str, ...]
    owed: tuple[str, ...]


def write(path: Path, dev: bool = False) -> Written:
    """Give a value to every secret that has none.

    Args:
        path: The file.
        dev: Mails are caught and shown instead of sent.

    Raises:
        StackError: Others may read the file, git has it, or a value in it is impossible.
    """
    before = variables.content(path)
    values = variables.parsed(before)
    _refuse_impossible(path, values)
    wanted = {secret.name: secret.make() for secret in SECRETS if secret.make}
    if dev:
        wanted |= {"SLUICE_SMTP": CAUGHT, "COMPOSE_PROFILES": _with_catcher(path, values)}
    given = {name: value for name, value in wanted.items() if not values.get(name)}
    after = before
    for name, about in ABOUT.items():
        if name in given or name in NAMES:
            after = variables.filled(after, name, given.get(name, ""), about)
    if after != before:
        write_private(path, after)
    present = {**values, **given}
    return Written(
        made=tuple(given),
        kept=tuple(name for name in NAMES if values.get(name)),
        owed=tuple(name for name in NAMES if not present.get(name)),
    )


def rotate(path: Path, name: str) -> str:
    """Give one secret another value, and return what is to be done then.

    Raises:
        StackError: It has no value yet, nobody here can make one, or the file is refused as by `write`.
    """
    secret = next((each for each in SECRETS if each.name == name and each.make), None)
    if secret is None or secret.make is None:
        known = ", ".join(each.name for each in SECRETS if each.make)
        raise StackError(f"{name!r} cannot be made here", str(path), f"ROTATE may be one of {known}")
    before = variables.content(path)
    values = variables.parsed(before)
    _refuse_impossible(path, values)
    old = values.get(name)
    if not old:
        raise StackError(f"{name} has no value yet", str(path), "run make secrets")
    value = secret.make()
    if secret.form is FERNET:
        # What was encrypted before is still to be read.
        value = f"{value},{old}"
    write_private(path, variables.changed(before, name, value))
    return secret.afterwards


def read(path: Path) -> dict[str, str]:
    """The values in the file; none where there is no file.

    Raises:
        StackError: Others may read it, or git has it.
    """
    return variables.parsed(variables.content(path))


def leaks(text: str, values: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the secrets that can be read out of a text, as they are, quoted for a URL, or in base64.

    Args:
        text: A log, a file, what a program says.
        values: By name, as `read` gives them; what is no secret is passed over, as are hosts and names in addresses.
    """
    secret = {name: value for name, value in values.items() if name in NAMES or TELLING.fullmatch(name)}
    return tuple(
        name for name, value in secret.items() if any(form in text for part in _parts(value) for form in _forms(part))
    )


def _parts(value: str) -> tuple[str, ...]:
    """The secret parts of a value."""
    if "://" in value:
        password = urlsplit(value).password or ""
        parts: tuple[str, ...] = (password, unquote(password))
    else:
        parts = tuple(value.split(","))
    return tuple(part for part in parts if len(part) >= SHORTEST)


def _forms(secret: str) -> tuple[str, ...]:
    # What it looks like in base64 depends on how many bytes stand before it, and its ends mix with its neighbours.
    encoded = (b64encode(bytes(before) + secret.encode()).decode().rstrip("=") for before in range(3))
    looks = (look[begin:-1] for look, begin in zip(encoded, (0, 2, 3), strict=True))
    return (secret, quote(secret, safe=""), *looks)


def _with_catcher(path: Path, values: Mapping[str, str]) -> str:
    """The profiles, of which one catches mails."""
    held = values.get("COMPOSE_PROFILES", "")
    if held and "dev" not in held.split(","):
        raise StackError(f"COMPOSE_PROFILES is {held}: nothing would catch the mails", str(path), "add dev to it")
    return held or "dev"


def _refuse_impossible(path: Path, values: Mapping[str, str]) -> None:
    bad = [each.name for each in SECRETS if values.get(each.name) and not each.form.fullmatch(values[each.name])]
    if bad:
        action = (
            "use 8 or more characters without spaces, quotes, $ and #, for databases and Redis 16 or more "
            "of A-Z a-z 0-9 - _, or take the lines out to get new values"
        )
        raise StackError(f"impossible: {', '.join(bad)}", str(path), action)


@click.command(help=__doc__)
@click.option("--dev", is_flag=True, help="Mails are caught and shown instead of sent.")
@click.option("--rotate", "name", default="", help="Give this secret another value.")
@click.option("--file", "path", type=click.Path(path_type=Path), default=REPOSITORY / ".env", help="Instead of .env.")
def command(dev: bool, name: str, path: Path) -> None:
    """Write the file, and say what became of it; no value is shown."""
    try:
        if name:
            click.echo(f"{name} has another value in {path}; now: {rotate(path, name)}")
            return
        written = write(path, dev)
    except StackError as error:
        click.echo(f"{click.style('error', fg='red')} {error}", err=True)
        sys.exit(1)
    click.echo(f"{path}: {len(written.made)} made, {len(written.kept)} kept as they were")
    for owed in written.owed:
        click.echo(f"fill in {owed} there, or the stack does not start")


if __name__ == "__main__":
    command(prog_name="python -m local.secrets")
