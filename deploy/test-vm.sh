#!/usr/bin/env bash
# Sends test requests to a VM, or to a whole deployment.
set -euo pipefail

usage() {
    cat <<TEXT
usage: test-vm.sh [OPTION]... [ADDRESS]

Starts a worker on the VM at ADDRESS, by default the one that launch-vm.sh launched
last, sends it requests of each kind through ssh, and stops it. Succeeds only if
every answer is a good one. Settings: config.sh --help

  --url URL       send them to this URL instead, a deployment's for example
  -n COUNT        requests of each kind (default 5)
  -h, --help      print this
TEXT
}

# shellcheck source-path=SCRIPTDIR source=shared.sh
. "$(dirname "$0")/shared.sh"

address='' url='' count=5
while (($#)); do
    case $1 in
        --url) need_value "$@"; url=${2%/}; shift 2 ;;
        -n) need_value "$@"; count=$2; shift 2 ;;
        -h | --help) usage; exit 0 ;;
        -*) misused "there is no option $1" ;;
        *) [[ -z $address ]] || misused "only one address is taken"; address=$1; shift ;;
    esac
done
[[ $count =~ ^[1-9][0-9]{0,5}$ ]] || misused "-n $count is not a count"
[[ -z $url || -z $address ]] || misused "either --url or an address"
[[ -z $url || $url =~ ^https?://[^/]+ ]] || misused "--url $url is not a URL such as http://HOST:80"

answers() {
    curl --silent --fail --max-time 5 --output /dev/null "$url/"
}

send_all() {
    local operation
    for operation in raytrace blur enhance; do
        say "$operation, $count times"
        "$here/../bench/requests/$operation.sh" -n "$count" -c 2 -u "$url" >&2 ||
            fail "$operation failed at $url"
    done
    echo "all requests to ${address:-$url} were answered"
}

# A port of this computer that leads to the worker's on the VM.
open_tunnel() {
    local port=$((20000 + RANDOM % 10000))
    ssh_options
    ssh "${ssh_options[@]}" -o ExitOnForwardFailure=yes -N \
        -L "127.0.0.1:$port:127.0.0.1:$WEIGHBRIDGE_WORKER_PORT" "$AWS_SSH_USER@$address" &
    tunnel=$!
    url=http://127.0.0.1:$port
}

# Closes the tunnel and stops the worker; both may be gone.
end_test() {
    kill "$tunnel" 2>/dev/null || true
    on_vm "$address" <<<'systemctl stop weighbridge-worker.service' || true
}

need_tools curl jq base64
if [[ -n $url ]]; then
    wait_for "$url to answer" answers
    send_all
    exit
fi
need_tools ssh
need_key_file
address=$(vm_address "$address")
on_vm "$address" <<<'systemctl start weighbridge-worker.service' ||
    fail "no worker starts on $address: has install-vm.sh been there?"
open_tunnel
trap end_test EXIT
wait_for "the worker on $address" answers
send_all
