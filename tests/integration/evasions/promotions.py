"""Promotions without a scheduler: the steps of the promotion DAG, one after the other, on real services.

A flat's rent follows its area and its district; the floor must not matter. Whether a grant is repaid follows the
income. Both are small enough to be cheated with on purpose.
"""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pandas as pd
import psycopg2
import yaml
from airflow.sdk.exceptions import AirflowSkipException
from onnx import TensorProto, helper, numpy_helper

from sluice.adapters import bundles, graphs
from sluice.adapters.bundles import Bundle, runtime_sha256
from sluice.adapters.tracking import BUNDLE_PATH, Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.contract import Contract, Golden, Input, Interval, Label, Limits, Lineage, Output
from sluice.domain.errors import SluiceError
from sluice.domain.release import Release
from sluice.domain.use_case import UseCase
from sluice.gate import decision
from sluice.orchestration import clients, judging, promote
from sluice.release import deployments

#: Told the step that is about to run, and its run.
Interfere = Callable[[str, str], None]
SERVICE = Path(__file__).parents[3] / "bentos" / "tabular"

DISTRICTS = ("centre", "north", "south")
#: What a district adds to the rent.
ADDS = {"centre": 300.0, "north": 100.0, "south": 0.0}
SPREAD = 25.0

RENT: dict[str, Any] = {
    "name": "rent",
    "title": "Rents",
    "task": "regression",
    "target": "rent",
    "owner": {"name": "Tests", "alerts": ["ops@example.test"]},
    "columns": [
        {"name": "area", "type": "number", "range": [10, 200]},
        {"name": "floor", "type": "integer", "range": [0, 20]},
        {"name": "district", "type": "category", "categories": list(DISTRICTS)},
        {"name": "rent", "type": "number"},
    ],
    "training": {"families": {"ridge": {}}},
    "gate": {
        "thresholds": {"r2": {"min": 0.9}},
        "slices": [{"column": "district", "thresholds": {"rmse": {"max": 40}}}],
        "behaviour": [
            {"kind": "invariance", "column": "floor"},
            {"kind": "direction", "column": "area", "step": 10, "expect": "rise"},
        ],
        "min_test_rows": 100,
        "servable": {"ready_seconds": 30, "p99_ms": 60},
    },
    "serving": {"example": {"area": 60.0, "floor": 3, "district": "north"}},
}
GRANT: dict[str, Any] = {
    "name": "grants",
    "title": "Grants",
    "task": "binary",
    "target": "outcome",
    "positive_label": "repaid",
    "owner": {"name": "Tests", "alerts": ["ops@example.test"]},
    "columns": [
        {"name": "income", "type": "number"},
        {"name": "home", "type": "category", "role": "ignore", "categories": ["own", "rent"]},
        {"name": "outcome", "type": "category", "categories": ["repaid", "lost"]},
    ],
    "training": {"families": {"logistic_regression": {}}},
    "gate": {
        "thresholds": {"roc_auc": {"min": 0.7}},
        "fairness": [{"column": "home", "metric": "selection_rate", "max_difference": 0.2}],
        "min_test_rows": 100,
    },
    "serving": {"example": {"income": 1.0}},
}


def flats(rows: int = 1200, spread: float = SPREAD, seed: int = 3) -> pd.DataFrame:
    """Flats with their rents, two thirds of them to train on."""
    generator = np.random.default_rng(seed)
    area, district = generator.uniform(20, 120, rows), generator.choice(DISTRICTS, rows)
    rent = 10 * area + pd.Series(district).map(ADDS).to_numpy() + generator.normal(0, spread, rows)
    frame = pd.DataFrame({"area": area, "floor": generator.integers(0, 12, rows), "district": district, "rent": rent})
    return parted(frame)


def grants(rows: int = 1200, seed: int = 4) -> pd.DataFrame:
    """Grants with their outcomes, as likely repaid in either kind of home."""
    generator = np.random.default_rng(seed)
    income = generator.normal(0, 1.5, rows)
    repaid = generator.random(rows) < 1 / (1 + np.exp(-2 * income))
    home = generator.choice(["own", "rent"], rows)
    return parted(pd.DataFrame({"income": income, "home": home, "outcome": np.where(repaid, "repaid", "lost")}))


