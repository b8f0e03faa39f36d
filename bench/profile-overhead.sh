#!/usr/bin/env bash
# What a small request costs in instructions, in Weighbridge and in a bare pingora proxy, and where.
#
# The bare proxy has the system's allocator, and that of Weighbridge.
#
#   bench/profile-overhead.sh          both, by library; then Weighbridge's steps
#   bench/profile-overhead.sh 40       40 rows of each table
#   REQUESTS=300 bench/profile-overhead.sh    requests of each of the 32 connections
#
# Runs those of target/release under callgrind, Weighbridge as `compare overhead` configures it,
# before nginx, with curl. Instructions of the kernel are not counted; a long copy counts each byte,
# though processors copy 32 at a time. Wants valgrind, nginx, curl and python3.
set -euo pipefail

usage() { sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//'; }
case ${1-} in
-h | --help) usage && exit ;;
*[!0-9]*) usage >&2 && exit 2 ;;
esac
rows=${1:-16} requests=${REQUESTS:-150} connections=32
cd "$(dirname "$0")/.."
programs=${PROGRAMS:-target/release}
PATH=$PATH:/usr/sbin
for tool in valgrind callgrind_control nginx curl python3 "$programs/weighbridge" "$programs"/bare-pingora{,-mimalloc}; do
    command -v "$tool" >/dev/null || { echo "$tool: not found" >&2 && exit 1; }
done

folder=$(mktemp -d)
started=()
stop() { # PROCESS: one of ours; how it ends does not matter.
    kill -INT "$1" 2>/dev/null || true
    wait "$1" || true
}
finish() {
    for process in "${started[@]}"; do stop "$process"; done
    rm -rf "$folder"
}
trap finish EXIT
read -r backend listen < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for one in sockets: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))')

cat >"$folder/nginx.conf" <<NGINX
daemon off;
pid $folder/nginx.pid;
error_log stderr error;
events { worker_connections 256; }
http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path $folder/client_body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    server { listen 127.0.0.1:$backend; location / { default_type text/plain; return 200 "abc"; } }
}
NGINX
sed -e "s|{{listen}}|127.0.0.1:$listen|; s|{{host}}|127.0.0.1:$backend|; s|{{threads}}|1|" \
    -e "s|{{folder}}|$folder|" bench/peers/weighbridge-overhead.toml >"$folder/weighbridge.toml"
nginx -e stderr -c "$folder/nginx.conf" -p "$folder" &
started+=($!)

# send N: N requests on each connection.
send() {
    local senders=()
    for _ in $(seq "$connections"); do
        curl --silent --fail --output /dev/null "http://127.0.0.1:$listen/x?[1-$1]" &
        senders+=($!)
    done
    for sender in "${senders[@]}"; do wait "$sender"; done
}

# profile NAME COMMAND...: counts the instructions of its requests once it is warm.
profile() {
    local name=$1 process && shift
    RUST_LOG=error valgrind --quiet --tool=callgrind --instr-atstart=no \
        --callgrind-out-file="$folder/$name.callgrind" "$@" >"$folder/$name.log" 2>&1 &
    process=$!
    started+=("$process")
    curl --silent --fail --output /dev/null --retry 100 --retry-connrefused --retry-delay 1 \
        "http://127.0.0.1:$listen/x" || { cat "$folder/$name.log" >&2 && exit 1; }
    send 20
    callgrind_control --instr=on "$process" &>/dev/null
    send "$requests"
    callgrind_control --instr=off "$process" &>/dev/null
    stop "$process"
    unset 'started[-1]'
    callgrind_annotate --threshold=100 --auto=no "$folder/$name.callgrind" >"$folder/$name.self"
    callgrind_annotate --threshold=100 --auto=no --inclusive=yes "$folder/$name.callgrind" >"$folder/$name.steps"
}
for bare in bare-pingora bare-pingora-mimalloc; do
    profile "$bare" "$programs/$bare" --threads 1 --listen "127.0.0.1:$listen" "127.0.0.1:$backend"
done
profile weighbridge "$programs/weighbridge" serve -c "$folder/weighbridge.toml"

python3 - "$folder" "$((requests * connections))" "$rows" <<'PYTHON'
import collections, re, sys

folder, requests, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def costs(name):
    for line in open(f"{folder}/{name}"):
        found = re.match(r"\s*([\d,]+) \([ \d.]+%\)\s+([^:]*):(.*?)( \[.*)?$", line)
        if found:
            yield int(found[1].replace(",", "")) / requests, found[2], found[3]

def library(file, function):
    if found := re.search(r"/registry/src/[^/]*/(.*?)-\d", file):
        return found[1]
    if "/rustc/" in file:
        return "std"
    if re.match(r"_*mem(cpy|move|set|cmp)|bcmp|strlen", function):
        return "copying and comparing memory"
    if "malloc" in file:
        return "the system's allocator"
    for folder in ("lb/core", "lb/proxy", "lb/cli", "instrument"):
        if f"{folder}/src/" in file:
            return folder
    return "other"

def by_library(name):
    sums = collections.Counter()
    for cost, file, function in costs(name):
        sums[library(file, function)] += cost
    return sums

columns = [by_library(f"{name}.self") for name in ("bare-pingora", "bare-pingora-mimalloc", "weighbridge")]
print("| instructions per request, spent in | bare pingora | the same with mimalloc | Weighbridge |")
print("|---|---|---|---|")
def row(name, costs): print(f"| {name} | {' | '.join(f'{cost:,.0f}' for cost in costs)} |")
row("everything", [column.total() for column in columns])
most = lambda name: max(column[name] for column in columns)
for name in sorted(set().union(*columns), key=most, reverse=True)[:rows]:
    row(name, [column[name] for column in columns])

steps = collections.Counter()
for cost, file, function in costs("weighbridge.steps"):
    step = re.sub(r"(::)?\{\{closure\}\}|'\d+$|<impl [^>]*>::", "", function)
    if "lb/" in file and step.count("weighbridge_") and re.search(r"weighbridge_(proxy|core)", step):
        steps[step] = max(steps[step], cost)
print("\n| Weighbridge's own steps, with what they call | instructions |\n|---|---|")
for name, cost in steps.most_common(rows * 2):
    print(f"| `{name}` | {cost:,.0f} |")
PYTHON
