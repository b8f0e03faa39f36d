#!/usr/bin/env bash
# Installs Weighbridge on a VM over ssh.
set -euo pipefail

usage() {
    cat <<TEXT
usage: install-vm.sh [OPTION]... [ADDRESS]

Installs the program and its systemd units on the VM at ADDRESS, by default the
one that launch-vm.sh launched last. Starts nothing; may be run again.
Settings: config.sh --help

  --program FILE  what is installed (default: WEIGHBRIDGE_PROGRAM)
  -h, --help      print this
TEXT
}

# shellcheck source-path=SCRIPTDIR source=shared.sh
. "$(dirname "$0")/shared.sh"

address=''
while (($#)); do
    case $1 in
        --program) need_value "$@"; WEIGHBRIDGE_PROGRAM=$2; shift 2 ;;
        -h | --help) usage; exit 0 ;;
        -*) misused "there is no option $1" ;;
        *) [[ -z $address ]] || misused "only one address is taken"; address=$1; shift ;;
    esac
done

need_tools ssh tar
need_program
need_key_file
address=$(vm_address "$address")

# One stream: an archive, and before it what unpacks it.
say "copies $WEIGHBRIDGE_PROGRAM to $address"
ssh_options
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp "$here"/vm/* "$here"/systemd/*.service "$scratch"
cp "$WEIGHBRIDGE_PROGRAM" "$scratch/weighbridge"
# shellcheck disable=SC2016 # It is for the VM's shell.
tar --create --gzip --directory "$scratch" . |
    ssh "${ssh_options[@]}" "$AWS_SSH_USER@$address" '
        set -e
        folder=$(mktemp -d)
        trap "rm -rf $folder" EXIT
        tar --extract --gzip --no-same-owner --directory "$folder"
        if [ "$(id -u)" = 0 ]; then "$folder/install.sh"; else sudo -n "$folder/install.sh"; fi' ||
    fail "the VM at $address could not be installed"
