#!/usr/bin/env bash
# Runs on the VM: puts what install-vm.sh copied beside it where it belongs. As root.
set -euo pipefail

usage() {
    cat <<TEXT
usage: install.sh

Runs on the VM, as root: puts the program, its units and their configuration, which
are beside this script, where they belong. Starts nothing; may be run again. From
another computer, install-vm.sh does all of it.

  -h, --help      print this
TEXT
}

case ${1:-} in
    '') ;;
    -h | --help) usage; exit 0 ;;
    *) echo "install.sh: takes no arguments, such as $1; see --help" >&2; exit 2 ;;
esac
cd "$(dirname "$0")"

# Everything goes below this folder: / but for the tests.
root=${WEIGHBRIDGE_ROOT:-}

install_file() { # mode, from, to
    install -D --mode="$1" "$2" "$root$3"
}

if [[ -z $root ]]; then
    ((EUID == 0)) || { echo "install: this needs root" >&2; exit 1; }
    id weighbridge >/dev/null 2>&1 ||
        useradd --system --home-dir /var/lib/weighbridge --shell /usr/sbin/nologin weighbridge
fi

# First, so that nothing is changed where it cannot run: a libc older than the builder's, mostly.
./weighbridge --version >/dev/null || {
    echo "install: the program does not run here; build it on a system as old as this one, or for" >&2
    echo "install: this architecture ($(uname -m), $(getconf GNU_LIBC_VERSION 2>/dev/null || echo 'no glibc'))" >&2
    exit 1
}

# `install` replaces the file, so a running one goes on as it was.
install_file 0755 weighbridge /usr/local/bin/weighbridge
install_file 0755 boot.sh /usr/local/lib/weighbridge/boot
install_file 0644 weighbridge.service /etc/systemd/system/weighbridge.service
install_file 0644 weighbridge-worker.service /etc/systemd/system/weighbridge-worker.service
install_file 0644 logrotate /etc/logrotate.d/weighbridge
install_file 0644 logrotate.timer.conf /etc/systemd/system/logrotate.timer.d/weighbridge.conf
mkdir -p "$root/etc/weighbridge"
[[ -e $root/etc/weighbridge/weighbridge.toml ]] ||
    ./weighbridge config >"$root/etc/weighbridge/weighbridge.toml"
if [[ -z $root ]]; then
    install -d --owner=weighbridge --group=weighbridge /var/log/weighbridge
    if command -v dnf >/dev/null; then
        # Amazon Linux: logs to CloudWatch, and the signal to CloudFormation.
        dnf install --quiet --assumeyes amazon-cloudwatch-agent aws-cfn-bootstrap logrotate ||
            echo "install: no CloudWatch agent: logs will stay in the journal" >&2
    fi
    systemctl daemon-reload
    systemctl enable --now logrotate.timer ||
        echo "install: there is no logrotate: logs in files grow until the disk is full" >&2
fi
echo "installed $("$root/usr/local/bin/weighbridge" --version)"
