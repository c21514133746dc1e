#!/bin/sh
# run.sh DIRECTORY: the course's workloads and the same in the peers that are
# installed, one after the other in each round, so that a change of the machine's
# speed meets both.  DIRECTORY holds the programs course, peak and, where OpenBLAS
# is installed, openblas_peer.
#
# ROUNDS (3), SECONDS_EACH (1), THREADS ("1 2"), ONLY (a pattern of workloads).
# With one thread times are processor time, which other programs disturb less; with
# several they are wall time.
here=$(dirname "$0")
bench=$1
results=$bench/results.txt
seconds=${SECONDS_EACH:-1}
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS=1
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE # pins of some environments: half of OpenBLAS's speed

python=
for candidate in $PYTHON python3 /usr/bin/python3; do
    [ -z "$python" ] && $candidate -c 'import torch' 2>/dev/null && python=$candidate
done
[ -n "$python" ] || echo "skipped: PyTorch (no python3 that can import torch)"
[ -x "$bench/openblas_peer" ] || echo "skipped: OpenBLAS (cblas.h or libopenblas is not here)"

: >"$results"
for round in $(seq "${ROUNDS:-3}"); do
    for OMP_NUM_THREADS in ${THREADS:-1 2}; do
        for workload in $("$bench/course" --list | grep -E "${ONLY:-.}"); do
            set -- "$workload" "$OMP_NUM_THREADS" "$seconds"
            "$bench/course" "$@"
            case $workload in
            sgemm*) [ -x "$bench/openblas_peer" ] && "$bench/openblas_peer" "$@" ;;
            *) [ -n "$python" ] && "$python" "$here/torch_peer.py" "$@" ;;
            esac
        done
    done
    echo "round $round done" >&2
done >>"$results"

peak=$("$bench/peak")
echo "fused multiply-add peak of one core: $peak GFLOP/s; times in ms: median (lowest - highest round)"
awk -v peak="$peak" '
function take(field, i) { for (i = 3; i < NF; i++) if ($i == field) return $(i + 1) }
function median(key, v, n, i, j, t) { # sorts the rounds of a key
    n = split(times[key], v, " ")
    for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    low[key] = v[1]; high[key] = v[n]
    return v[int((n + 1) / 2)]
}
{
    threads = $2; sub(/.*-/, "", threads); sub(/t$/, "", threads)
    name = $2; sub(/-[0-9]*t$/, "", name)
    who = name == "course" ? "ours" : "peer"
    row = threads " " $1
    if (!(row in seen)) { seen[row] = 1; order[++rows] = row }
    times[row " " who] = times[row " " who] " " take(threads == 1 ? "cpu" : "wall")
    rss[row " " who] = take("rss")
    if (who == "ours") gflop[row] = take("gflop"); else peer[row] = name
}
END {
    printf "%-22s %7s  %-28s %-28s %6s %9s %6s  %s\n", "workload", "threads", "ours", "peer", "ratio", "GFLOP/s", "share", "peak RSS MB"
    for (r = 1; r <= rows; r++) {
        row = order[r]; split(row, part, " ")
        ours = median(row " ours"); theirs = row " peer" in times ? median(row " peer") : 0
        speed = ours > 0 ? gflop[row] / ours * 1e3 : 0
        printf "%-22s %7d  %-28s %-28s %6s %9.1f %5.0f%%  %s\n", part[2], part[1],
            sprintf("%.4g (%.4g - %.4g)", ours, low[row " ours"], high[row " ours"]),
            theirs ? sprintf("%s %.4g (%.4g - %.4g)", peer[row], theirs, low[row " peer"], high[row " peer"]) : "-",
            theirs ? sprintf("%.2f", theirs / ours) : "-", speed, 100 * speed / (peak * part[1]),
            theirs ? rss[row " ours"] " / " rss[row " peer"] : rss[row " ours"]
    }
}' "$results"
