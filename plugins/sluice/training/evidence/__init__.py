"""Evidence: what MLflow keeps of a training, so that anyone can tell later why this model."""
