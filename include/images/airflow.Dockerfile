# One image for every part of Airflow, for MLflow, for the watcher and for the mail catcher, from its own lock.
ARG BASE=python:3.11-slim

FROM ${BASE} AS packages
# As in requirements.txt, which holds the tools beside what the image needs.
ARG UV=0.13.8
RUN pip install --quiet --no-cache-dir --root-user-action=ignore uv==${UV}
COPY include/images/requirements.txt /requirements.txt
# Copied out of the cache, which is no part of the image.
RUN --mount=type=cache,target=/cache \
    uv venv --quiet --python "$(command -v python3.11)" /opt/venv \
 && uv pip sync --quiet --cache-dir /cache --link-mode copy --compile-bytecode --python /opt/venv/bin/python /requirements.txt \
 # Libraries' own tests and headers, which nothing uses.
 && cd /opt/venv/lib/python3.11/site-packages \
 && rm -rf pandas/tests pyarrow/tests pyarrow/include statsmodels/*/tests sklearn/*/tests

FROM ${BASE}
# LightGBM is built on the OpenMP library of the system.
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
 && useradd --create-home --uid 50000 sluice
COPY --from=packages /opt/venv /opt/venv
WORKDIR /sluice
# An empty folder is what a new volume begins as, with its owner.
RUN mkdir var state backups && chown sluice: var state backups
COPY airflow.cfg ./
# Which packages a model was made with is part of where it came from.
COPY include/images/requirements.txt ./
COPY plugins plugins
COPY bentos bentos
COPY include include
COPY dags dags
# The root file system is read-only where it runs.
RUN /opt/venv/bin/python -m compileall -q plugins bentos include dags
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    AIRFLOW_HOME=/sluice/var AIRFLOW_CONFIG=/sluice/airflow.cfg PYTHONPATH=/sluice/plugins:/sluice/include \
    PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 HOME=/tmp \
    DO_NOT_TRACK=true BENTOML_DO_NOT_TRACK=True MLFLOW_DISABLE_TELEMETRY=true GX_ANALYTICS_ENABLED=false
USER sluice
ARG COMMIT=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="sluice-airflow" org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.version="${VERSION}"
