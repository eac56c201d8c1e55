"""The registry finds every good spec, and says exactly what is wrong with a bad one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from sluice import registry
from sluice.domain.errors import SpecError
from sluice.domain.use_case import UseCase
from sluice.schemas import generated

SHIPPED = Path(__file__).parents[2] / "include" / "use_cases"
HOUSING = (SHIPPED / "housing" / "use_case.yaml").read_text(encoding="utf-8")

WriteSpec = Callable[[str], Path]


@pytest.fixture
def write_spec(tmp_path: Path) -> WriteSpec:
    """Writes the text of a spec into the folder of a use case named housing."""

    def write(text: str) -> Path:
        path = tmp_path / "housing" / "use_case.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_every_shipped_use_case_is_good() -> None:
    found = registry.find(SHIPPED)

    assert not found.broken
    assert {u.name for u in found.use_cases} == {path.parent.name for path in SHIPPED.glob("*/use_case.yaml")}


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        pytest.param("type: category", "type: categry", "columns.9.type", id="unknown-type"),
        pytest.param("target: median_house_value", "target: median_house_valu", "did you mean", id="near-miss"),
        pytest.param("trials: ", "trails: ", "training.trails", id="unknown-key"),
        pytest.param("alpha:", "aplha:", "it has: alpha", id="unknown-hyperparameter"),
        pytest.param("range: [32, 43]", "range: [43, 32]", "ends before it starts", id="empty-range"),
        pytest.param("name: housing\n", "name: houses\n", "its folder 'housing'", id="other-folder"),
        pytest.param("train: 0 2 * * 0", "train: sundays", "not a cron expression", id="no-cron"),
        pytest.param("alerts: [", "alerts: [nobody, ", "owner.alerts", id="no-address"),
        pytest.param("    population: 322\n", "", "lacks 'population'", id="incomplete-example"),
        pytest.param("name: households,", "name: _row, header: households,", "Sluice's own", id="reserved-name"),
        pytest.param("rmse: {max: 45200}", "rmse: {max: .inf}", "gate.thresholds.rmse.max", id="no-bound"),
        pytest.param("min_improvement: 0,", "min_improvement: -.inf,", "change.min_improvement", id="no-comparison"),
        pytest.param("\ngate:\n", "\nserving: {}\ngate:\n", "'serving' is there twice", id="repeated-key"),
        pytest.param("    population: 322\n", "    population: -1\n", "'population' allows", id="impossible-example"),
        pytest.param("    ocean_proximity: NEAR BAY", "    ocean_proximity: MOON", "allows", id="unknown-category"),
        pytest.param("max_bad_share: 0.02", "max_bad_share: yes", "quality.max_bad_share", id="no-number"),
    ],
)
def test_a_broken_spec_says_what_and_where(write_spec: WriteSpec, good: str, bad: str, said: str) -> None:
    assert good in HOUSING
    path = write_spec(HOUSING.replace(good, bad, 1))

    with pytest.raises(SpecError, match="spec: ") as caught:
        registry.read(path)

    assert said in str(caught.value)
    assert caught.value.where.startswith(f"{path}:")
    assert caught.value.action


def test_a_use_case_needs_something_to_predict_from(line: UseCase) -> None:
    spec = line.model_dump() | {"serving": {"example": {}}}
    spec["columns"] = tuple(c | {"role": "ignore"} if c["name"] == "x" else c for c in spec["columns"])

    with pytest.raises(ValidationError, match="no column feeds the model"):
        UseCase.model_validate(spec)


def test_an_error_names_the_line(write_spec: WriteSpec) -> None:
    line = HOUSING.splitlines().index("  metric: rmse") + 1
    path = write_spec(HOUSING.replace("  metric: rmse", "  metric: speed", 1))

    with pytest.raises(SpecError) as caught:
        registry.read(path)

    assert caught.value.where == f"{path}:{line}"


def test_a_rule_about_several_fields_names_the_line_of_the_one_to_change(write_spec: WriteSpec) -> None:
    line = HOUSING.splitlines().index("  metric: rmse") + 1
    path = write_spec(HOUSING.replace("  metric: rmse", "  metric: log_loss", 1))

    with pytest.raises(SpecError, match=r"'log_loss' cannot judge a regression; use one of: rmse") as caught:
        registry.read(path)

    assert caught.value.where == f"{path}:{line}"


@pytest.mark.parametrize(
    "text",
    ["", "- a list", "a: [", "\0", "since: 2020-13-45", "2020-01-01: since", "a: &a [*a]"],
    ids=["empty", "list", "no-yaml", "binary", "no-date", "date-as-key", "endless"],
)
def test_what_is_no_spec_is_refused(write_spec: WriteSpec, text: str) -> None:
    with pytest.raises(SpecError):
        registry.read(write_spec(text))


def test_a_broken_spec_hides_no_other(tmp_path: Path, write_spec: WriteSpec) -> None:
    write_spec(HOUSING)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "use_case.yaml").write_text("name: broken\n", encoding="utf-8")

    found = registry.find(tmp_path)

    assert [u.name for u in found.use_cases] == ["housing"]
    assert [Path(e.where.split(":")[0]).parent.name for e in found.broken] == ["broken"]
    with pytest.raises(SpecError):
        found.get("broken")


def test_one_is_read_whatever_the_others_say(
    tmp_path: Path, write_spec: WriteSpec, caplog: pytest.LogCaptureFixture
) -> None:
    write_spec(HOUSING)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "use_case.yaml").write_text("name: broken\n", encoding="utf-8")

    assert registry.one(tmp_path, "housing").name == "housing"
    assert caplog.records == [], "the others are not even read"
    with pytest.raises(SpecError, match="broken"):
        registry.one(tmp_path, "broken")
    with pytest.raises(SpecError, match="use one of: housing"):
        registry.one(tmp_path, "../housing")


def test_the_spec_hash_changes_with_what_the_spec_says_and_with_nothing_else(write_spec: WriteSpec) -> None:
    before = registry.read(write_spec(HOUSING)).sha256()

    assert registry.read(write_spec(HOUSING + "\n# a comment\n")).sha256() == before
    assert registry.read(write_spec(HOUSING.replace("min_rows: 5000", "min_rows: 5001"))).sha256() != before


def test_the_generated_schemas_are_fresh() -> None:
    stale = [path.name for path, text in generated().items() if path.read_text(encoding="utf-8") != text]

    assert not stale, f"run `make schema`: {stale}"
