#!/usr/bin/env bash
# Builds the function for AWS Lambda, runtime provided.al2023: `deploy/build-lambda.sh [x86_64|arm64]`
# makes target/lambda/weighbridge-lambda-ARCHITECTURE.zip, with the program `bootstrap` in it. It is the
# same for every operation: the variable WEIGHBRIDGE_OPERATION tells a function which it is.
#
# Another architecture than this machine's needs its standard library (rustup target add) and a
# cross linker (Debian: gcc-aarch64-linux-gnu or gcc-x86-64-linux-gnu).
set -euo pipefail
cd "$(dirname "$0")/.."

# What Amazon Linux 2023 has.
glibc_max=2.34

architecture=${1:-$(uname -m)}
case $architecture in
    x86_64 | amd64) architecture=x86_64 machine=x86_64 ;;
    arm64 | aarch64) architecture=arm64 machine=aarch64 ;;
    *)
        echo "build-lambda.sh: there is no architecture \`$architecture\`, expected x86_64 or arm64" >&2
        exit 2
        ;;
esac

build=(cargo build --release --locked -p weighbridge-worker --features lambda --bin weighbridge-lambda)
folder=target/release
if [ "$machine" != "$(uname -m)" ]; then
    target=$machine-unknown-linux-gnu
    linker=${machine//_/-}-linux-gnu-gcc
    command -v "$linker" >/dev/null || {
        echo "build-lambda.sh: the linker \`$linker\` is missing (Debian: gcc-${machine//_/-}-linux-gnu)" >&2
        exit 1
    }
    rustup target add "$target"
    variable=${target//-/_}
    export "CARGO_TARGET_${variable^^}_LINKER=$linker"
    build+=(--target "$target")
    folder=target/$target/release
fi
"${build[@]}"

# A program that is linked here must not need a newer C library than there is on Lambda.
needed=$(readelf --version-info --wide "$folder/weighbridge-lambda" |
    grep -o 'GLIBC_[0-9.]*' | cut -d_ -f2 | sort -Vu | tail -n 1)
newest=$(printf '%s\n' "$needed" "$glibc_max" | sort -V | tail -n 1)
if [ "$newest" != "$glibc_max" ]; then
    echo "build-lambda.sh: the program needs glibc $needed, Lambda has $glibc_max: build on an older system" >&2
    exit 1
fi

# Without what only debuggers read: it would be fetched with every cold start.
mkdir -p target/lambda
zip=$PWD/target/lambda/weighbridge-lambda-$architecture.zip
strip="strip"
[ "$machine" = "$(uname -m)" ] || strip=${machine//_/-}-linux-gnu-strip
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$strip" --strip-debug -o "$work/bootstrap" "$folder/weighbridge-lambda"
python3 - "$work/bootstrap" "$zip" <<'PYTHON'
import sys, zipfile
program, archive = sys.argv[1:]
entry = zipfile.ZipInfo("bootstrap")  # Its time is always 1980: the same program, the same file.
entry.external_attr = 0o755 << 16
entry.compress_type = zipfile.ZIP_DEFLATED
with open(program, "rb") as file, zipfile.ZipFile(archive, "w", compresslevel=9) as zip:
    zip.writestr(entry, file.read(), compresslevel=9)
PYTHON
echo "$zip: $(stat -c %s "$zip") bytes, glibc $needed"
