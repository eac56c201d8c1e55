-- What followed the last breaches.
SELECT
    breach,
    response,
    reason,
    responded_for
FROM monitoring.responses
WHERE use_case = %(use_case)s
ORDER BY response_id DESC
LIMIT %(most)s
