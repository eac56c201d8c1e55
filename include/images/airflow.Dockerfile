# One image for every Airflow component and for MLflow, from the lock.
ARG BASE=python:3.11-slim
FROM ${BASE}
# LightGBM is built on the OpenMP library of the system.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 50000 sluice
WORKDIR /sluice
COPY requirements.txt ./
RUN --mount=type=cache,target=/cache \
    export PIP_CACHE_DIR=/cache/pip UV_CACHE_DIR=/cache/uv \
 && pip install uv==$(sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements.txt) \
 && uv pip sync --system --compile-bytecode requirements.txt
COPY airflow.cfg ./
COPY dags dags
COPY plugins plugins
COPY bentos bentos
COPY include include
ENV AIRFLOW_HOME=/sluice/var AIRFLOW_CONFIG=/sluice/airflow.cfg PYTHONPATH=/sluice/plugins OMP_NUM_THREADS=1 \
    DO_NOT_TRACK=true BENTOML_DO_NOT_TRACK=True MLFLOW_DISABLE_TELEMETRY=true GX_ANALYTICS_ENABLED=false
RUN mkdir var state && chown sluice var state
USER sluice
