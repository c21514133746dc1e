#!/bin/sh
# quality.sh DIRECTORY LAB: are lab 02's vectors as good as those of word2vec, gensim and
# fastText on the same text?  Skip-gram with lab 02's setting for its small world
# (dimension 64, window 3, five noise words, 15 epochs, subsampling) on SEEDS (10) texts
# of WORDS (150000) words at RATE (0.1), which falls to a thousandth; one thread.  All
# are scored by the lab's own measures (DIRECTORY/quality).  Who is not installed is
# skipped by name.
set -e
here=$(dirname "$0")
bench=$1
lab=$2
rate=${RATE:-0.1}
text=$bench/world.txt
vectors=$bench/vectors.txt
results=$bench/quality.txt

python=
for candidate in $PYTHON python3 /usr/bin/python3; do
    [ -z "$python" ] && $candidate -c 'import gensim' 2>/dev/null && python=$candidate
done
[ -n "$python" ] || echo "skipped: gensim (no python3 that can import gensim)"
fasttext=$(command -v fasttext) || echo "skipped: fastText (no program fasttext)"
word2vec=$(command -v "${WORD2VEC:-word2vec}") || echo "skipped: word2vec (no program word2vec; WORD2VEC names one)"

score() { # NAME SEED FILE
    echo "$1 $2 $("$bench/quality" score "$3")"
}
ours() { # NOISE SEED
    "$lab" --step 9 --corpus "$text" --noise "$1" --seed "$2" --dimension 64 --window 3 --epochs 15 --rate "$rate" \
        --subsample 3e-4 --min-count 1 --threads 1 --quiet --no-plots --out "$bench/outputs" &&
        score "lab-02-$1" "$2" "$bench/outputs/02_word2vec/vectors.txt"
}
original() { # SEED; its last thread makes one pass whatever -iter says, so the text is given 15 times
    for epoch in $(seq 15); do cat "$text"; done >"$text.15"
    "$word2vec" -train "$text.15" -output "$vectors" -cbow 0 -size 64 -window 3 -negative 5 -hs 0 -sample 3e-4 \
        -alpha "$rate" -threads 1 -min-count 1 -iter 1 -binary 0 >/dev/null && score word2vec "$1" "$vectors"
}
port() { # SEED
    "$python" "$here/gensim_vectors.py" "$text" "$vectors" "$1" "$rate" && score gensim "$1" "$vectors"
}
fast() { # SEED
    "$fasttext" skipgram -input "$text" -output "$bench/fasttext" -dim 64 -ws 3 -neg 5 -loss ns -t 3e-4 -lr "$rate" \
        -minCount 1 -thread 1 -epoch 15 -verbose 0 -maxn 0 -bucket 0 && score fastText "$1" "$bench/fasttext.vec"
}

for seed in $(seq 2001 $((2000 + ${SEEDS:-10}))); do
    "$bench/quality" text "$seed" "${WORDS:-150000}" >"$text" || exit 1
    ours pair "$seed"
    ours window "$seed"
    [ -z "$word2vec" ] || original "$seed"
    [ -z "$python" ] || port "$seed"
    [ -z "$fasttext" ] || fast "$seed"
done >"$results"
rm -f "$text" "$text.15" "$vectors" "$bench"/fasttext.*

# The mean of each, its lowest and highest, and the mean of the differences from lab 02
# with noise words of a pair on the same text, with its standard error.
awk 'function column(name, c,    i, n, x, d, low, high, sum, less, square) {
         low = 1; high = 0
         for (i = 1; i <= seeds; i++) {
             x = value[name, seed[i], c]; d = x - value["lab-02-pair", seed[i], c]
             n++; sum += x; less += d; square += d * d
             low = x < low ? x : low; high = x > high ? x : high
         }
         less /= n
         return sprintf("%.4f (%.3f - %.3f) %+.4f +- %.4f", sum / n, low, high, less,
                        n > 1 && square > n * less * less ? sqrt((square - n * less * less) / n / (n - 1)) : 0)
     }
     { value[$1, $2, 3] = $3; value[$1, $2, 4] = $4 }
     !($1 in known) { known[$1] = ++names; name[names] = $1 }
     $1 == "lab-02-pair" { seed[++seeds] = $2 }
     END {
         printf "%-14s %-44s %s\n", seeds " texts", "purity (low - high), less lab-02-pair", "analogies, the same"
         for (i = 1; i <= names; i++)
             printf "%-14s %-44s %s\n", name[i], column(name[i], 3), column(name[i], 4)
     }' "$results"
