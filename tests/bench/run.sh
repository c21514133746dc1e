#!/bin/sh
# run.sh DIRECTORY: the course's workloads and the same in the peers that are
# installed, one after the other in each round, so that a change of the machine's
# speed meets both.  DIRECTORY holds the programs course, peak and, where OpenBLAS
# is installed, openblas_peer.
#
# ROUNDS (3), SECONDS_EACH (1), THREADS ("1 2"), ONLY (a pattern of workloads), PYTHON
# (interpreters to try first: of several with different versions of PyTorch, the fastest
# at a workload is its peer).  With one thread times are processor time, which other
# programs disturb less; with several they are wall time.  A ratio is the median of
# those of the rounds.
here=$(dirname "$0")
bench=$1
results=$bench/results.txt
seconds=${SECONDS_EACH:-1}
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS=1
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE # pins of some environments: half of OpenBLAS's speed

pythons=
versions=
for candidate in $PYTHON python3 /usr/bin/python3; do
    version=$($candidate -c 'import torch; print(torch.__version__)' 2>/dev/null) || continue
    case " $versions " in *" $version "*) continue ;; esac
    versions="$versions $version"
    pythons="$pythons $candidate"
done
[ -n "$pythons" ] || echo "skipped: PyTorch (no python3 that can import torch)"
[ -x "$bench/openblas_peer" ] || echo "skipped: OpenBLAS (cblas.h or libopenblas is not here)"

: >"$results"
for round in $(seq "${ROUNDS:-3}"); do
    for OMP_NUM_THREADS in ${THREADS:-1 2}; do
        for workload in $("$bench/course" --list | grep -E "${ONLY:-.}"); do
            set -- "$workload" "$OMP_NUM_THREADS" "$seconds"
            "$bench/course" "$@"
            case $workload in
            sgemm*) [ -x "$bench/openblas_peer" ] && "$bench/openblas_peer" "$@" ;;
            *) for python in $pythons; do "$python" "$here/torch_peer.py" "$@"; done ;;
            esac
        done
    done
    echo "round $round done" >&2
done >>"$results"

peak=$("$bench/peak")
echo "fused multiply-add peak of one core: $peak GFLOP/s; times in ms: median (lowest - highest round)"
awk -v peak="$peak" '
function take(field, i) { for (i = 3; i < NF; i++) if ($i == field) return $(i + 1) }
function sorted(list, v, n, i, j, t) { # numbers, into v; returns how many
    n = split(list, v, " ")
    for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return n
}
function median(list, v) { return v[int((sorted(list, v) + 1) / 2)] }
function range(list, v, n) {
    n = sorted(list, v)
    return sprintf("%.4g (%.4g - %.4g)", v[int((n + 1) / 2)], v[1], v[n])
}
function ratios(ours, theirs, a, b, n, i, list) { # round by round
    n = split(ours, a, " "); split(theirs, b, " ")
    for (i = 1; i <= n; i++) list = list " " b[i] / a[i]
    return list
}
{
    threads = $2; sub(/.*-/, "", threads); sub(/t$/, "", threads)
    name = $2; sub(/-[0-9]*t$/, "", name)
    row = threads " " $1
    if (!(row in seen)) { seen[row] = 1; order[++rows] = row }
    times[row, name] = times[row, name] " " take(threads == 1 ? "cpu" : "wall")
    rss[row, name] = take("rss")
    if (name == "course") gflop[row] = take("gflop"); else peers[name]
}
END {
    printf "%-22s %7s  %-28s %-36s %-20s %9s %6s  %s\n", "workload", "threads", "ours", "peer", "ratio", "GFLOP/s", "share", "peak RSS MB"
    for (r = 1; r <= rows; r++) {
        row = order[r]; split(row, part, " "); ours = times[row, "course"]
        best = ""
        for (name in peers)
            if ((row, name) in times && (best == "" || median(times[row, name]) + 0 < median(times[row, best]) + 0)) best = name
        speed = gflop[row] / median(ours) * 1e3
        printf "%-22s %7d  %-28s %-36s %-20s %9.1f %5.0f%%  %s\n", part[2], part[1], range(ours),
            best == "" ? "-" : best " " range(times[row, best]), best == "" ? "-" : range(ratios(ours, times[row, best])),
            speed, 100 * speed / (peak * part[1]), rss[row, "course"] (best == "" ? "" : " / " rss[row, best])
    }
}' "$results"
