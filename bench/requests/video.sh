#!/usr/bin/env bash
# Makes a film of photos. One request or many; --help says more.
set -euo pipefail

usage() {
    cat <<TEXT
usage: video.sh [OPTION]... [PHOTO]...

Makes a film of photos, in that order: JPEG, PNG, BMP, GIF or TIFF files. Without
any, three pictures are rendered first, by the same URL. The worker has to be
built with --features video.

  -m MUSIC        what is heard: an MP3, AAC, M4A, WAV, FLAC or Ogg Vorbis file
  -s COLSxROWS    size of the film (default 1280x720)
  -t SECONDS      how long each photo stands (default 2)
  -f SECONDS      how long one fades into the next (default 0.5)
  -r FPS          frames a second (default 25)
TEXT
    usage_common
}

# shellcheck source-path=SCRIPTDIR source=send.sh
. "${BASH_SOURCE[0]%/*}/send.sh"

photos=() music='' size=1280x720 seconds=2 fade=0.5 fps=25
parse_own() {
    case $1 in
        -m) need_value "$@"; music=$2 ;;
        -s) need_value "$@"; size=$2 ;;
        -t) need_value "$@"; seconds=$2 ;;
        -f) need_value "$@"; fade=$2 ;;
        -r) need_value "$@"; fps=$2 ;;
        -*) return 1 ;;
        *)
            [[ -r $1 ]] || fail "cannot read $1"
            photos+=("$1") taken=1
            ;;
    esac
}

# A film is the answer as it is.
save() {
    [[ -n $out ]] || return 0
    cp "$scratch/answer-1" "$out"
    echo "wrote $out"
}

# part NAMES FILE: one part of the form.
part() {
    printf -- '--%s\r\nContent-Disposition: form-data; %s\r\n\r\n' "$boundary" "$1"
    cat "$2"
    printf '\r\n'
}

parse "$@"
[[ $size =~ ^[0-9]+x[0-9]+$ ]] || fail "-s $size is not COLSxROWS"
[[ -z $music || -r $music ]] || fail "cannot read $music"
make_scratch
if ((${#photos[@]} == 0)); then
    for nth in 1 2 3; do
        photos+=("$scratch/sample-$nth.bmp")
        "${BASH_SOURCE[0]%/*}/raytrace.sh" -u "$url" -s "$((nth * 120))x240" -o "$scratch/sample-$nth.bmp" >/dev/null
    done
fi
boundary=film-$RANDOM$RANDOM$RANDOM$RANDOM
content_type="multipart/form-data; boundary=$boundary"
{
    for pair in "seconds=$seconds" "fade=$fade" "fps=$fps" "width=${size%x*}" "height=${size#*x}"; do
        part "name=\"${pair%%=*}\"" <(printf '%s' "${pair#*=}")
    done
    for photo in "${photos[@]}"; do
        part "name=\"photos\"; filename=\"${photo##*/}\"" "$photo"
    done
    [[ -z $music ]] || part "name=\"music\"; filename=\"${music##*/}\"" "$music"
    printf -- '--%s--\r\n' "$boundary"
} >"$scratch/body"
send video "$scratch/body"
