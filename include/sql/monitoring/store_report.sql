-- One report per DAG run: a task that runs again replaces what it said.
INSERT INTO monitoring.reports (
    use_case, kind, version, current_source, window_start, window_end, reference_rows, current_rows,
    drifted_share, verdict, message, recommendation, report_uri, dag_run_id, checked_for
)
VALUES (
    %(use_case)s, %(kind)s, %(version)s, %(current_source)s, %(window_start)s, %(window_end)s,
    %(reference_rows)s, %(current_rows)s, %(drifted_share)s, %(verdict)s, %(message)s, %(recommendation)s,
    %(report_uri)s, %(dag_run_id)s, %(checked_for)s
)
ON CONFLICT (use_case, kind, dag_run_id) DO UPDATE
    SET
        version = excluded.version,
        current_source = excluded.current_source,
        window_start = excluded.window_start,
        window_end = excluded.window_end,
        reference_rows = excluded.reference_rows,
        current_rows = excluded.current_rows,
        drifted_share = excluded.drifted_share,
        verdict = excluded.verdict,
        message = excluded.message,
        recommendation = excluded.recommendation,
        report_uri = excluded.report_uri,
        checked_for = excluded.checked_for,
        removed_at = NULL,
        created_at = now()
RETURNING report_id
