-- Told already, and its recovery too, is what the mail of another has told of; it may come first the next time.
INSERT INTO monitoring.incidents AS known (
    cause, use_case, kind, occasion, alert, opened_at, seen_at, mailed_at, closing_mailed_at
)
VALUES (
    %(cause)s, %(use_case)s, %(kind)s, %(occasion)s, %(alert)s, %(now)s, %(now)s, %(told_at)s, %(told_at)s
)
ON CONFLICT (cause) WHERE closed_at IS NULL DO UPDATE SET
    kind = excluded.kind,
    occasion = excluded.occasion,
    alert = excluded.alert,
    times = known.times + 1,
    seen_at = greatest(known.seen_at, excluded.seen_at);
