"""The image: what the service is installed into, and what of the installation does not stay there."""

from __future__ import annotations

import base64

import bentoml

#: BentoML would take whichever installer is the newest on the day.
INSTALLER = "uv==0.13.8"
#: Stands in the installer's place. A layer only grows by what is left when its command ends, so what only the
#: installation needs is gone by then: the installer, its cache, libraries' own tests, and the parts that nothing here
#: loads. Together they would be a quarter of the image.
SCRIPT = f"""#!/bin/sh
set -e
pip install --quiet --no-cache-dir --target /tmp/installer {INSTALLER}
/tmp/installer/bin/uv --no-cache "$@"
rm -rf /tmp/installer
for packages in /app/.venv/lib/python*/site-packages; do
  find "$packages" -type d -name tests -prune -exec rm -rf {{}} +
  cd "$packages"
  rm -rf pyarrow/include pyarrow/libarrow_flight* pyarrow/_flight* pyarrow/libarrow_python_flight*
  rm -rf pyarrow/_pyarrow_cpp_tests*
  # Copies of libarrow_python.so.<number>, by whose name alone it is loaded.
  rm -f pyarrow/libarrow_python*.so pyarrow/libarrow_python*.so.*.*
  rm -rf onnxruntime/transformers onnxruntime/quantization onnxruntime/tools onnxruntime/capi/libonnxruntime.so.*
  if [ -d botocore/data ]; then
    find botocore/data -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sts -exec rm -rf {{}} +
  fi
done
"""


def image() -> bentoml.images.Image:
    """Debian's Python, with the locked requirements."""
    written = base64.b64encode(SCRIPT.encode()).decode()
    # No distribution named: the base image needs none of the packages that BentoML would install for one.
    return bentoml.images.Image(base_image="python:3.11-slim", python_version="3.11", distro="").run(
        f"echo {written} | base64 -d > /usr/local/bin/uv && chmod +x /usr/local/bin/uv"
    )
