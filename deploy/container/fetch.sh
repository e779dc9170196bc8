#!/bin/sh
# Fetch the wheels that a lock names, by pip: it reads pip's settings and, in the lock, hashes and "wheels alone".
# usage: fetch.sh LOCKS VARIANT FOLDER     LOCKS: the folder of a profile's locks
set -eu
variant=$2 folder=$3
python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
lock=$1/$variant${variant:+/}py$(echo "$python" | tr -d .)-linux-$(uname -m).txt

stop() {
    echo "envkit: $1" >&2
    exit 1
}

[ -f "$lock" ] ||
    stop "no lock for this image's Python $python on linux-$(uname -m): $lock is missing; make it: envkit profiles lock"
said=$(sed -n 's/^# packages: //p' "$lock")
has=$(grep -c '^[a-z0-9].*==' "$lock") || true
[ "$has" = "$said" ] || stop "the lock $lock is broken: its head says ${said:-no number of} packages, it has $has"

fetch() {
    python3 -m pip --quiet --disable-pip-version-check download --no-cache-dir --no-deps --dest "$folder" -r "$@"
}

mkdir -p "$folder"
# PyTorch's builds for one backend have its name in their version, and are on PyTorch's own index, which is asked where
# the configured sources do not have that build.
backend=$(sed -n 's/^torch==[^+ ]*+\([a-z0-9.]*\) .*/\1/p' "$lock")
if [ -n "$backend" ]; then
    alone=$(mktemp)
    sed -n '/^torch==/,/^$/p' "$lock" >"$alone"
    if ! refused=$(fetch "$alone" 2>&1); then
        fetch "$alone" --extra-index-url "${TORCH_INDEX_URL:-https://download.pytorch.org/whl}/$backend" ||
            stop "torch of $lock cannot be had from PyTorch's index: see above; nor from the configured sources: $(
                echo "$refused" | tail -n 1
            )"
    fi
    rm "$alone"
fi
fetch "$lock" --find-links "$folder" || stop "the wheels of the lock $lock cannot be had: see above"
