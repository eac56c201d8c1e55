"""Access: which of Airflow's users may see what."""

from collections.abc import Iterable

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, ConnectionDetails, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel


class Reader:
    """A person who is signed in to Airflow."""

    def __init__(self, user: GetUserDep) -> None:
        self._user = user

    def readable(self, dag_ids: Iterable[str]) -> set[str]:
        """Those of some DAGs that Airflow lets this person see."""
        asked = list(dag_ids)
        teams = DagModel.get_dag_id_to_team_name_mapping(asked)
        return {dag_id for dag_id in asked if self._may_read(DagDetails(id=dag_id, team_name=teams.get(dag_id)))}

    def may_see_platform(self) -> bool:
        """Whether Airflow lets this person see how its own parts are: whoever may see its jobs."""
        return get_auth_manager().is_authorized_view(access_view=AccessView.JOBS, user=self._user)

    def may_read_connection(self, conn_id: str) -> bool:
        """Whether Airflow lets this person see where a connection leads."""
        details = ConnectionDetails(conn_id=conn_id)
        return get_auth_manager().is_authorized_connection(method="GET", details=details, user=self._user)

    def _may_read(self, details: DagDetails) -> bool:
        return get_auth_manager().is_authorized_dag(method="GET", details=details, user=self._user)
