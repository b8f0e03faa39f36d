#!/usr/bin/env bash
# Enhances the contrast of an image, locally; the result is gray. --help says more.
set -euo pipefail

usage() {
    cat <<TEXT
usage: enhance.sh [OPTION]... [IMAGE]

Enhances the contrast of an image, locally; the result is gray. IMAGE is a JPEG, PNG, BMP, GIF or TIFF file; without one, a
picture is rendered first, by the same URL.

  -f FORMAT       format of the result (default: as the name of IMAGE ends)
TEXT
    usage_common
}

# shellcheck source-path=SCRIPTDIR source=send.sh
. "${BASH_SOURCE[0]%/*}/send.sh"

parse_own() {
    case $1 in
        -f) need_value "$@"; format=$2 ;;
        *) return 1 ;;
    esac
}

parse "$@"
make_scratch
send_image enhanceimage
