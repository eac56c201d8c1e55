"""The one generic service for tabular models: knows a release bundle and nothing else."""
