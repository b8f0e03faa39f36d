#!/usr/bin/env bash
# Renders a scene. One request or many; --help says more.
set -euo pipefail

usage() {
    cat <<TEXT
usage: raytrace.sh [OPTION]... [SCENE]

Renders the scene in the text file SCENE; without one, a sample.

  -s COLSxROWS    size of the whole picture (default 400x300)
  -w COLSxROWS    size of the part that is rendered (default: the whole)
  -p COL,ROW      where that part begins, from the picture's upper left corner (default 0,0)
  -a              four rays a pixel instead of one
  -t IMAGE        the image file of the scene's texture
TEXT
    usage_common
}

# Eye, lights, pigments, finishes and shapes.
sample_scene() {
    cat <<TEXT
0 2.5 9   0 .8 0   0 1 0   45
3
0 0 0   .9 .9 1   1 0 0
6 9 7   1 1 .9   1 0 0
-7 5 3   .4 .5 .7   1 0 0
4
solid .9 .25 .2
solid .2 .5 .9
checker .9 .9 .85  .15 .2 .15  1.5
solid .95 .8 .3
3
.2 .6 .5 40 .25 0 1
.2 .8 .1 5 0 0 1
.1 .2 .8 90 .1 .7 1.3
6
2 1 plane 0 1 0 0
0 0 sphere 0 1 0 1
1 0 sphere 2.2 .7 .8 .7
3 0 sphere -2.1 .8 .3 .8
1 2 sphere -.6 .5 2.3 .5
3 1 triangle -4 0 -3  4 0 -3  0 4 -4
TEXT
}

# shellcheck source-path=SCRIPTDIR source=send.sh
. "${BASH_SOURCE[0]%/*}/send.sh"

size=400x300 part='' start=0,0 aa=false texture=''
parse_own() {
    case $1 in
        -s) need_value "$@"; size=$2 ;;
        -w) need_value "$@"; part=$2 ;;
        -p) need_value "$@"; start=$2 ;;
        -a) aa=true taken=1 ;;
        -t) need_value "$@"; texture=$2 ;;
        *) return 1 ;;
    esac
}

parse "$@"
part=${part:-$size}
[[ $size =~ ^[0-9]+x[0-9]+$ && $part =~ ^[0-9]+x[0-9]+$ ]] || fail "-s $size or -w $part is not COLSxROWS"
[[ $start =~ ^[0-9]+,[0-9]+$ ]] || fail "-p $start is not COL,ROW"
[[ -z $texture || -r $texture ]] || fail "cannot read $texture"

make_scratch
if [[ -n $input ]]; then cp "$input" "$scratch/scene"; else sample_scene >"$scratch/scene"; fi
od -An -v -tu1 "${texture:-/dev/null}" | jq --slurp . >"$scratch/texture"
jq --null-input --rawfile scene "$scratch/scene" --slurpfile texture "$scratch/texture" \
    '{ scene: $scene, texmap: $texture[0] }' >"$scratch/body"
query="scols=${size%x*}&srows=${size#*x}&wcols=${part%x*}&wrows=${part#*x}"
# A worker counts rows from the picture's lower edge: a part that lies above it begins below zero.
row=$((10#${start#*,} + 10#${part#*x} - 10#${size#*x}))
send "raytracer?$query&coff=${start%,*}&roff=$row&aa=$aa" "$scratch/body"
