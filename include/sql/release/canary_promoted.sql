UPDATE ml.canaries SET state = 'promoted', reason = %(reason)s, ended_at = clock_timestamp()
WHERE canary_id = %(canary_id)s AND state = 'running'
