#!/bin/sh
# Whether estimated instructions are true: those of each operation in the full mode against what
# callgrind counts of an uncounted build. Fails where they are more than 10 % off.
#
#   instrument/callgrind.sh
#
# MODE=lite compares the mode that ships. Does nothing where valgrind is not installed.
set -eu
case ${1-} in
-h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit ;;
esac
cd "$(dirname "$0")/.."
mode=${MODE:-full} goal=${GOAL:-0.10}
if ! command -v valgrind >/dev/null; then
    echo 'valgrind is not installed: nothing was compared'
    exit 0
fi

example() { # MODE ACTION: the folder of the build in that mode, or the build itself
    case $1 in
        lite) folder=target flags= ;;
        full) folder=target/counted-full flags='--cfg weighbridge_counts="full"' ;;
        off) folder=target/uncounted flags= ;;
    esac
    if [ "$2" = build ]; then
        # What ships is what a plain build makes: flags in the environment would replace the file's.
        [ "$1" = lite ] && unset RUSTFLAGS || export RUSTFLAGS="$flags"
        # With the whole workspace, whose crates turn on features of the libraries that they share.
        cargo build --quiet --release --workspace --example operation_cost --target-dir "$folder"
    else
        echo "$folder/release/examples/operation_cost"
    fi
}
(example off build)
(example "$mode" build)
off=$(example off path) counted=$(example "$mode" path)

echo "estimated ($mode) over callgrind, instructions"
echo 'operation     estimated     callgrind  ratio'
failed=0
for operation in blur enhance raytrace; do
    # What happens once in a process is not the request's: the second one is compared.
    estimated=$("$counted" "$operation" 2 |
        sed -n 's/.*instructions=\([0-9]*\).*/\1/p')
    collected() { # REPEATS
        valgrind --tool=callgrind --callgrind-out-file=/dev/null '--toggle-collect=*operation_cost*request*' \
            "$off" "$operation" "$1" 2>&1 |
            sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
    }
    awk -v name="$operation" -v estimated="${estimated:-0}" -v one="$(collected 1)" -v two="$(collected 2)" -v goal="$goal" '
        BEGIN {
            truth = two - one
            ratio = truth ? estimated / truth : 0
            printf "%-9s  %12d  %12d  %5.3f\n", name, estimated, truth, ratio
            exit !(1 - goal <= ratio && ratio <= 1 + goal)
        }' || failed=1
done
[ "$failed" = 0 ] || echo "more than $goal off"
exit "$failed"
