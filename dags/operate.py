"""Operations: the Airflow DAGs of the platform itself, and those beside the stages of each use case."""

from sluice.orchestration.operate import platform_dags, use_case_dags
from sluice.orchestration.specs import use_cases

for build in platform_dags:
    build()
for use_case in use_cases():
    for build in use_case_dags:
        build(use_case)
