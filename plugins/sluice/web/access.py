"""Access: which of Airflow's users may see what."""

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel


class Reader:
    """A person who is signed in to Airflow."""

    def __init__(self, user: GetUserDep) -> None:
        self._user = user

    def may_read(self, dag_id: str) -> bool:
        """Whether Airflow lets this person see a DAG."""
        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
        return get_auth_manager().is_authorized_dag(method="GET", details=details, user=self._user)
