#!/usr/bin/env bash
# Makes Debian packages of a program that has been built.
set -euo pipefail

usage() {
    cat <<TEXT
usage: build-deb.sh [options]

Makes two packages of a program that has been built (\`cargo build --release\`): weighbridge, with
the stripped program, its units, default configuration, manual pages and completions, and
weighbridge-dbgsym, with the symbols that gdb and perf want. Needs dpkg-deb, binutils and gzip.

  -p, --program FILE  the program [target/release/weighbridge]
  -o, --out DIR       the folder for the packages [.]
  -h, --help          print this
TEXT
}

program=target/release/weighbridge
out=.
while (($# > 0)); do
    case $1 in
        -p | --program) program=${2:?"--program needs a file"}; shift 2 ;;
        -o | --out) out=${2:?"--out needs a folder"}; shift 2 ;;
        -h | --help) usage; exit 0 ;;
        *) echo "build-deb: there is no option $1; see --help" >&2; exit 2 ;;
    esac
done
[[ -x $program ]] || { echo "build-deb: there is no program $program; build it first" >&2; exit 1; }
for tool in dpkg-deb dpkg objcopy strip objdump readelf gzip; do
    command -v "$tool" >/dev/null || { echo "build-deb: $tool is missing" >&2; exit 1; }
done

deploy=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$program")
mkdir -p "$out"
out=$(realpath "$out")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022

version=$("$program" --version | cut -d ' ' -f 2)
arch=$(dpkg --print-architecture)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$deploy" log -1 --format=%ct 2>/dev/null || date +%s)}
date=$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
maintainer='Weighbridge <weighbridge@localhost.localdomain>'
root=$work/weighbridge
symbols=$work/weighbridge-dbgsym

# --- The program, and its symbols apart: a debugger finds them by the build's id.

id=$(readelf -n "$program" | sed -n 's/^ *Build ID: //p')
debug=$symbols/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug
install -D --mode=0755 "$program" "$root/usr/bin/weighbridge"
mkdir -p "$(dirname "$debug")"
objcopy --only-keep-debug --compress-debug-sections "$program" "$debug"
chmod 0644 "$debug"
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/weighbridge"
libc=$(objdump -T "$program" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)

# --- Units: the program is elsewhere than where install.sh puts it.

for unit in weighbridge.service weighbridge.socket weighbridge-worker.service; do
    install -D --mode=0644 "$deploy/systemd/$unit" "$root/lib/systemd/system/$unit"
done
sed -i 's,/usr/local/bin/,/usr/bin/,; s,/usr/local/lib/,/usr/lib/,' "$root"/lib/systemd/system/*
install -D --mode=0644 "$deploy/vm/logrotate" "$root/etc/logrotate.d/weighbridge"
install -D --mode=0640 "$deploy/files/weighbridge.toml" "$root/etc/weighbridge/weighbridge.toml"

# --- What is read, and what shells want.

"$program" man --out "$root/usr/share/man/man1"
gzip -9n "$root"/usr/share/man/man1/*.1
completion() { # shell, file
    mkdir -p "$(dirname "$root$2")"
    "$program" completions "$1" >"$root$2"
}
completion bash /usr/share/bash-completion/completions/weighbridge
completion zsh /usr/share/zsh/vendor-completions/_weighbridge
completion fish /usr/share/fish/vendor_completions.d/weighbridge.fish
# What lintian is told: operators write secrets into the configuration.
mkdir -p "$root/usr/share/lintian/overrides"
echo 'weighbridge: non-standard-file-perm 0640 != 0644 *' \
    >"$root/usr/share/lintian/overrides/weighbridge"
for package in weighbridge weighbridge-dbgsym; do
    doc=$work/$package/usr/share/doc/$package
    install -D --mode=0644 "$deploy/debian/copyright" "$doc/copyright"
    printf '%s (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' \
        weighbridge "$version" "$maintainer" "$date" | gzip -9n >"$doc/changelog.gz"
done
gzip -9nc "$deploy/CHANGELOG.md" >"$root/usr/share/doc/weighbridge/CHANGELOG.md.gz"

# --- The packages.

control() { # package, further fields, description
    local folder=$work/$1/DEBIAN
    mkdir -p "$folder"
    {
        printf 'Package: %s\nVersion: %s\nArchitecture: %s\n' "$1" "$version" "$arch"
        printf 'Maintainer: %s\n' "$maintainer"
        printf 'Installed-Size: %s\n' "$(du -ks --exclude=DEBIAN "$work/$1" | cut -f 1)"
        printf '%s\n%s\n' "$2" "$3"
    } >"$folder/control"
    (cd "$work/$1" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | LC_ALL=C sort -z |
        xargs -0 md5sum >DEBIAN/md5sums)
}
control weighbridge "Section: net
Priority: optional
Depends: libc6 (>= ${libc#GLIBC_}), libgcc-s1, adduser
Suggests: logrotate" \
    'Description: load balancer that weighs every request before it routes it
 Weighbridge is a reverse proxy for services whose requests differ in cost. It
 predicts what every request will cost, sends it where it adds the least delay,
 lets the shortest remaining request go first, and sizes the fleet.'
control weighbridge-dbgsym "Section: debug
Priority: optional
Depends: weighbridge (= $version)" \
    'Description: debug symbols for weighbridge
 What gdb, perf and crash reports need to name functions and lines.'
for script in postinst prerm postrm; do
    install --mode=0755 "$deploy/debian/$script" "$root/DEBIAN/$script"
done
printf '%s\n' /etc/logrotate.d/weighbridge /etc/weighbridge/weighbridge.toml \
    >"$root/DEBIAN/conffiles"
for package in weighbridge weighbridge-dbgsym; do
    dpkg-deb --root-owner-group --build "$work/$package" \
        "$out/${package}_${version}_$arch.deb" >/dev/null
    echo "$out/${package}_${version}_$arch.deb"
done
