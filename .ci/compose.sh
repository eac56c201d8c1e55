#!/usr/bin/env bash
# Runs the stack in containers on an engine that .ci/engine.sh has started and exported: Debian's docker-compose, and
# stand-ins for the images of a registry, for where none can be reached.
#   .ci/compose.sh [images]    with `images` only the stand-ins are made
set -euo pipefail
cd "$(dirname "$0")"

POSTGRES=postgres:15
REDIS=redis:7
PROMETHEUS=prom/prometheus:v2.42.0

is_there() {
  docker image inspect "$1" >/dev/null 2>&1 || docker pull --quiet "$1" >/dev/null 2>&1
}

stand_in() {
  context=$(mktemp -d)
  trap 'rm -rf "$context"' RETURN
  # The merging needs Perl, which Postgres needs anyway; no cluster is made while nothing runs it.
  mmdebstrap --quiet --mode=root --variant=minbase --include=postgresql-15,redis-server,prometheus,tzdata \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --essential-hook='mkdir -p "$1/etc/postgresql-common"; echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/log/*' \
    bookworm "$context/services.tar" >"$context/log" 2>&1 || { tail -20 "$context/log" >&2; return 1; }
  docker import "$context/services.tar" localhost/debian-services >/dev/null
  docker build --quiet --target postgres --tag "$POSTGRES" stand-ins >/dev/null
  docker build --quiet --target redis --tag "$REDIS" stand-ins >/dev/null
  docker build --quiet --target prometheus --tag "$PROMETHEUS" stand-ins >/dev/null
}

if ! { is_there "$POSTGRES" && is_there "$REDIS" && is_there "$PROMETHEUS"; }; then
  stand_in
fi
if [ "${1:-}" = images ]; then
  exit
fi

if ! docker compose version >/dev/null 2>&1 && ! command -v docker-compose >/dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends docker-compose >/dev/null
fi
make -C .. compose-test
