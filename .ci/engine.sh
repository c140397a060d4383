#!/bin/sh
# A container engine and three base images for the tests in tests/engine, a registry and what fills it for those in
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

# An image for an architecture that is not this machine's: its packages are unpacked, none of it is ever run.
foreign_image() {
    other=$(test "$(dpkg --print-architecture)" = arm64 && echo amd64 || echo arm64)
    root=$work/foreign
    debootstrap --foreign --arch="$other" --variant=minbase --include=python3,python3-pip bookworm "$root" $mirror \
        >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; exit 1; }
    for package in "$root"/var/cache/apt/archives/*.deb; do
        dpkg-deb -x "$package" "$root"
        dpkg-deb -f "$package" | sed '/^Package:/a Status: install ok installed'
        echo
    done >"$root.status"
    mv "$root.status" "$root/var/lib/dpkg/status"
    rm -rf "$root"/debootstrap "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    mkdir "$root.image"
    tar --numeric-owner -C "$root" -cf "$root.image/layer.tar" .
    digest=$(sha256sum <"$root.image/layer.tar" | cut -d ' ' -f 1)
    echo "{\"architecture\":\"$other\",\"os\":\"linux\",\"config\":{},\"history\":[{}]," \
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$digest\"]}}" >"$root.image/config.json"
    echo '[{"Config":"config.json","RepoTags":["envaudit-base:foreign"],"Layers":["layer.tar"]}]' \
        >"$root.image/manifest.json"
    tar -C "$root.image" -c . | docker load >/dev/null
    rm -rf "$root" "$root.image"
}

need bwrap bubblewrap
need skopeo skopeo
need docker-registry docker-registry # the tests start their own; a service that this starts is in nobody's way
need htpasswd apache2-utils
need openssl openssl
engine
if ! docker image inspect envaudit-base:bookworm envaudit-base:trixie envaudit-base:foreign >/dev/null 2>&1; then
    need xz xz-utils
    need debootstrap debootstrap
    base_image bookworm &
    bookworm=$!
    docker image inspect envaudit-base:foreign >/dev/null 2>&1 || foreign_image &
    foreign=$!
    base_image trixie
    wait "$bookworm"
    wait "$foreign"
fi
