"""The tutorials' way: FastAPI, pydantic, pandas and the pickled pipeline."""

from __future__ import annotations

import os

import joblib
import pandas as pd
from fastapi import FastAPI, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, TypeAdapter

from serving_sides.houses import House, frame

app = FastAPI()
model = joblib.load(os.environ["MODEL"])
HOUSES = TypeAdapter(list[House])


class Request(BaseModel):
    """Rows to predict for."""

    instances: list[House]


@app.post("/predict")
def predict(request: Request) -> dict[str, list[float]]:
    """Predict each row's value."""
    return {"predictions": model.predict(frame(request.instances)).tolist()}


@app.post("/predict/file")
def predict_file(file: UploadFile) -> StreamingResponse:
    """Check each row as those of a request, predict its value, and give the rows back with it."""
    rows = pd.read_csv(file.file)
    HOUSES.validate_python(rows.to_dict("records"))
    return answer(rows)


@app.post("/predict/file/unchecked")
def predict_unchecked(file: UploadFile) -> StreamingResponse:
    """The same for rows that nobody looks at."""
    return answer(pd.read_csv(file.file))


def answer(rows: pd.DataFrame) -> StreamingResponse:
    """The rows and their predictions."""
    rows["prediction"] = model.predict(rows)
    return StreamingResponse(iter([rows.to_csv(index=False)]), media_type="text/csv")


@app.get("/ready")
def ready() -> bool:
    """Whether the model is loaded."""
    return True
