"""Sluice: tabular models from rows in Postgres to a live endpoint, through gates.

The rooms, from the roof down; imports go down only:

    orchestration                       one DAG factory per stage, alerts
    ingestion training gate release monitoring web
    adapters                            Postgres, MLflow, bundles, object store
    registry settings
    domain                              the spec, the contract, the evidence, the errors
"""
