"""From validated rows to a candidate: snapshots, features, families, search, graph, intervals."""
