# coverage.awk: what gcov -b -n says, as a table: how many lines and branches of
# each file of common/, and of all, were reached.  Fails where that is less of all
# than LINES and BRANCHES per cent.
function part(done, of) { return of ? sprintf("%6.1f %% of %5d", 100 * done / of, of) : sprintf("%17s", "-") }

function row(name, lines, of_lines, branches, of_branches) {
    printf "%-28s %s  %s\n", name, part(lines, of_lines), part(branches, of_branches)
}

function finish() {
    if (name)
        row(name, lines, of_lines, branches, of_branches)
    all_lines += lines; all_of_lines += of_lines; all_branches += branches; all_of_branches += of_branches
    lines = of_lines = branches = of_branches = 0
}

BEGIN { printf "%-28s %17s  %17s\n", "", "lines", "branches" }
/^File / { finish(); name = $0 ~ /^File 'common\/.*\.c'$/ ? substr($0, 7, length($0) - 7) : "" }
# (A second one behind a file is the sum of all files, also of those not of common/.)
name && !of_lines && /^Lines executed/ { split($0, n, /[:% ]+/); of_lines = $NF; lines = n[3] / 100 * of_lines }
name && /^Taken at least once/ { split($0, n, /[:% ]+/); of_branches = $NF; branches = n[5] / 100 * of_branches }
END {
    finish()
    row("common/", all_lines, all_of_lines, all_branches, all_of_branches)
    if (!all_of_lines || 100 * all_lines < LINES * all_of_lines || 100 * all_branches < BRANCHES * all_of_branches) {
        printf "too little: %d %% of the lines and %d %% of the branches are wanted\n", LINES, BRANCHES
        exit 1
    }
}
