#!/bin/sh
# labs.sh PROGRAM...: quick labs in which one call of the system fails (inject.h),
# for each place that calls, once and from then on.  Every run ends with status 0
# or with 1 and one line; each file is the earlier run's or the complete new one;
# no part is left.  FAULT_STEP=7 tries every 7th place only.  Of a lab that trains
# for seconds, the steps that do not are run.
set -u
. "${0%/*}/short.sh"
here=$(mktemp -d) || exit 1
trap 'rm -rf "$here"' EXIT
trap 'exit 1' INT TERM
failed=0

fail() { echo "$name, fault $fault, status $status: $*: $(head -3 "$here/stderr")"; failed=$((failed + 1)); }

check_files() {
    for file in "$good"/*; do
        case ${file##*/} in timing.tsv | *_time.*) continue ;; esac
        now=$here/now/$name/${file##*/}
        cmp -s "$file" "$now" && continue
        [ "$status" = 1 ] && cmp -s "$earlier/${file##*/}" "$now" && continue
        fail "${file##*/} is not whole"
    done
    parts=$(find "$here/now" -name '*.part')
    [ -z "$parts" ] || fail "left $parts"
}

run() { # SEED FOLDER
    "$program" --step "$(steps "$name")" --quick --quiet --no-plots --threads 1 --seed "$1" --out "$2" \
        >"$here/stdout" 2>"$here/stderr"
}

for program; do
    name=${program##*/} good=$here/good/${program##*/} earlier=$here/earlier/${program##*/}
    run 7 "$here/earlier" && FAULT_COUNT=$here/count run 42 "$here/good" || { cat "$here/stderr"; exit 1; }
    places=$(cat "$here/count") place=1 before=$failed runs=0
    while [ "$place" -le "$places" ]; do
        for fault in $place $place+; do
            rm -rf "$here/now" && cp -rl "$here/earlier" "$here/now"
            FAULT=$fault run 42 "$here/now"
            status=$?
            lines=$(wc -l <"$here/stderr")
            case $status in
                0) [ "$lines" = 0 ] || fail "says something" ;;
                1) [ "$lines" = 1 ] || fail "says $lines lines" ;;
                *) fail "ends otherwise" ;;
            esac
            check_files
            runs=$((runs + 1))
        done
        place=$((place + ${FAULT_STEP:-1}))
    done
    echo "$name: $runs runs over $places places, $((failed - before)) wrong"
done
[ "$failed" = 0 ]
