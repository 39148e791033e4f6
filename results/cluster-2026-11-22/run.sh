#!/usr/bin/env bash
# Makes every figure of README.md anew. From the root of the repository:
#
#     cargo build --release
#     results/cluster-2026-11-22/run.sh              # everything: about two hours on two cores
#     TWO=500 FOUR=100 NT40=500 PLANTED=100 results/cluster-2026-11-22/run.sh coverage
#
# Parts: planted, two, four, nt40, coverage. Tables go to out/cluster/*.md, sweeps to folders beside them.
set -euo pipefail
winstorm=${WINSTORM:-target/release/winstorm}
out=${OUT:-out/cluster}
two=${TWO:-10000} four=${FOUR:-2000} nt40=${NT40:-10000} planted=${PLANTED:-400} seen=${COVERAGE:-200}
mkdir -p "$out"

# sweep NAME FILE SEEDS ARGUMENTS..: a sweep into a folder, with its time; failing runs are no error here.
sweep() {
    local name=$1 file=$2 seeds=$3 began status=0
    shift 3
    began=$(date +%s)
    "$winstorm" sweep "$file" --seeds "1..$seeds" --out "$out/$name" "$@" >"$out/$name.txt" || status=$?
    [ "$status" -le 1 ] || { cat "$out/$name.txt"; exit "$status"; }
    echo $(($(date +%s) - began)) >"$out/$name.seconds"
}

# Failing seeds of a sweep, in order.
failing() { tail -n +2 "$out/$1/failures.csv" | cut -d, -f2 | sort -nu; }

# Rules that were broken, with the number of seeds.
rules() {
    sed -nE 's/.*[^a-z-]([a-z-]+) broken at.*/\1/p' "$out/$1/failures.csv" | sort | uniq -c |
        awk '{ printf "%s%s (%d)", n++ ? ", " : "", $2, $1 }'
}

# From every seed on: how many seeds until the first that fails. Median, 90 % and longest.
distances() {
    failing "$1" | awk -v n="$2" '
        { for (s = last + 1; s <= $1; s++) d[++count] = $1 - s + 1; last = $1 }
        END {
            for (i = 2; i <= count; i++) { v = d[i]; for (j = i - 1; j > 0 && d[j] > v; j--) d[j + 1] = d[j]; d[j + 1] = v }
            if (!count) { print "never | | "; exit }
            printf "%d | %d | %d", d[int((count + 1) / 2)], d[int((count * 9 + 9) / 10)], d[count]
        }'
}

planted_table() {
    {
        echo '| planted | failing seeds | first | median seeds to find it | 90 % | longest | rules broken (seeds) | time |'
        echo '|---|---|---|---|---|---|---|---|'
        for bug in nothing late-rearm restore-after-online keeps-earlier-record hasty-challenger no-locker-succession; do
            sweep "planted-$bug" scenarios/cluster/planted-bugs.toml "$planted" --set "vary.planted=$bug"
            echo "| $bug | $(failing "planted-$bug" | wc -l) of $planted | $(failing "planted-$bug" | head -n 1) |" \
                "$(distances "planted-$bug" "$planted") | $(rules "planted-$bug") | $(cat "$out/planted-$bug.seconds") s |"
        done
    } | tee "$out/planted.md"
}

# One row: runs, those that failed, first seeds, rules, time.
swarm() {
    sweep "$1" "scenarios/cluster/$2.toml" "$3"
    {
        echo '| swarm | seeds | failed | first failing seeds | rules broken | time |'
        echo '|---|---|---|---|---|---|'
        echo "| $2 | 1..$3 | $(failing "$1" | wc -l) | $(failing "$1" | head -n 8 | tr '\n' ' ') | $(rules "$1") | $(cat "$out/$1.seconds") s |"
    } | tee "$out/$1.md"
}

# In how many runs of a sweep each thing happened at all, and how often in the run in the middle.
happened() {
    awk -F, -v name="$1" '
        { gsub(/"([^"]|"")*"/, "") }
        NR == 1 { for (i = 1; i <= NF; i++) if ($i ~ /^cluster\.[a-z_]+$|^events\./) column[++k] = i; split($0, head, ","); next }
        { for (c = 1; c <= k; c++) { x = $column[c] + 0; if (x > 0) hits[c]++; all[c] = all[c] " " x } }
        END {
            for (c = 1; c <= k; c++) {
                n = split(all[c], v, " ")
                for (i = 2; i <= n; i++) { x = v[i] + 0; for (j = i - 1; j > 0 && v[j] + 0 > x; j--) v[j + 1] = v[j]; v[j + 1] = x }
                printf "| %s | %s | %d of %d | %s | %s |\n", name, head[column[c]], hits[c], NR - 1, v[int((n + 1) / 2)], v[n]
            }
        }' "$out/$2/runs.csv"
}

# Documented faults that explain broken rules: one row each, with the runs in which it did, the first of them, and
# the broken rules it explains in all runs together. Then the rules, likewise.
quirks() {
    echo '| documented fault, or rule | runs with it | first seed | breaches in all runs |'
    echo '|---|---|---|---|'
    awk -F, '
        # What is quoted may contain commas, and is not needed here.
        { gsub(/"([^"]|"")*"/, "") }
        NR == 1 {
            for (i = 1; i <= NF; i++) {
                if ($i == "seed") seed = i
                if ($i ~ /^cluster\.(quirk|broken)\./) { column[++k] = i; name[k] = $i; sub(/^[^.]*\.[^.]*\./, "", name[k]) }
                if ($i ~ /^cluster\.quirk\./) quirk[k] = 1
            }
            next
        }
        {
            runs++
            for (c = 1; c <= k; c++) if ($column[c] + 0 > 0) {
                if (!hits[c]++ || $seed + 0 < first[c]) first[c] = $seed + 0
                total[c] += $column[c]
            }
        }
        END {
            for (q = 1; q >= 0; q--) for (c = 1; c <= k; c++)
                if (quirk[c] + 0 == q) printf "| %s | %d of %d | %d | %d |\n", name[c], hits[c], runs, first[c], total[c]
        }' "$out/$1/runs.csv"
}

coverage() {
    for name in two-nodes four-nodes nt40; do
        sweep "coverage-$name" "scenarios/cluster/swarm-$name.toml" "$seen"
    done
    {
        echo '| swarm | what | runs in which it happened | median of a run | most |'
        echo '|---|---|---|---|---|'
        for name in two-nodes four-nodes nt40; do happened "$name" "coverage-$name"; done
    } | tee "$out/coverage.md"
}

for part in "${@:-planted coverage two four nt40}"; do
    for one in $part; do
        case $one in
            planted) planted_table ;;
            two) swarm two swarm-two-nodes "$two" ;;
            four) swarm four swarm-four-nodes "$four" ;;
            nt40) swarm nt40 swarm-nt40 "$nt40" && quirks nt40 | tee "$out/nt40-quirks.md" ;;
            coverage) coverage ;;
            *) echo "no such part: $one" >&2; exit 2 ;;
        esac
    done
done
