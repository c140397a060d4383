#!/bin/sh
# A container engine and two base images for the tests in tests/engine, a registry and what fills it for those in
# tests/images, and the sandbox for those in tests/sandbox.
# For root on Debian; does only what is missing.
set -eu

mirror=${ENVAUDIT_DEBIAN_MIRROR:-} # empty: debootstrap's own default
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

need() {
    command -v "$1" >/dev/null && return
    [ -e "$work/updated" ] || apt-get update -qq
    touch "$work/updated"
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$2" >"$work/apt" 2>&1 ||
        { cat "$work/apt" >&2; exit 1; }
}

engine() {
    docker version >/dev/null 2>&1 && return
    need dockerd docker.io
    need docker docker-cli
    for _ in 1 2 3; do # where the package has started it as a service
        docker version >/dev/null 2>&1 && return
        sleep 1
    done
    # No bridge and no firewall rules: the tests use the host's network or none, and a sandbox may allow neither.
    log=$(mktemp /tmp/dockerd-XXXXXX.log)
    setsid dockerd --iptables=false --bridge=none >"$log" 2>&1 </dev/null &
    for _ in $(seq 60); do
        docker version >/dev/null 2>&1 && return
        sleep 1
    done
    echo "dockerd does not answer:" >&2
    tail -n 20 "$log" >&2
    exit 1
}

base_image() {
    docker image inspect "envaudit-base:$1" >/dev/null 2>&1 && return
    root=$work/$1
    debootstrap --variant=minbase --include=python3,python3-pip,ca-certificates "$1" "$root" $mirror \
        >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; exit 1; }
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    tar --numeric-owner -C "$root" -c . | docker import - "envaudit-base:$1" >/dev/null
    rm -rf "$root"
}

need bwrap bubblewrap
need skopeo skopeo
need docker-registry docker-registry # the tests start their own; a service that this starts is in nobody's way
need htpasswd apache2-utils
need openssl openssl
engine
if ! docker image inspect envaudit-base:bookworm envaudit-base:trixie >/dev/null 2>&1; then
    need xz xz-utils
    need debootstrap debootstrap
    base_image bookworm &
    bookworm=$!
    base_image trixie
    wait "$bookworm"
fi
