#!/usr/bin/env bash
# Builds the function for AWS Lambda.
set -euo pipefail

usage() {
    cat <<TEXT
usage: build-lambda.sh [OPTION]... [x86_64|arm64]

Builds the function for AWS Lambda, runtime provided.al2023, and makes
target/lambda/weighbridge-lambda-ARCHITECTURE.zip of it, for this machine's
architecture or the one named. Prints the file's name. It is the same for every
operation: WEIGHBRIDGE_OPERATION tells a function which it is.

Another architecture than this machine's needs a cross linker (Debian:
gcc-aarch64-linux-gnu or gcc-x86-64-linux-gnu) and rustup, which fetches the
standard library.

  --program FILE       do not build, take this program
  --output FILE        the zip
  --glibc-max VERSION  the C library on Lambda (default: $glibc_max)
  -h, --help           print this
TEXT
}

# What Amazon Linux 2023 has.
glibc_max=2.34

# shellcheck source-path=SCRIPTDIR source=shared.sh
. "$(dirname "$0")/shared.sh"

architecture='' program='' output=''
while (($#)); do
    case $1 in
        --program) need_value "$@"; program=$2; shift 2 ;;
        --output) need_value "$@"; output=$2; shift 2 ;;
        --glibc-max) need_value "$@"; glibc_max=$2; shift 2 ;;
        -h | --help) usage; exit 0 ;;
        -*) misused "there is no option $1" ;;
        *)
            [[ -z $architecture ]] || misused "there is more than one architecture: $architecture and $1"
            architecture=$1
            shift
            ;;
    esac
done

case ${architecture:=$(uname -m)} in
    x86_64 | amd64) architecture=x86_64 machine=x86_64 elf=X86-64 ;;
    arm64 | aarch64) architecture=arm64 machine=aarch64 elf=AArch64 ;;
    *) misused "there is no architecture $architecture, expected x86_64 or arm64" ;;
esac
if [[ $machine == "$(uname -m)" ]]; then
    is_cross=false strip=strip
else
    is_cross=true strip=${machine//_/-}-linux-gnu-strip
fi
root=$(dirname "$here")
[[ -z $program || -r $program ]] || fail "the program $program cannot be read"
[[ -z $program ]] || program=$(realpath "$program")
[[ -z $output ]] || output=$(realpath -m "$output")
: "${output:=$root/target/lambda/weighbridge-lambda-$architecture.zip}"

# Builds the program and says where it is.
build() {
    local folder=$root/target/release linker target variable
    local build=(cargo build --release --locked -p weighbridge-worker --features lambda
        --bin weighbridge-lambda)
    need_tools cargo
    cd "$root"
    if $is_cross; then
        target=$machine-unknown-linux-gnu
        linker=${machine//_/-}-linux-gnu-gcc
        command -v "$linker" >/dev/null ||
            fail "the linker $linker is missing (Debian: gcc-${machine//_/-}-linux-gnu)"
        need_tools rustup
        rustup target add "$target" >&2
        variable=${target//-/_}
        export "CARGO_TARGET_${variable^^}_LINKER=$linker"
        build+=(--target "$target")
        folder=$root/target/$target/release
    fi
    "${build[@]}" >&2
    echo "$folder/weighbridge-lambda"
}

need_tools readelf "$strip" python3
if [[ -z $program ]]; then
    program=$(build)
fi
readelf --file-header --wide "$program" 2>/dev/null | grep -q "Machine:.*$elf" ||
    fail "$program is no program for $architecture"
# What was linked here must not need a newer C library than there is on Lambda.
needed=$(readelf --version-info --wide "$program" |
    grep -o 'GLIBC_[0-9.]*' | cut -d_ -f2 | sort -Vu | tail -n 1)
newest=$(printf '%s\n' "$needed" "$glibc_max" | sort -V | tail -n 1)
[[ $newest == "$glibc_max" ]] ||
    fail "the program needs glibc $needed, Lambda has $glibc_max: build on an older system"

# Without what only debuggers read: it would be fetched with every cold start.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$strip" --strip-debug -o "$work/bootstrap" "$program"
mkdir -p "$(dirname "$output")"
python3 - "$work/bootstrap" "$output" <<'PYTHON'
import sys, zipfile
program, archive = sys.argv[1:]
entry = zipfile.ZipInfo("bootstrap")  # Its time is always 1980: the same program, the same file.
entry.external_attr = 0o755 << 16
entry.compress_type = zipfile.ZIP_DEFLATED
with open(program, "rb") as file, zipfile.ZipFile(archive, "w", compresslevel=9) as zip:
    zip.writestr(entry, file.read(), compresslevel=9)
PYTHON
say "$(stat -c %s "$output") bytes, needs glibc $needed"
echo "$output"
