"""The tutorials' way: FastAPI, pydantic, pandas and the pickled pipeline."""

from __future__ import annotations

import os

import joblib
from fastapi import FastAPI
from pydantic import BaseModel

from serving_sides.houses import House, frame

app = FastAPI()
model = joblib.load(os.environ["MODEL"])


class Request(BaseModel):
    """Rows to predict for."""

    instances: list[House]


@app.post("/predict")
def predict(request: Request) -> dict[str, list[float]]:
    """Predict each row's value."""
    return {"predictions": model.predict(frame(request.instances)).tolist()}


@app.get("/ready")
def ready() -> bool:
    """Whether the model is loaded."""
    return True
