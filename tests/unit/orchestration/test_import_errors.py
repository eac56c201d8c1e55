"""A DAG file that cannot be read is told once, and heals with the next run from it."""

from sluice.adapters.warehouse import Warehouse
from sluice.orchestration.failures import callbacks
from sluice.orchestration.import_errors import on_new_dag_import_error
from tests.unit.orchestration.inbox import Inbox
from tests.unit.orchestration.test_failures import Task


def test_a_dag_file_that_cannot_be_read_is_told_at_once(inbox: Inbox, ledger: Warehouse) -> None:
    for _ in range(2):
        on_new_dag_import_error("/dags/train.py", "ImportError: no such <module>")

    assert inbox.mail["subject"] == "[sluice] platform import cannot be read: train.py"
    assert "ImportError: no such <module>" in inbox.text
    assert "ImportError: no such &lt;module&gt;" in inbox.html


def test_a_run_of_a_dag_from_that_file_says_that_it_is_mended(inbox: Inbox, ledger: Warehouse) -> None:
    on_new_dag_import_error("/dags/train.py", "ImportError")
    [succeeded] = callbacks("housing", "train").success

    succeeded(Task(dag_id="housing_ingest", fileloc="/dags/ingest.py").context())
    assert len(inbox.mails) == 1
    succeeded(Task(dag_id="housing_train", fileloc="/dags/train.py").context())

    assert inbox.subjects[1:] == ["[sluice] platform import recovered: train.py"]
