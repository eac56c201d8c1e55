"""Import errors: tells the platform's people at once when a DAG file cannot be read.

No DAG can do so, because tasks do not see Airflow's own database and the DAG that looks may be the broken
one. The DAG processor tells its listeners, and this module is one. It does not tell them of a file that is mended:
the watcher sees that, and so does the next run of a DAG in that file that ends well.
"""

from __future__ import annotations

from pathlib import Path

from airflow.configuration import conf
from airflow.listeners import hookimpl

from sluice.domain.alert import PLATFORM, Alert
from sluice.orchestration import alerts


@hookimpl
def on_new_dag_import_error(filename: str, stacktrace: str) -> None:
    """Write once per broken file, when it breaks.

    Args:
        filename: The DAG file.
        stacktrace: What happened when it was read.
    """
    alerts.raise_alert(import_failure(filename, stacktrace))


def import_failure(filename: str, stacktrace: str) -> Alert:
    """What there is to say about a DAG file that cannot be read."""
    return Alert(
        cause=cause(filename),
        use_case=PLATFORM,
        stage="import",
        kind="import_error",
        headline=Path(filename).name,
        facts=(("File", filename),),
        error=stacktrace,
        advice="Mend the file or what it imports. Its DAGs do not run until then.",
        links=(("All import errors", f"{alerts.airflow_url()}/dags"),),
    )


def cause(filename: str) -> str:
    """The cause of a file's import error, by its place in the folder of DAG files, as Airflow names it."""
    path, folder = Path(filename), Path(conf.get("core", "dags_folder"))
    return f"import:{path.relative_to(folder) if path.is_relative_to(folder) else path}"
