#!/bin/sh
# course_page.sh [FOLDER]: one ledger over all labs on the terminal, and one page
# over all labs, FOLDER/index.html (FOLDER: outputs), from what the labs wrote:
# claims.tsv, trace.txt, timing.tsv and the figures.
#
# The page is Markdown made by awk, turned into HTML by pandoc.  Every sign that
# means something to Markdown is written with a backslash, so words stay words.
set -eu
here=$(dirname "$0")
folder=${1:-outputs}
repository=$here/..

if [ ! -d "$folder" ]; then
    echo "course_page.sh: there is no folder '$folder': run a lab first (make course)" >&2
    exit 1
fi

# Labs that exist or have run, in order.
labs=$(for place in "$repository/labs" "$folder"; do
    for lab in "$place"/[0-9][0-9]_*; do
        [ -e "$lab" ] && basename "$lab" .c
    done
done | grep -E '^[0-9][0-9]_[a-z0-9_]+$' | sort -u)

# All ledgers as one, with the lab in front.
ledger() {
    for lab in $labs; do
        [ -f "$folder/$lab/claims.tsv" ] && awk -v lab="$lab" 'NR > 1 { print lab "\t" $0 }' "$folder/$lab/claims.tsv"
    done
    true
}

words='
    function literal(text,    i, c, out) {
        for (i = 1; i <= length(text); i++) {
            c = substr(text, i, 1)
            out = out (index("\\`*_{}[]()<>#+-.!|&~^$@=:;,/?%\"", c) ? "\\" c : c)
        }
        return out
    }
    function title(name) { gsub(/_/, " ", name); return literal(name) }
    function verdict(name) { return "[" literal(name) "]{." name "}" }'

# ---- the terminal ------------------------------------------------------------

print_ledger() {
    ledger | awk -F '\t' '
        { n[$1, $7]++; n["all", $7]++; if (!seen[$1]++) lab[++labs] = $1 }
        $7 == "fails" { failed = failed sprintf("  fails   %s, %s: measured %s, expected %s\n          %s\n", $1, $2, $6, $5, $3) }
        END {
            lab[++labs] = "all"
            printf "%-26s %7s %9s %7s %8s\n", "The ledger of the course", "holds", "corrects", "fails", "skipped"
            for (i = 1; i <= labs; i++)
                printf "  %-24s %7d %9d %7d %8d\n", lab[i], n[lab[i], "holds"], n[lab[i], "corrects"], n[lab[i], "fails"], n[lab[i], "skipped"]
            printf "%s", failed
        }'
}

# ---- the page ----------------------------------------------------------------

# How many claims hold in each lab; then those that correct the lecture or fail; then all.
all_claims() {
    echo '# The ledger'
    echo
    ledger | awk -F '\t' "$words"'
        { n[$1, $7]++; n["all", $7]++; if (!seen[$1]++) lab[++labs] = $1 }
        END {
            print "| Lab | holds | corrects the lecture | fails | skipped |\n|:----|----:|----:|----:|----:|"
            lab[++labs] = "all"
            for (i = 1; i <= labs; i++)
                printf "| %s | %d | %d | %d | %d |\n", i < labs ? "[" title(lab[i]) "](#lab-" lab[i] ")" : "all",
                    n[lab[i], "holds"], n[lab[i], "corrects"], n[lab[i], "fails"], n[lab[i], "skipped"]
        }'
    echo
    ledger | awk -F '\t' '$7 == "corrects" || $7 == "fails"' | claims_table
    printf '<details><summary>Every claim of every lab</summary>\n\n'
    ledger | claims_table
    printf '</details>\n\n'
}

claims_table() {
    echo '| Lab | Verdict | Claim | Measured | Expected | Source |'
    echo '|-----|---------|-------|----------|----------|--------|'
    awk -F '\t' "$words"' { printf "| [%s](#lab-%s) | %s | %s | %s | %s | %s |\n",
        substr($1, 1, 2), $1, verdict($7), literal($3), literal($6), literal($5), literal($4) }'
    echo
}

lab_claims() {
    echo '| Verdict | Claim | Measured | Expected | Source |'
    echo '|---------|-------|----------|----------|--------|'
    awk -F '\t' "$words"' NR > 1 { printf "| %s | %s | %s | %s | %s |\n",
        verdict($6), literal($2), literal($5), literal($4), literal($3) }' "$1"
    echo
}

# In the order in which the lab made them, which is that of their data.
lab_figures() {
    for data in $(cd "$folder/$1" && ls -tr -- *.tsv 2>/dev/null | grep -E '^[A-Za-z0-9_]+\.tsv$'); do
        name=${data%.tsv}
        [ -f "$folder/$1/$name.png" ] || continue
        script=
        [ -f "$folder/$1/$name.gp" ] && script=", [script]($1/$name.gp)"
        echo "$name" | awk -v lab="$1" -v script="$script" "$words"' {
            printf "![%s ([data](%s/%s.tsv)%s)](%s/%s.png)\n\n", title($0), lab, $0, script, lab, $0 }'
    done
}

# Its text with four blanks in front is literal to Markdown.
details() {
    printf '<details><summary>%s</summary>\n\n' "$1"
    expand "$2" | sed 's/^/    /'
    printf '\n</details>\n\n'
}

lab_timing() {
    printf '<details><summary>Times on this machine</summary>\n\n| What | Value | Unit |\n|------|------:|------|\n'
    awk -F '\t' "$words"' NR > 1 { printf "| %s | %s | %s |\n", literal($1), literal($2), literal($3) }' "$1"
    printf '\n</details>\n\n'
}

one_lab() {
    if [ ! -f "$folder/$1/trace.txt" ]; then
        echo "$1" | awk "$words"' { printf "# %s {#lab-%s}\n\nThis lab has not run yet: `make %s`\n\n", title($0), $0, substr($0, 1, 2) }'
        return
    fi
    awk -v lab="$1" "$words"' /^Lab / { printf "# %s {#lab-%s}\n\n", literal($0), lab; exit }' "$folder/$1/trace.txt"
    awk "$words"' /^seed / { print literal($0) "\n"; exit }' "$folder/$1/trace.txt"
    [ -f "$folder/$1/claims.tsv" ] && lab_claims "$folder/$1/claims.tsv"
    lab_figures "$1"
    details 'Trace: every number, with the line of source that computed it' "$folder/$1/trace.txt"
    [ -f "$folder/$1/timing.tsv" ] && lab_timing "$folder/$1/timing.tsv"
    true
}

page() {
    all_claims
    for lab in $labs; do
        one_lab "$lab"
    done
}

print_ledger
if ! command -v pandoc >/dev/null 2>&1; then
    echo "pandoc is not installed: no page is written (make setup installs it)" >&2
    exit 0
fi
head=$(mktemp)
trap 'rm -f "$head" "$folder/index.html.part"' EXIT
trap 'exit 1' HUP INT TERM
{ echo '<style>'; cat "$here/course.css"; echo '</style>'; } > "$head"
page | pandoc --from markdown-smart+pipe_tables --to html5 --standalone --toc --toc-depth 1 --no-highlight --columns 100000 \
    --metadata pagetitle='How language models came to be, in C' --metadata lang=en \
    --metadata title='How language models came to be, in C' --metadata document-css=false \
    --include-in-header "$head" --output "$folder/index.html.part"
mv "$folder/index.html.part" "$folder/index.html"
echo "the page: $folder/index.html"
