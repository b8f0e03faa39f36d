# shellcheck shell=bash
# Sourced by the request scripts: options, sending, checking of what comes back.

count=1 concurrency=1 url=http://127.0.0.1:8000 out='' input='' format='' taken=1
content_type=application/octet-stream

# What every usage text ends with.
usage_common() {
    cat <<TEXT
  -n COUNT        send it COUNT times (default 1)
  -c CONCURRENCY  so many at once (default 1)
  -u URL          where to (default http://127.0.0.1:8000)
  -o OUT          write the resulting image to the file OUT
  -h, --help      print this

Ends with 0 only if every answer was a 200 and all were the same.
Needs bash, curl, base64 and jq.
TEXT
}

fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# need_value OPTION REST...: fails unless the option has a value.
need_value() {
    (($# >= 2)) || fail "$1 needs a value; see --help"
}

# is_number TEXT: whether it is a whole number above zero.
is_number() {
    [[ $1 =~ ^[1-9][0-9]{0,6}$ ]]
}

# parse ARGUMENT...: takes all arguments. The script's `parse_own` takes its own options, and fails
# for others. An option with no value says `taken=1`.
parse() {
    while (($#)); do
        taken=2
        parse_own "$@" || parse_common "$@"
        shift "$taken"
    done
}

# parse_common ARGUMENT...: takes one option that all scripts have, or the input file.
parse_common() {
    case $1 in
        -h | --help) usage; exit 0 ;;
        -n) need_value "$@"; is_number "$2" || fail "-n $2 is not a count"; count=$2 ;;
        -c) need_value "$@"; is_number "$2" || fail "-c $2 is not a count"; concurrency=$2 ;;
        -u) need_value "$@"; url=${2%/} ;;
        -o) need_value "$@"; out=$2 ;;
        -*) fail "there is no option $1; see --help" ;;
        *)
            [[ -z $input ]] || fail "only one file is taken, not $input and $1"
            [[ -r $1 ]] || fail "cannot read $1"
            input=$1 taken=1
            ;;
    esac
}

# Makes `scratch`, a folder that goes away with the script.
make_scratch() {
    for tool in curl base64 jq; do
        command -v "$tool" >/dev/null || fail "$tool is not installed"
    done
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
}

# send TARGET BODY: sends the file BODY `count` times, `concurrency` at once, and tells of the
# answers.
send() {
    local target=$1 body=$2
    seq "$count" | xargs -P "$concurrency" -I '{}' \
        curl --silent --show-error --output "$scratch/answer-{}" \
        --header "Content-Type: $content_type" --data-binary "@$body" \
        --write-out '%{http_code} %{time_total}\n' "$url/$target" >"$scratch/log" ||
        fail "some requests to $url had no answer"
    awk '{ codes[$1]++; sum += $2; if ($2 > max) max = $2; if (min == "" || $2 < min) min = $2 }
        END { for (code in codes) printf "%d answers with status %s\n", codes[code], code
              printf "response time: mean %.3f s, min %.3f s, max %.3f s\n", sum / NR, min, max }' \
        "$scratch/log"
    check
    save
}

# Fails unless all answers were good, and the same.
check() {
    local answer
    if grep -qv '^200 ' "$scratch/log"; then
        for answer in "$scratch"/answer-*; do
            jq --raw-output 'select(.status) | "\(.status) \(.title): \(.detail)"' "$answer" 2>/dev/null || true
        done | sort | uniq -c >&2
        exit 1
    fi
    for answer in "$scratch"/answer-*; do
        cmp -s "$answer" "$scratch/answer-1" || fail 'the same request had different answers'
    done
}

# Writes the image of the first answer, a data URL, to `out`.
save() {
    [[ -n $out ]] || return 0
    sed 's/^[^,]*,//' "$scratch/answer-1" | base64 -d >"$out"
    echo "wrote $out"
}

# send_image TARGET: sends the file `input` as a data URL, or else a picture that is rendered first.
send_image() {
    local target=$1
    if [[ -z $input ]]; then
        input=$scratch/sample.bmp
        "${BASH_SOURCE[0]%/*}/raytrace.sh" -u "$url" -s 320x240 -o "$input" >/dev/null
    fi
    format=${format:-${input##*.}}
    [[ $format =~ ^[a-zA-Z]{3,5}$ ]] || fail "$input does not end like an image; use -f FORMAT"
    { printf 'data:image/%s;base64,' "$format"; base64 <"$input" | tr -d '\n'; } >"$scratch/body"
    send "$target" "$scratch/body"
}
