SELECT removed_at
FROM ml.releases
WHERE use_case = %(use_case)s AND version = %(version)s AND removed_at IS NOT NULL
