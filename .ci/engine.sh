#!/usr/bin/env bash
# A container engine on a Debian machine that has none: Debian's dockerd, unpacked beside the machine's own files, and
# a stand-in for the base image out of Debian's packages, for where no registry can be reached.
#   .ci/engine.sh start DIR    prints what to export, in the shell's words
#   .ci/engine.sh stop DIR
set -euo pipefail

BASE=python:3.11-slim

start() {
  mkdir -p "$1"
  cd "$1"
  unpack
  bridge=$(bridge_of "$1")
  ip link add name "$bridge" type bridge 2>/dev/null || true
  ip address replace "$(address_of "$1")" dev "$bridge"
  ip link set "$bridge" up
  # A bridge of its own: the usual one may be another engine's. No systemd may be there.
  cat >daemon.json <<JSON
{
  "bridge": "$bridge",
  "default-address-pools": [{ "base": "172.31.0.0/17", "size": 24 }],
  "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "features": { "buildkit": true }
}
JSON
  PATH=$PWD/usr/bin:$PWD/usr/sbin:$PATH setsid dockerd --config-file "$PWD/daemon.json" --data-root "$PWD/data" \
    --exec-root "$PWD/exec" --pidfile "$PWD/dockerd.pid" --host "unix://$PWD/docker.sock" >dockerd.log 2>&1 </dev/null &
  export DOCKER_HOST=unix://$PWD/docker.sock PATH=$PWD/usr/bin:$PATH DOCKER_BUILDKIT=1
  await $!
  docker image inspect "$BASE" >/dev/null 2>&1 || docker pull --quiet "$BASE" >/dev/null 2>&1 || stand_in
  printf 'export DOCKER_HOST=%q PATH=%q DOCKER_BUILDKIT=1 SLUICE_CONTAINER_ENGINE=docker\n' "$DOCKER_HOST" "$PATH"
}

unpack() {
  local missing=()
  command -v runc >/dev/null || missing+=(runc)
  command -v iptables >/dev/null || missing+=(iptables)
  command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
  command -v ip >/dev/null || missing+=(iproute2)
  if [ ${#missing[@]} -gt 0 ] || [ ! -x usr/sbin/dockerd ]; then
    apt-get update -qq
  fi
  if [ ${#missing[@]} -gt 0 ]; then
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
  fi
  # Not installed: a package of a daemon would start it, and would hide the machine's own client.
  if [ ! -x usr/sbin/dockerd ]; then
    apt-get download -qq docker.io containerd >&2
    for package in docker.io_*.deb containerd_*.deb; do
      dpkg-deb -x "$package" .
    done
    rm ./*.deb
  fi
}

await() {
  for _ in $(seq 120); do
    if docker info >/dev/null 2>&1; then
      return
    fi
    kill -0 "$1" 2>/dev/null || break
    sleep 0.5
  done
  tail -20 dockerd.log >&2
  echo "the container engine did not come up; its log is $PWD/dockerd.log" >&2
  exit 1
}

# What an application's image needs of the base: Python, pip, a shell, and this machine's certificates and index.
stand_in() {
  local context=$PWD/base
  rm -rf "$context"
  mkdir -p "$context"
  # usr-is-merged spares Perl, which only the merging needs.
  mmdebstrap --quiet --mode=root --variant=minbase --include=usr-is-merged,ca-certificates,netbase,tzdata,python3.11 \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --customize-hook="set -e; $(declare -f furnish); furnish \"\$1\"" \
    bookworm "$context/base.tar" >base.log 2>&1 || { tail -20 base.log >&2; exit 1; }
  docker import --change 'CMD ["python3"]' \
    --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' "$context/base.tar" "$BASE" >/dev/null
  rm -rf "$context"
}

furnish() {
  for name in python python3 python3.11; do
    ln -s /usr/bin/python3.11 "$1/usr/local/bin/$name"
  done
  rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED
  if [ -d /usr/local/share/ca-certificates ]; then
    cp -r /usr/local/share/ca-certificates/. "$1/usr/local/share/ca-certificates/"
    chroot "$1" update-ca-certificates >/dev/null
  fi
  if [ -f /etc/pip.conf ]; then
    cp /etc/pip.conf "$1/etc/pip.conf"
  fi
  mkdir -p "$1/etc/uv"
  echo "system-certs = true" >"$1/etc/uv/uv.toml"
  python3 -m pip download --quiet --no-deps --dest "$1/tmp/pip" pip
  wheel=$(cd "$1" && echo tmp/pip/pip-*.whl)
  chroot "$1" python3.11 "/$wheel/pip" install --quiet --no-index --no-cache-dir --root-user-action=ignore "/$wheel"
  rm -rf "$1/tmp/pip" "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/log/*
}

# A name of at most 15 characters.
bridge_of() {
  printf 'sluice-%08x' "$(number_of "$1")"
}

# Behind the pools, and another one for each engine: of two bridges with one address the second reaches nothing.
address_of() {
  printf '172.31.%d.1/24' $((128 + $(number_of "$1") % 128))
}

number_of() {
  printf %s "$1" | cksum | cut -d ' ' -f 1
}

stop() {
  if [ -f "$1/dockerd.pid" ]; then
    end "$(cat "$1/dockerd.pid")"
  fi
  ip link delete "$(bridge_of "$1")" 2>/dev/null || true
}

end() {
  kill "$1" 2>/dev/null || true
  for _ in $(seq 60); do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.5
  done
  kill -9 "$1"
}

case ${1:-} in
  start) start "$(realpath -m "$2")" ;;
  stop) stop "$(realpath -m "$2")" ;;
  *)
    echo "usage: $0 start|stop DIR" >&2
    exit 2
    ;;
esac
