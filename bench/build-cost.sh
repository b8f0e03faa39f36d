#!/usr/bin/env bash
# What it costs to build: CPU time, wall time, and the largest process.
#
#   bench/build-cost.sh            every build, clean and after a change; its folder is removed
#   bench/build-cost.sh quick      only what the quick start needs (without AWS)
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1-all} in
all | quick) ;;
-h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit ;;
*) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

CARGO_TARGET_DIR=$(mktemp -d)
export CARGO_TARGET_DIR
trap 'rm -rf "$CARGO_TARGET_DIR"' EXIT

# row NAME COMMAND...: runs it and prints a row of the table.
row() {
    python3 - "$@" <<'PYTHON'
import resource, subprocess, sys, time

name, *command = sys.argv[1:]
started = time.monotonic()
subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wall = time.monotonic() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu, largest = used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20
print(f"| {name} | {cpu:.0f} s | {wall:.0f} s | {largest:.1f} GiB |", flush=True)
PYTHON
}

quick=(cargo build --locked)
tests=(cargo test --no-run --workspace --all-features --locked)
release=(cargo build --release --locked)
programs=("${release[@]}" --workspace --all-features --bins)

# shellcheck disable=SC2016 # The backquotes are Markdown's.
rows() {
    echo '| build | CPU | wall | largest process |'
    echo '|---|---|---|---|'
    row 'quick start: `cargo build --release`' "${release[@]}"
    row 'the same, not optimised: `cargo build`' "${quick[@]}"
    touch lb/core/src/lib.rs
    row 'after a change of `lb/core`' "${quick[@]}"
    [ "$1" = all ] || return 0
    rm -rf "${CARGO_TARGET_DIR:?}"/*
    row 'tests, with AWS: `cargo test --no-run --workspace --all-features`' "${tests[@]}"
    touch lb/core/src/lib.rs
    row 'after a change of `lb/core`' "${tests[@]}"
    touch lb/aws/src/lib.rs
    row 'after a change of `lb/aws`' "${tests[@]}"
    rm -rf "${CARGO_TARGET_DIR:?}"/*
    row 'released programs, with AWS: `cargo build --release --workspace --all-features --bins`' \
        "${programs[@]}"
}

rows "${1-all}"
