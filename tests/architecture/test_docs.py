"""What the documents say is so."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from sluice.domain import alert, errors
from sluice.domain.use_case import UseCase
from sluice.settings import Settings

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")])
PLATFORM = re.compile(r"`((?:ingest|ml|serving|monitoring)\.[a-z_]+)`")

CREATED = re.compile(r"^CREATE (?:OR REPLACE )?(?:TABLE|VIEW) (?:IF NOT EXISTS )?(\S+)", re.MULTILINE)


def text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))

    assert not [link for link in links if "://" not in link and not (path.parent / link).exists()]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_is_named_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE))

    assert named <= targets


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_table_that_is_named_exists(path: Path) -> None:
    migrations = "".join(p.read_text(encoding="utf-8") for p in (REPOSITORY / "include/sql/migrations").glob("*.sql"))
    tables = set(CREATED.findall(migrations))

    assert set(PLATFORM.findall(path.read_text(encoding="utf-8"))) <= tables


def test_the_architecture_names_every_room_and_every_platform_table() -> None:
    document = text("docs/architecture.md")
    rooms = [p.parent.name for p in (REPOSITORY / "plugins/sluice").glob("*/__init__.py")]
    migrations = "".join(p.read_text(encoding="utf-8") for p in (REPOSITORY / "include/sql/migrations").glob("*.sql"))

    assert not [room for room in rooms if f"  {room}/" not in document]
    assert set(CREATED.findall(migrations)) <= set(PLATFORM.findall(document))


def test_the_runbook_explains_every_terminal_error_code() -> None:
    explained = set(re.findall(r"^\| `([a-z]+)` \|", text("docs/operations.md"), re.MULTILINE))
    codes = {kind.code for kind in errors.TerminalError.__subclasses__()} | {errors.TransientError.code}

    assert explained == codes


def test_the_runbook_has_a_section_for_every_kind_of_alert_and_for_no_other() -> None:
    alerts = text("docs/operations.md").split("\n## Alerts\n")[1].split("\n## ")[0]
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", alerts, re.MULTILINE | re.DOTALL))

    assert set(sections) == set(get_args(alert.Kind)) == set(alert.TITLES)
    for kind, section in sections.items():
        meaning, *steps = section.strip().split("\n- ")
        assert meaning, f"{kind}: what it means"
        assert len(steps) >= 2, f"{kind}: what to look at, what to do"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_anchor_leads_to_a_heading(path: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", path.read_text(encoding="utf-8")):
        headings = re.findall(r"^#+ (.+)$", (path.parent / target if target else path).read_text("utf-8"), re.MULTILINE)

        assert anchor in {_anchor(heading) for heading in headings}, f"{path.name}: {target}#{anchor}"


def _anchor(heading: str) -> str:
    """What the heading's link is, where the documents are read."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_every_variable_that_an_operator_is_told_of_is_read() -> None:
    globs = ("docker-compose.yaml", "compose.*.yaml", "Makefile", "include/local/*.py")
    code = [str(path.relative_to(REPOSITORY)) for glob in globs for path in REPOSITORY.glob(glob)]
    read = "".join(map(text, code)) + "".join(f"SLUICE_{name.upper()} " for name in Settings.model_fields)
    workflows = "".join(p.read_text(encoding="utf-8") for p in (REPOSITORY / ".github" / "workflows").glob("*.yml"))

    named = set(re.findall(r"SLUICE_[A-Z0-9_]+", text("docs/deploy.md")))
    assert not sorted(name for name in named if name not in read + workflows)


def test_the_services_that_an_operator_is_told_of_are_those_that_there_are() -> None:
    table = text("docs/deploy.md").split("## What runs")[1].split("\n\n")[1]
    named = {name for line in table.splitlines() for name in re.findall(r"`([a-z0-9-]+)`", line.split("|")[1])}
    services = yaml.safe_load(text("docker-compose.yaml"))["services"]

    assert named == {name for name, service in services.items() if service.get("profiles") != ["tools"]}


def test_the_request_in_the_readme_is_the_example_of_the_spec(housing: UseCase) -> None:
    [shown] = re.findall(r"-d '(\{.*?\})'", text("README.md"), re.DOTALL)

    assert json.loads(shown)["instances"] == [housing.serving.example]
