#!/bin/sh
# mutations.sh [PATTERN]: breaks the library in each way of tests/mutations.tsv (or
# in those whose line has PATTERN), one at a time, in a copy of the tree, and runs
# the suites most likely to see it, then all others of the library.  Prints those
# that none has seen: survivors.
#
# A line of the list: file, suites ("double:" before one that is built in
# double), the text that is replaced, which must stand there exactly once, what
# replaces it, and what that breaks, with tabs between.
set -u
root=$(pwd) tree=$root/build/mutations/tree list=$root/build/mutations/list
rm -rf "$tree" && mkdir -p "$tree" && cp tests/mutations.tsv "$list"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -p -t "$tree"
for mode in release double; do # what is built already need not be built again
    [ -d "build/$mode" ] && mkdir -p "$tree/build/$mode/tests" && cp -rp "build/$mode/common" "$tree/build/$mode/" &&
        find "build/$mode/tests" -maxdepth 1 -type f -exec cp -p -t "$tree/build/$mode/tests" {} +
done
cd "$tree" || exit 1

make_one() { # SUITE: build it; where its program is goes to $program
    case $1 in
        double:*) mode=double suite=${1#double:} ;;
        *) mode=release suite=$1 ;;
    esac
    program=build/$mode/tests/$suite
    make -s MODE=$mode "$program" >build/make.log 2>&1
}

export CK_TIMEOUT_MULTIPLIER=10 # other work on the machine is no mutation
tab=$(printf '\t')
suites=$(grep -v '^#' "$list" | grep -E "${1:-.}" | cut -f 2 | tr ' ' '\n' | sort -u)
for suite in $suites; do
    make_one "$suite" && timeout 1000 "$program" >build/run.log 2>&1 ||
        { echo "without a mutation, $suite fails"; tail -n 3 build/make.log build/run.log; exit 1; }
done

others() { # the suites of the library that are not among those given
    for test in tests/*.c; do
        suite=${test#tests/} suite=${suite%.c}
        case "$suite $* " in lab_* | *" $suite "*) ;; *) echo "$suite" ;; esac
    done
}

all=0 seen=0 wrong=0
while IFS=$tab read -r file suites old new what; do
    case $file in '' | '#'*) continue ;; esac
    echo "$file $what" | grep -Eq "${1:-.}" || continue
    all=$((all + 1))
    if ! OLD=$old NEW=$new awk '{
            for (line = $0; at = index(line, ENVIRON["OLD"]); line = substr(line, at + length(ENVIRON["OLD"]))) found++
            at = index($0, ENVIRON["OLD"])
            print at ? substr($0, 1, at - 1) ENVIRON["NEW"] substr($0, at + length(ENVIRON["OLD"])) : $0
        } END { exit found != 1 }' "$file" >build/mutant; then
        echo "STALE     $file: $what: its text is not there, or not once: $old"
        wrong=$((wrong + 1))
        continue
    fi
    cp "$file" build/original && cp build/mutant "$file"
    by=
    for suite in $suites $(others $suites); do
        if ! make_one "$suite"; then
            by="BROKEN"
            break
        fi
        timeout 600 "$program" >build/run.log 2>&1
        case $? in
            0) ;;
            124) by="$suite, which does not end"; break ;;
            *) by=$suite; break ;;
        esac
    done
    cp build/original "$file"
    case " $suites $by" in
        *" BROKEN" | *" ") ;;
        *" $by"*" $by"*) ;;
        *) # seen by another suite than those tried at first: does that one pass as it should?
            make_one "$suite" && timeout 1000 "$program" >build/run.log 2>&1 || by="" ;;
    esac
    case $by in
        '') echo "SURVIVES  $file: $what" ; wrong=$((wrong + 1)) ;;
        BROKEN) echo "BROKEN    $file: $what: it does not compile: $(grep -m1 error build/make.log)"; wrong=$((wrong + 1)) ;;
        *) seen=$((seen + 1)); [ -z "${VERBOSE:-}" ] || echo "seen      $file: $what: by $by" ;;
    esac
done <"$list"
echo "$all mutations, $seen seen, $wrong survive or cannot be made"
[ "$wrong" = 0 ] && [ "$all" -gt 0 ]
