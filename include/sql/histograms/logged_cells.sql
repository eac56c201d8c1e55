SELECT unnest(answered.{column}) AS value
FROM answered
