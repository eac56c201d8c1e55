# The model server of any use case: serving's code with its own lock, and nothing of Airflow.
ARG BASE=python:3.11-slim

FROM ${BASE} AS packages
ARG UV=0.13.8
RUN pip install --quiet --no-cache-dir --root-user-action=ignore uv==${UV}
COPY bentos/tabular/requirements.txt /requirements.txt
RUN --mount=type=cache,target=/cache \
    uv venv --quiet --python "$(command -v python3.11)" /opt/venv \
 && uv pip sync --quiet --cache-dir /cache --link-mode copy --compile-bytecode --python /opt/venv/bin/python /requirements.txt \
 # What bentos/tabular/image.py leaves out of a release's image, too.
 && cd /opt/venv/lib/python3.11/site-packages \
 && find . -type d -name tests -prune -exec rm -rf {} + \
 && rm -rf pyarrow/include pyarrow/libarrow_flight* pyarrow/_flight* \
      pyarrow/libarrow_python_flight* pyarrow/_pyarrow_cpp_tests* pyarrow/libarrow_python*.so pyarrow/libarrow_python*.so.*.* \
      onnxruntime/transformers onnxruntime/quantization onnxruntime/tools onnxruntime/capi/libonnxruntime.so.* \
 && find botocore/data -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sts -exec rm -rf {} +

FROM ${BASE}
RUN useradd --create-home --uid 50000 sluice
COPY --from=packages /opt/venv /opt/venv
WORKDIR /sluice/bentos
COPY bentos .
# Of files beside it BentoML writes to its home alone.
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 BENTOML_HOME=/tmp/bentoml DO_NOT_TRACK=true BENTOML_DO_NOT_TRACK=True
USER sluice
EXPOSE 3000
CMD ["bentoml", "serve", "tabular.service:Tabular", "--host", "0.0.0.0", "--port", "3000", "--working-dir", "/sluice/bentos"]
ARG COMMIT=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="sluice-serving" org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.version="${VERSION}"
