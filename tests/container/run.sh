#!/bin/bash
# Run the tests of this folder on Debian, as root, with an engine of their own.
# usage: tests/container/run.sh [pytest's options]
#   BASE     the image to build on (default: Debian with Python, made by mmdebstrap)
#   WHEELS   a folder of wheels for the private index that the tests make, where PyTorch's own index is out of reach
#   PYTEST   pytest (default: pytest)
# Needs dockerd, a docker client, mmdebstrap; for buildah: buildah, podman, runc. See docs/images.md.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
export DOCKER_HOST=unix://$work/sock
dockerd --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/pid" --host "$DOCKER_HOST" \
    --iptables=false --ip6tables=false --ip-forward=false --bridge=none >"$work/log" 2>&1 &
engine=$!
stop() {
    kill "$engine" && wait "$engine" || true
    umount "$work/exec/netns/default" 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT
for _ in $(seq 100); do docker info >/dev/null 2>&1 && break; sleep 0.1; done

if [ -z "${BASE:-}" ]; then
    BASE=envkit-base:local
    mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources)
    mmdebstrap --quiet --variant=apt --include=python3,python3-venv,python3-pip,ca-certificates bookworm - "$mirror" |
        docker import - envkit-base:bare >/dev/null
    mkdir "$work/base"
    cp /etc/ssl/certs/ca-certificates.crt "$work/base/"  # the host's: an index inside may be signed by its authority
    printf '%s\n' 'FROM envkit-base:bare' 'COPY ca-certificates.crt /etc/ssl/certs/' \
        'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt' >"$work/base/Dockerfile"
    DOCKER_BUILDKIT=0 docker build --quiet --tag "$BASE" "$work/base" >/dev/null 2>&1
fi
printf '%s\n' '[containers]' 'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]' 'netns = "host"' \
    '[engine]' 'runtime = "runc"' 'cgroup_manager = "cgroupfs"' >"$work/containers.conf"
export CONTAINERS_CONF=$work/containers.conf ENVKIT_TEST_BASE_IMAGE=$BASE ENVKIT_TEST_WHEELS=${WHEELS:-}
"${PYTEST:-pytest}" --heavy tests/container "$@"
