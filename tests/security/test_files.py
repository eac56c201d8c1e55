"""The files of the repository: none holds a secret, and the one that does stays out of git and of the images."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from detect_secrets import SecretsCollection
from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.settings import default_settings, get_settings

from tests.conftest import REPOSITORY

#: Locks: what stands there are digests of packages, thousands of them.
LOCKS = "requirements.txt"
#: Services that nothing here speaks to; looking for their keys in each line takes as long as all the rest.
STRANGERS = {
    "ArtifactoryDetector", "AzureStorageKeyDetector", "CloudantDetector", "DiscordBotTokenDetector",
    "IbmCloudIamDetector", "IbmCosHmacDetector", "IPPublicDetector", "MailchimpDetector", "SendGridDetector",
    "SoftlayerDetector", "SquareOAuthDetector", "StripeDetector", "TelegramBotTokenDetector", "TwilioKeyDetector",
}  # fmt: skip
#: What looks like a secret and is none.
NAMES = {
    # Stands for one where it is explained what an address looks like.
    "password",
    # Names a secret of Kubernetes, which is made elsewhere.
    "sluice-api-keys, defaultMode: 0440}",
    # Opens a database that lives as long as one replay, for this machine alone.
    "only-for-replays",
    # Say themselves what they are for, the first of them in base64.
    "Zm9yIHRlc3RzIG9ubHksIGFuZCBub3RoaW5nIGVsc2U=",
    "slk_for-tests-only-and-nothing-else-than-them-43chars",
}
VARIABLE = re.compile(r"[A-Z]+(_[A-Z0-9]+)+")
#: What opens the servers that a test or a benchmark starts, and what stands for a secret there.
EXAMPLE = re.compile(r"[a-z]+(-[a-z]+)*-?|p%40ss(%2Fword)?|T0/B0/x")
PLACES_OF_EXAMPLES = ("tests/", "benchmarks/")
#: Keys of the model servers say what they are.
API_KEY = re.compile(r"slk_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")


def files() -> list[str]:
    """What is in git, or will be."""
    command = ("git", "-C", str(REPOSITORY), "ls-files", "--cached", "--others", "--exclude-standard")
    named = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in named if (REPOSITORY / name).is_file() and not name.endswith(LOCKS)]


def is_explained(file: str, value: str) -> bool:
    if file.startswith(PLACES_OF_EXAMPLES) and EXAMPLE.fullmatch(value):
        return True
    return value in NAMES or VARIABLE.fullmatch(value) is not None


def found(root: Path, names: list[str]) -> list[PotentialSecret]:
    """What a scanner takes for secrets, and nobody has explained."""
    collection = SecretsCollection(str(root))
    with default_settings():
        get_settings().disable_plugins(*STRANGERS)
        for name in names:
            collection.scan_file(name)
    return [secret for file, secret in collection if not is_explained(file, secret.secret_value or "")]


def test_no_file_holds_a_secret() -> None:
    told = [f"{each.filename}:{each.line_number} {each.type}" for each in found(REPOSITORY, files())]

    assert told == []


def test_no_file_holds_a_key_of_the_model_servers() -> None:
    texts = {name: (REPOSITORY / name).read_text(encoding="utf-8", errors="replace") for name in files()}

    assert [name for name, text in texts.items() if API_KEY.search(text)] == []


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("tests/test_a.py", "pass" + 'word = "hunter2-Zq81"'),
        ("plugins/a.py", "pass" + 'word = "only-for-tests"'),
        ("include/a.yaml", "dsn: postgresql://sluice:" + "correct-horse@db/warehouse"),
        ("docs/a.md", "AKIA" + "IOSFODNN7EXAMPLF"),
        ("include/a.pem", "-----BEGIN RSA " + "PRIVATE KEY-----"),
    ],
    ids=["a password in a test", "a test's password elsewhere", "an address", "a key of a cloud", "a private key"],
)
def test_a_secret_would_be_found(tmp_path: Path, place: str, line: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text(line + "\n")

    assert found(tmp_path, [place])


@pytest.mark.parametrize("name", [".env", "var/credentials.json", "var/api-keys.jsonl"])
def test_git_takes_none_of_the_files_that_hold_them(name: str) -> None:
    ignored = subprocess.run(["git", "-C", REPOSITORY, "check-ignore", "--quiet", name], check=False)

    assert ignored.returncode == 0


def test_an_image_is_built_from_what_is_named_and_no_secret_is() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert not {"!.env", "!.", "!*", "!var"} & {rule.rstrip("/") for rule in rules}
