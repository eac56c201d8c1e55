"""Read when the scheduler starts, or a worker: imports what tasks need before it forks the processes that run them.

Otherwise every task would import it for itself, which takes longer than most of the work. What is named here opens
no connection and, with `OMP_NUM_THREADS=1`, starts no thread of Python's when imported, so it may be forked.
"""

from __future__ import annotations

import importlib
import logging
import multiprocessing

PRELOADED = (
    "evidently.presets",
    "great_expectations.expectations",
    "matplotlib.figure",
    "mlflow.onnx",
    "onnx",
    "optuna",
    "pyarrow.parquet",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "skops.io",
)

# It says some two hundred times that it registers something.
logging.getLogger("great_expectations").setLevel(logging.WARNING)

if multiprocessing.get_start_method() == "fork":
    for module in PRELOADED:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            # The task that needs it will say so itself; the others can do without.
            logging.getLogger(__name__).warning("%s cannot be imported ahead: %s", module, error)
