INSERT INTO monitoring.heartbeats (component, seen_at, note)
VALUES (%(component)s, now(), %(note)s)
ON CONFLICT (component) DO UPDATE SET seen_at = excluded.seen_at, note = excluded.note
