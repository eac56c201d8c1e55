"""BentoML's documented way: an API method that takes a list of pydantic models and asks the pickled pipeline."""

import os

import bentoml
import joblib

from serving_sides.houses import House, frame


@bentoml.service
class Houses:
    """Answers predictions with a scikit-learn pipeline."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, instances: list[House]) -> list[float]:
        """Predict each row's value."""
        predictions: list[float] = self.model.predict(frame(instances)).tolist()
        return predictions
