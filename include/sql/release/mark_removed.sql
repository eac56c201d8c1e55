-- From here on nothing goes back to these; the files follow.
WITH releases AS (
    UPDATE ml.releases SET removed_at = now()
    WHERE use_case = %(use_case)s AND version = any(%(versions)s) AND removed_at IS NULL
    RETURNING version
)

UPDATE ml.snapshots SET removed_at = now()
WHERE use_case = %(use_case)s AND snapshot_id = any(%(snapshots)s) AND removed_at IS NULL
