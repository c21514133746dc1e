#!/bin/sh
# kill9.sh TIMES PROGRAM...: kills each lab TIMES times (kill -9, with its gnuplots)
# after a time of its own.  Every file that is not a .part is the earlier run's or
# this run's, whole; the next run works and leaves no .part.  SHORT=1: only the steps
# that do not train for seconds.
set -u
. "${0%/*}/inject/short.sh"
times=$1
shift
here=$(mktemp -d) || exit 1
trap 'rm -rf "$here"' EXIT
trap 'exit 1' INT TERM
failed=0

fail() { echo "$name, killed after $ms ms: $*"; failed=$((failed + 1)); }

run() { # SEED FOLDER
    "$program" $only --quick --quiet --seed "$1" --out "$2" >/dev/null 2>"$here/stderr"
}

# Trace, ledger, data, scripts and pictures; a time is whole if its last line is.
check_files() {
    for now in "$here/now/$name"/*; do
        file=${now##*/}
        case $file in
            *.part) continue ;;
            *.png) tail -c 8 "$now" | cmp -s - "$here/end" || fail "$file is no whole picture" ; continue ;;
            timing.tsv | *_time.*) [ "$(tail -c 1 "$now" | wc -l)" = 1 ] || fail "$file is cut"; continue ;;
        esac
        cmp -s "$here/good/$name/$file" "$now" || cmp -s "$here/earlier/$name/$file" "$now" ||
            fail "$file is neither the earlier one nor a whole one"
    done
}

printf 'IEND\256B`\202' >"$here/end"
for program; do
    name=${program##*/} ms=- before=$failed killed=0 turn=0
    only=${SHORT:+--step=$(steps "$name")}
    run 7 "$here/earlier" || { cat "$here/stderr"; exit 1; }
    began=$(date +%s%N)
    run 42 "$here/good" || { cat "$here/stderr"; exit 1; }
    whole=$(( ($(date +%s%N) - began) / 1000000 ))
    rm -rf "$here/now" && cp -r "$here/earlier" "$here/now"
    while [ "$turn" -lt "$times" ]; do
        turn=$((turn + 1))
        ms=$(( whole * (2 * turn - 1) / (2 * times) ))
        timeout -s KILL "$(( ms / 1000 )).$(printf %03d $(( ms % 1000 )))" \
            "$program" $only --quick --quiet --seed 42 --out "$here/now" >/dev/null 2>&1
        [ $? = 137 ] && killed=$((killed + 1))
        check_files
        [ $((turn % 2)) = 0 ] && rm -rf "$here/now" && cp -r "$here/earlier" "$here/now"
    done
    run 42 "$here/now" || fail "the next run: $(cat "$here/stderr")"
    for good in "$here/good/$name"/*; do
        case $good in */timing.tsv | *_time.*) continue ;; esac
        cmp -s "$good" "$here/now/$name/${good##*/}" || fail "the next run's ${good##*/} is another"
    done
    parts=$(find "$here/now" -name '*.part')
    [ -z "$parts" ] || fail "the next run left $parts"
    echo "$name: killed $killed times of $times, $((failed - before)) wrong"
done
[ "$failed" = 0 ]
