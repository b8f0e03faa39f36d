#!/bin/sh
# What counting costs: CPU time of each operation, counted over uncounted. Fails over the goal.
#
#   instrument/overhead.sh [ROUNDS] [REPEATS]
#
# Builds the worker's operations twice, in target folders of their own, and runs both in turns: a
# round gives one ratio of the fastest repeats. Prints the median of the ratios and their range.
set -eu
case ${1-} in
-h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit ;;
esac
cd "$(dirname "$0")/.."
rounds=${1:-15} repeats=${2:-20} goal=${GOAL:-1.15} mode=${MODE:-lite}

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

seconds() { # PROGRAM OPERATION
    "$1" "$2" "$repeats" | sed 's/.*cpu_seconds=\([0-9.e-]*\).*/\1/'
}

echo "counted ($mode) over uncounted, CPU time, $rounds rounds of the fastest of $repeats"
echo 'operation  median  lowest  highest  uncounted ms'
failed=0
for operation in blur enhance raytrace; do
    round=0
    while [ "$round" -lt "$rounds" ]; do
        round=$((round + 1))
        echo "$(seconds "$off" "$operation") $(seconds "$counted" "$operation")"
    done | awk '{ print $2 / $1, $1 * 1000 }' | sort -n | awk -v name="$operation" -v goal="$goal" '
        { ratio[NR] = $1; if (NR == 1 || $2 < least) least = $2 }
        END {
            median = ratio[int((NR + 1) / 2)]
            printf "%-9s  %6.3f  %6.3f  %7.3f  %12.3f\n", name, median, ratio[1], ratio[NR], least
            exit median > goal
        }' || failed=1
done
[ "$failed" = 0 ] || echo "over the goal of $goal"
exit "$failed"
