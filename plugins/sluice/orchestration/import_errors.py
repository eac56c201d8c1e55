"""Import errors: tells the platform's people at once when a DAG file cannot be read.

No DAG can do so, because tasks do not see Airflow's own database and the DAG that looks may be the broken
one. The DAG processor tells its listeners, and this module is one.
"""

from __future__ import annotations

from airflow.listeners import hookimpl

from sluice.orchestration import alerts


@hookimpl
def on_new_dag_import_error(filename: str, stacktrace: str) -> None:
    """Write once per broken file, when it breaks.

    Args:
        filename: The DAG file.
        stacktrace: What happened when it was read.
    """
    alerts.send(alerts.platform("import"), import_failure(filename, stacktrace))


def import_failure(filename: str, stacktrace: str) -> alerts.Failure:
    """What there is to say about a DAG file that cannot be read."""
    return alerts.Failure(
        headline=filename.rsplit("/", 1)[-1],
        facts=(("File", filename),),
        error=stacktrace,
        advice="Mend the file or what it imports. Its DAGs do not run until then.",
        links=(("All import errors", f"{alerts.airflow_url()}/dags"),),
    )
