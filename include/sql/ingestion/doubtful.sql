-- Whether Postgres copied a value as it stood that a tolerant reading would take for another.
SELECT EXISTS (SELECT FROM {partition} WHERE {doubts}) AS doubtful
