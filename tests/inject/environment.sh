#!/bin/sh
# environment.sh PROGRAM...: quick labs where the world around them is broken: a
# folder that cannot be written, a disk that is full, a reader that goes away, a
# gnuplot that dies or is not there.  Each run ends as it should, with one line that
# says what was wrong (one a figure, if each fails by itself), and leaves no half
# file.  (A gnuplot that hangs is waited for a minute; tests/figure.c has less patience.)
set -u
. "${0%/*}/short.sh"
here=$(mktemp -d) || exit 1
trap 'umount "$here/full" 2>/dev/null; rm -rf "$here"' EXIT
trap 'exit 1' INT TERM
failed=0
chmod 755 "$here"
mkdir "$here/bin" "$here/full" "$here/readonly" "$here/empty"
chmod 555 "$here/readonly"
printf '#!/bin/sh\nkill -9 $$\n' >"$here/bin/gnuplot"
chmod 755 "$here/bin/gnuplot"
cp "$@" "$here"
if [ "$(id -u)" = 0 ]; then # root may write anywhere
    user="setpriv --reuid 65534 --regid 65534 --clear-groups"
    mount -t tmpfs -o size=64k none "$here/full" 2>/dev/null || rmdir "$here/full"
else
    user= && rmdir "$here/full"
fi

# expect WHAT STATUS LEAST MOST: how $here/status and the lines of $here/stderr should be
expect() {
    status=$(cat "$here/status") lines=$(wc -l <"$here/stderr")
    runs=$((runs + 1))
    if [ "$status" != "$2" ] || [ "$lines" -lt "$3" ] || [ "$lines" -gt "$4" ] ||
        find "$here/out" "$here/full" -name '*.part' 2>/dev/null | grep -q .; then
        echo "$name, $1: status $status, $lines lines: $(head -n 3 "$here/stderr")"
        failed=$((failed + 1))
    fi
    rm -rf "$here/out" "$here/full/"*
}

lab() { # ARGUMENT...: to standard output
    "$here/$name" --step "$(steps "$name")" --quick "$@" 2>"$here/stderr"
    echo $? >"$here/status"
}

for program; do
    name=${program##*/} runs=0
    $user "$here/$name" --step "$(steps "$name")" --quick --quiet --out "$here/readonly/out" >/dev/null 2>"$here/stderr"
    echo $? >"$here/status"
    expect "a folder that is read-only" 1 1 1
    if [ -d "$here/full" ]; then
        lab --quiet --out "$here/full" >/dev/null
        expect "a full disk" 1 1 99
    fi
    lab --out "$here/out" >/dev/full
    expect "a full standard output" 1 1 1
    lab --out "$here/out" | head -n 1 >/dev/null
    expect "a reader that goes away" 141 0 0
    lab --out "$here/out" >&-
    expect "a closed standard output" 1 1 1
    PATH=$here/bin:$PATH lab --quiet --out "$here/out" >/dev/null
    expect "a gnuplot that dies" 1 1 99
    PATH=$here/empty lab --quiet --out "$here/out" >/dev/null
    expect "no gnuplot" 0 1 1
    echo "$name: $runs broken environments, $failed wrong so far"
done
[ "$failed" = 0 ]
