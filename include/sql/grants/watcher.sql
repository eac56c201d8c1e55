-- What the watcher does: look who serves, and keep the ledger of incidents.
GRANT USAGE ON SCHEMA ml, serving, monitoring TO watcher;
GRANT SELECT (use_case) ON ml.deployments TO watcher;
GRANT SELECT (use_case, version, seen_at) ON serving.replicas TO watcher;
GRANT SELECT, INSERT, UPDATE ON monitoring.incidents, monitoring.heartbeats TO watcher;
