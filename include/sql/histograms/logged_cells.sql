SELECT {values}
FROM answered
