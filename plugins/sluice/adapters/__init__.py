"""What several rooms need from outside: the warehouse, MLflow, bundles, the object store."""
