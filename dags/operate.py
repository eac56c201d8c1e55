"""Operations: the Airflow DAGs of the platform itself."""

from sluice.orchestration.operate import platform_dags

for build in platform_dags:
    build()