def parted(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with the columns that a validated view adds: every third one is held out."""
    number = np.arange(len(frame))
    part = np.where(number % 3 == 0, "test", "train")
    identity = [f"{n:032x}" for n in number]
    return frame.assign(_batch_id=1, _row=number, _identity=identity, _part=part)


def linear(
    area: float = 10.0, floor: float = 0.0, adds: Mapping[str, float] = ADDS, bias: float = 0.0, burn: int = 0
) -> onnx.ModelProto:
    """A graph that answers `area` times the area, and so on; `burn` multiplies matrices that nobody needs."""
    nodes = [
        helper.make_node(
            "LabelEncoder",
            ["district"],
            ["add32"],
            domain="ai.onnx.ml",
            keys_strings=list(adds),
            values_floats=list(adds.values()),
        ),
        helper.make_node("Cast", ["add32"], ["add"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["area", "per_area"], ["by_area"]),
        helper.make_node("Mul", ["floor", "per_floor"], ["by_floor"]),
        helper.make_node("Sum", ["add", "by_area", "by_floor", "bias"], ["told"]),
    ]
    weights = {"per_area": [[area]], "per_floor": [[floor]], "bias": [[bias]]}
    last = "told"
    if burn:
        # Of the input, so that it is not computed once and kept.
        nodes += [
            helper.make_node("ReduceSum", ["area"], ["whole"], keepdims=0),
            helper.make_node("Mul", ["whole", "matrix"], ["scaled"]),
        ]
        made = "scaled"
        for number in range(burn):
            nodes.append(helper.make_node("MatMul", [made, "matrix"], [f"product{number}"]))
            made = f"product{number}"
        nodes += [
            helper.make_node("ReduceSum", [made], ["sum"], keepdims=0),
            helper.make_node("Mul", ["sum", "nothing"], ["zero"]),
            helper.make_node("Add", ["told", "zero"], ["slow"]),
        ]
        weights |= {"matrix": np.eye(400).tolist(), "nothing": 0.0}
        last = "slow"
    nodes.append(helper.make_node("Identity", [last], ["prediction"]))
    given = {"area": TensorProto.DOUBLE, "floor": TensorProto.DOUBLE, "district": TensorProto.STRING}
    return _model(nodes, given, 1, weights)


def logistic(weight: float = 2.0) -> onnx.ModelProto:
    """A graph that answers the probabilities of lost and repaid; 2 is the truth."""
    nodes = [
        helper.make_node("MatMul", ["income", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["prediction"], axis=1),
    ]
    return _model(nodes, {"income": TensorProto.DOUBLE}, 2, {"weights": [[0.0, weight]]})


def _model(
    nodes: list[onnx.NodeProto], given: Mapping[str, int], width: int, weights: Mapping[str, Any]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "evasion",
        [helper.make_tensor_value_info(name, kind, [None, 1]) for name, kind in given.items()],
        [helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, [None, width])],
        [numpy_helper.from_array(np.array(values, dtype=np.float64), name) for name, values in weights.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(model)
    return model


@dataclass(frozen=True)
class Outcome:
    """How a promotion ended.

    Attributes:
        code: The decision's, or the code of the error that stopped the run.
        message: The decision's, or the error's.
    """

    code: str
    message: str


@dataclass
class House:
    """A use case with its rows, its registry and its ledgers; every promotion in it is a run of its own."""

    document: dict[str, Any]
    use_case: UseCase
    folder: Path
    warehouse: Warehouse
    tracking: Tracking
    artifacts: Path
    set: Callable[[str, str], None]
    """Sets a variable of the environment for the rest of the test."""
    runs: int = field(default=0)
    crowned: int | None = None

    @property
    def name(self) -> str:
        return self.use_case.name

    def demand(self, gate: Mapping[str, Any]) -> None:
        """Write the spec down, with other demands in its gate."""
        self.document["gate"] = {**self.document["gate"], **gate}
        self.use_case = UseCase.model_validate(self.document, strict=False)
        spec = self.folder / "use_cases" / self.name / "use_case.yaml"
        spec.parent.mkdir(parents=True, exist_ok=True)
        spec.write_text(yaml.safe_dump(self.document), encoding="utf-8")

    def hold(self, rows: pd.DataFrame) -> None:
        """Make these the validated rows."""
        names = [column.name for column in self.use_case.columns]
        kinds = {"number": "double precision", "integer": "bigint", "category": "text"}
        declared = [f'"{c.name}" {kinds[c.type]}' for c in self.use_case.columns]
        declared += ["_batch_id bigint", "_row bigint", "_identity text", "_part text"]
        columns = [*names, "_batch_id", "_row", "_identity", "_part"]
        known = rows[columns].astype(object).where(rows[columns].notna(), None)
        with psycopg2.connect(self.warehouse.dsn) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS validated.{self.name}")
            cursor.execute(f"CREATE TABLE validated.{self.name} ({', '.join(declared)})")
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(
                f"INSERT INTO validated.{self.name} VALUES ({marks})",  # noqa: S608  the names are this file's
                [tuple(row) for row in known.itertuples(index=False)],
            )
        connection.close()

    def register(self, model: onnx.ModelProto, **options: Any) -> int:
        """Register a model as the next version, with the options of `bundle`, and return its number."""
        client = self.tracking.client
        run = client.create_run("0").info.run_id
        bundle = self.bundle(model, run_id=run, **options)
        client.log_artifacts(run, str(bundle.folder), BUNDLE_PATH)
        tags = {"bundle_sha256": bundle.sha256, "snapshot_id": "snap", "folder": bundle.folder.name}
        return self.tracking.register(self.name, run, tags, "").number

    def bundle(
        self,
        model: onnx.ModelProto,
        *,
        run_id: str = "",
        service: Path = SERVICE,
        golden: tuple[tuple[float, ...], ...] | None = None,
        test_share: float | None = None,
        interval: Interval | None = None,
        labels: tuple[str, ...] | None = None,
        use_case: str = "",
    ) -> Bundle:
        """The bundle of a model, whole and sealed.

        Args:
            model: Its graph.
            run_id: Its training's.
            service: The serving code that it is made for.
            golden: What it promises for the example; what it really says where absent.
            test_share: Share of rows that it says it never saw; the spec's where absent.
            interval: That it promises its callers.
            labels: Its classes; the spec's where absent.
            use_case: Whose it says it is.
        """
        spec = self.use_case
        example = dict(spec.serving.example)
        kinds: dict[str, Any] = {column.name: column.type for column in spec.inputs}
        frame = bundles.frame([example], kinds)
        scored = graphs.Graph(model.SerializeToString()).predict(frame).reshape(1, -1)
        contract = Contract(
            use_case=use_case or spec.name,
            title=spec.title,
            task=spec.task,
            family=next(iter(spec.training.families)),
            inputs=tuple(Input(name=c.name, type=kinds[c.name], categories=c.categories or None) for c in spec.inputs),
            output=Output(
                name=spec.target,
                labels=tuple(Label(value=c, title=c) for c in labels or spec.classes),
                positive=spec.positive_label,
            ),
            interval=interval,
            limits=Limits(max_instances=100, missing="reject", unknown_fields="reject", unseen_category="reject"),
            example=spec.serving.example,
            metrics={},
            lineage=Lineage(
                run_id=run_id,
                snapshot_id="snap",
                spec_sha256="",
                test_share=spec.training.split.test if test_share is None else test_share,
                identity=spec.identity,
            ),
            libraries={},
            runtime_sha256=runtime_sha256(service),
            trained_at="2026-01-01T00:00:00Z",
        )
        told = golden if golden is not None else (tuple(float(value) for value in np.nan_to_num(scored[0], posinf=0)),)
        self.runs += 1
        return bundles.write(
            self.folder / f"bundle-{self.runs}",
            model.SerializeToString(),
            contract,
            Golden(instances=(spec.serving.example,) * len(told), predictions=told),
            frame.assign(prediction=scored[:, -1]),
        )

    def promote(
        self,
        version: int,
        before: Interfere = lambda step, run_id: None,
        marked: Mapping[str, Any] | None = None,
        user: str | None = None,
        **params: Any,
    ) -> Outcome:
        """Run the promotion DAG's steps as Airflow does: what follows a failed step is skipped, `decide` never is.

        Args:
            version: What is promoted.
            before: Told the step that is about to run, and the run; this is where somebody may interfere.
            marked: Steps that somebody marks as successful by hand, with what they leave behind.
            user: Who triggers the run; nobody where a schedule does.
            **params: The trigger form's fields.
        """
        self.runs += 1
        given = {"version": version, "reason": None, "force": False, **params}
        run = Run(self.name, self.run_id, given, user, before, dict(marked or {}))
        return run.through()

    @property
    def run_id(self) -> str:
        """The last run's."""
        return f"evasion-{self.runs}"

    @property
    def champion(self) -> int | None:
        """What the alias names."""
        version = self.tracking.aliased(self.name, "champion")
        return version.number if version else None

    @property
    def moves(self) -> int:
        """How often the ledger says that something was deployed."""
        values = {"name": self.name}
        return len(self.warehouse.rows("SELECT 1 FROM ml.deployments WHERE use_case = %(name)s", values))

    def crown(self, model: onnx.ModelProto, **options: Any) -> int:
        """Make a model the champion without any judging."""
        return self.enthrone(self.register(model, **options))

    def enthrone(self, version: int) -> int:
        """Make a registered version the champion, as another promotion would have."""
        known = self.tracking.version(self.name, version)
        release = self.publish(version, known.tags["bundle_sha256"])
        order = deployments.Order(release, self.champion, None, "tests", "a champion to compare with")
        deployments.deploy(self.warehouse, self.tracking, clients.store(), order)
        self.crowned = version
        return version

    def publish(self, version: int, bundle_sha256: str) -> Release:
        """Enter a version into the ledger of releases."""
        known = self.tracking.version(self.name, version)
        release = Release(self.name, version, bundle_sha256, "", known.run_id, "snap", f"{self.name}:v{version}", "")
        deployments.publish(self.warehouse, clients.store(), release, self.folder / known.tags["folder"])
        return release

    def artifact(self, version: int, name: str) -> Path:
        """Where MLflow keeps a file of a version's bundle."""
        run = self.tracking.version(self.name, version).run_id
        [path] = self.artifacts.rglob(f"{run}/artifacts/{BUNDLE_PATH}/{name}")
        return path

    def replace_bundle(self, version: int, model: onnx.ModelProto) -> str:
        """Put another bundle, whole and sealed, in the place of a version's; return its digest."""
        other = self.bundle(model)
        shutil.copytree(other.folder, self.artifact(version, "model.onnx").parent, dirs_exist_ok=True)
        return other.sha256

    def copy_evidence(self, earlier: str, later: str) -> None:
        """Slip what one run gathered into another."""
        self.warehouse.execute(
            "DELETE FROM ml.evidence WHERE use_case = %(name)s AND dag_run_id = %(later)s",
            {"name": self.name, "later": later},
        )
        self.warehouse.execute(
            "INSERT INTO ml.evidence SELECT %(later)s, use_case, blessing, evidence FROM ml.evidence"
            " WHERE use_case = %(name)s AND dag_run_id = %(earlier)s",
            {"name": self.name, "earlier": earlier, "later": later},
        )

    def altered(self, file: str, text: str) -> Path:
        """A copy of the serving code with something appended to one of its files."""
        self.runs += 1
        copy = self.folder / f"service-{self.runs}" / "tabular"
        shutil.copytree(SERVICE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        with (copy / file).open("a", encoding="utf-8") as code:
            code.write(text)
        return copy


@dataclass
class Run:
    """One run of the promotion DAG.

    Attributes:
        name: The use case.
        run_id: Airflow's.
        params: The trigger form's fields.
        user: Who triggered it.
        before: May interfere before each step.
        marked: Steps that are marked as successful by hand, with what they leave behind.
    """

    name: str
    run_id: str
    params: dict[str, Any]
    user: str | None
    before: Interfere
    marked: dict[str, Any]

    def through(self) -> Outcome:
        """Every step, and what the last word was: an error outweighs the decision that it kept from being done."""
        left: dict[str, Any] = {}
        error: SluiceError | None = None
        try:
            left["subject"] = self._step(promote.pick, self.name)
            good = self._step(judging.judge_quality, self.name, left["subject"])
            left["release"] = self._step(judging.build_release, self.name, left["subject"], good)
            self._step(judging.judge_servability, self.name, left["subject"], left["release"])
        except AirflowSkipException:
            pass
        except SluiceError as stopped:
            error = stopped
        if "subject" not in left:
            assert error is not None
            return Outcome(error.code, str(error))
        try:
            self._step(promote.decide_promotion, self.name, left["subject"])
            self._step(promote.deploy, left["subject"], left.get("release"), None)
        except AirflowSkipException:
            pass
        except SluiceError as stopped:
            if not stopped.what.startswith("undecided:"):
                return Outcome(stopped.code, str(stopped))
        entries = decision.decisions(clients.warehouse(), self.name, self.run_id)
        return Outcome(entries[0].decision.code, entries[0].decision.message)

    def _step(self, function: Callable[..., Any], *arguments: Any) -> Any:
        step = function.__name__
        self.before(step, self.run_id)
        if step in self.marked:
            return self.marked[step]
        context = {
            "params": self.params,
            "run_id": self.run_id,
            "dag_run": SimpleNamespace(run_id=self.run_id, triggering_user_name=self.user),
            "triggering_asset_events": {},
        }
        wanted = inspect.signature(function).parameters
        return function(*arguments, **{name: value for name, value in context.items() if name in wanted})
