-- Every release of a use case, newest first, and whether it may be gone back to.
SELECT
    release.version,
    release.bundle_sha256,
    release.runtime_sha256,
    release.run_id,
    release.snapshot_id,
    release.bento,
    release.image,
    release.removed_at,
    EXISTS (
        SELECT 1 FROM ml.deployments AS move
        WHERE move.use_case = release.use_case AND move.to_version = release.version AND move.share = 1
    )
    OR EXISTS (
        SELECT 1 FROM ml.decisions AS decision
        WHERE
            decision.use_case = release.use_case
            AND decision.version = release.version
            AND decision.bundle_sha256 = release.bundle_sha256
            AND decision.code = 'promote'
            AND NOT EXISTS (
                SELECT 1 FROM ml.canaries AS canary
                WHERE canary.decision_id = decision.decision_id AND canary.state = 'withdrawn'
            )
    ) AS may_serve
FROM ml.releases AS release
WHERE release.use_case = %(use_case)s
ORDER BY release.version DESC
