#!/bin/sh
# skipgram.sh DIRECTORY LAB: lab 02's skip-gram with five noise words beside gensim's
# and fastText's where they are installed: dimension 100, window 5, no subsampling,
# one thread, a text of 1 000 000 words that DIRECTORY/zipf writes.  Thousand words
# per second of processor time of an epoch (three less one, halved): median of
# ROUNDS (3), in each of which all take their turn.
here=$(dirname "$0")
bench=$1
lab=$2
corpus=$bench/zipf.txt
results=$bench/skipgram.txt
"$bench/zipf" >"$corpus" || exit 1

python=
for candidate in $PYTHON python3 /usr/bin/python3; do
    [ -z "$python" ] && $candidate -c 'import gensim' 2>/dev/null && python=$candidate
done
[ -n "$python" ] || echo "skipped: gensim (no python3 that can import gensim)"
command -v fasttext >/dev/null || echo "skipped: fastText (no program fasttext)"

user() { # the processor seconds of a command
    { LC_ALL=C sh -c 'trap "times >&2" EXIT; "$@" >/dev/null 2>&1' sh "$@"; } 2>&1 |
        awk 'NR == 2 { split($1, u, /[ms]/); split($2, s, /[ms]/); print 60 * (u[1] + s[1]) + u[2] + s[2] }'
}
ours() { # NOISE EPOCHS
    user "$lab" --step 9 --corpus "$corpus" --noise "$1" --epochs "$2" --subsample 0 --min-count 1 --rate 0.025 \
        --threads 1 --quiet --no-plots --out "$bench/outputs"
}
fast() { # EPOCHS
    user fasttext skipgram -input "$corpus" -output "$bench/fasttext" -dim 100 -ws 5 -neg 5 -loss ns -minCount 1 -t 1 \
        -lr 0.025 -thread 1 -epoch "$1" -verbose 0 -maxn 0 -bucket 0
}
speed() { # NAME SECONDS_OF_ONE SECONDS_OF_THREE
    echo "$1 $2 $3" | awk '{ printf "%s %.0f\n", $1, 2e6 / ($3 - $2) }'
}

for round in $(seq "${ROUNDS:-3}"); do
    speed window "$(ours window 1)" "$(ours window 3)"
    speed pair "$(ours pair 1)" "$(ours pair 3)"
    [ -n "$python" ] && "$python" "$here/gensim_peer.py" "$corpus" 2>/dev/null
    command -v fasttext >/dev/null && speed fasttext "$(fast 1)" "$(fast 3)"
done >"$results"

sort -k1,1 -k2,2n "$results" | awk '
    { value[$1] = value[$1] " " $2; names[$1] = 1 }
    END {
        for (name in names) { n = split(value[name], v, " "); median[name] = v[int((n + 1) / 2)]
            range[name] = sprintf("%.0f (%.0f - %.0f)", median[name] / 1e3, v[1] / 1e3, v[n] / 1e3) }
        printf "%-30s %-24s %s\n", "skip-gram, 1000 words/s", "median (low - high)", "noise of a window / of a pair, over it"
        for (name in names)
            printf "%-30s %-24s %.2f / %.2f\n", name == "window" || name == "pair" ? "lab 02, noise of a " name : name,
                range[name], median["window"] / median[name], median["pair"] / median[name]
    }'
rm -f "$corpus" "$bench"/fasttext.*
