#!/usr/bin/env bash
# Throughput on loopback: `winstorm serve wins`, strict and lazy, beside nmbd and Samba's AD server.
#
#     tests/samba/throughput.sh [FOLDER]       under 4 minutes; keeps raw.txt and table.md in FOLDER
#
# Four servers stand ready, each in a network of its own, and take turns under the same generators: smbtorture's
# nbt.bench-wins and nbt.bench, and benches/serve with 64 and 1,000 requests outstanding. ROUNDS rounds (3),
# SECONDS_EACH for one measurement (1); the table has the medians.
#
# Goals: strict at least 4 times the AD server, which also syncs every change; lazy, and queries in both modes,
# at least 1.3 times nmbd, which syncs nothing. Status 0: reached; 1: not; 2: it could not be measured. Says
# SKIPPED without root, namespaces, smbtorture, nmbd or samba (Debian: samba, samba-testsuite).
#
# WINSTORM and LOAD are the program and the built benches/serve; both are built if not given. The servers write to
# memory (/dev/shm), so that what is compared is their work and not the disk: there a sync costs nothing, which
# suits the server that syncs each change alone. TMPDIR puts them on a disk instead.

set -u
[ -n "${TMPDIR:-}" ] || { [ -d /dev/shm ] && export TMPDIR=/dev/shm; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"

for tool in smbtorture nmbd samba samba-tool nsenter; do
    command -v $tool >/dev/null || skip "$tool is not installed (Debian: samba, samba-testsuite, util-linux)"
done
if [ "${WINSTORM_PRIVATE_NETWORK:-}" != yes ]; then
    # Built out here, where cargo may need the network.
    if [ -z "${LOAD:-}" ]; then
        LOAD=$(cd "$root" && cargo bench --quiet --bench serve --no-run --message-format=json |
            sed -n 's/.*"executable":"\([^"]*\/serve-[^"]*\)".*/\1/p')
        [ -x "$LOAD" ] || die "benches/serve was not built"
    fi
    if [ -z "${WINSTORM:-}" ]; then
        (cd "$root" && cargo build --quiet --release) || die "the program was not built"
    fi
    LOAD=$(realpath "$LOAD")
    export LOAD
fi
enter_private_network "$0" "$@"
begin
find_winstorm

rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-1}
out=${1:-$work/results}
mkdir -p "$out" || die "cannot make $out"
out=$(cd "$out" && pwd)
cd "$work" || die "cannot use $work"
server=127.0.0.2
name=BENCHSRV
say "$server $name" | set_hosts
torture_settings

declare -A process

# Starts a server in a network of its own: what it is called, then its command.
start() {
    local called=$1
    shift
    unshare --net -- sh -c 'ip link set lo up && exec "$@"' sh "$@" > "$work/$called.log" 2>&1 < /dev/null &
    process[$called]=$!
    started+=($!)
}

# Runs a command in a server's network.
beside() {
    local called=$1
    shift
    nsenter --net="/proc/${process[$called]}/ns/net" -- "$@"
}

for mode in strict lazy; do
    start $mode "$winstorm" serve wins --listen $server --name $name --workgroup $domain --commit $mode \
        --store "$work/$mode.redb" --quiet
done

mkdir -p "$work/nmbd"
{
    samba_folders "$work/nmbd"
    cat <<CONF
    netbios name = $name
    interfaces = $server/8
    wins support = yes
    local master = no
    domain master = no
    preferred master = no
CONF
} > "$work/nmbd/smb.conf"
start nmbd nmbd --configfile="$work/nmbd/smb.conf" --foreground --no-process-group --debug-stdout

# Only the two services that matter here run; the domain is there because samba wants one.
samba-tool domain provision --realm=bench.test --domain=$domain --server-role=dc --dns-backend=NONE \
    --adminpass="$(head -c 12 /dev/urandom | base64)aA1!" --host-name=$name --host-ip=$server \
    --option="interfaces=$server/8" --option="bind interfaces only=yes" --targetdir="$work/ad" \
    > "$work/provision.log" 2>&1 || { tail "$work/provision.log"; die "no domain could be made"; }
sed -i -e 's/server services = .*/server services = nbt, wrepl/' -e "s#log file = .*#log file = $work/ad.%m#" \
    -e '/^\[global\]/a wins support = yes\nlog level = 0' "$work/ad/etc/smb.conf"
start ad samba --configfile="$work/ad/etc/smb.conf" --foreground --no-process-group --debug-stdout --model=single

# lib.sh's wait, in the server's network.
wait_beside() {
    local tick
    for tick in $(seq 300); do
        beside "$1" "$winstorm" query NOBODY --server $server --timeout 200ms --tries 1 >/dev/null 2>&1
        [ $? -le 1 ] && return
        kill -0 "${process[$1]}" 2>/dev/null || { tail "$work/$1.log" >&2; die "$1 ended"; }
        sleep 0.1
    done
    tail "$work/$1.log" >&2
    die "$1 does not answer"
}
contenders="strict lazy nmbd ad"
for called in $contenders; do wait_beside $called; done
# nmbd and samba register names of their own first.
sleep 2

# What is asked, in the order of the table.
asked="torture.bench-wins torture.bench mixed.64 mixed.1000 registrations.64 queries.64 queries.1000"

# One measurement: a line of raw figures.
one() {
    local round=$1 called=$2 what=$3 log="$work/one.log" rate bad
    case $what in
    torture.*)
        local test=nbt.bench-wins.wins
        [ "$what" = torture.bench ] && test=nbt.bench.namequery
        LIMIT=30 beside $called bash -c '. "$1"; work=$2; shift 2; torture "$@"' bash "$here/lib.sh" "$work" \
            $test $name "$log" -t $((seconds + 1)) --entries=1000
        # 12345.6 queries per second (0 failures)
        read -r rate bad < <(sed -n 's/.*[^0-9.]\([0-9.]*\) queries per second (\([0-9]*\) failures).*/\1 \2/p;
            s/^\([0-9.]*\) queries per second (\([0-9]*\) failures).*/\1 \2/p' "$log" | tail -n 1)
        printf '%s %s %s %.0f failures=%s\n' "$round" $called "$what" "${rate:-0}" "${bad:-?}"
        ;;
    *)
        beside $called "$LOAD" --server $server --from 127.0.0.11 --mix "${what%.*}" --outstanding "${what#*.}" \
            --names 2000 --first $((round * 1000000000)) --seconds "$seconds" --label x > "$log" 2>&1
        # x mixed 64   RATE P50 P99 MAX RETRIES FAILURES WRONG BURSTS
        read -r _ _ _ rate p50 p99 most retries bad wrong bursts < "$log"
        printf '%s %s %s %s failures=%s wrong=%s p50_us=%s p99_us=%s max_us=%s retries=%s bursts=%s\n' "$round" \
            $called "$what" "${rate:-0}" "${bad:-?}" "${wrong:-?}" "${p50:-?}" "${p99:-?}" "${most:-?}" \
            "${retries:-?}" "${bursts:-?}"
        ;;
    esac
}

: > "$out/raw.txt"
for round in $(seq "$rounds"); do
    for what in $asked; do
        for called in $contenders; do
            one "$round" $called "$what" | tee -a "$out/raw.txt"
            kill -0 "${process[$called]}" 2>/dev/null || { tail "$work/$called.log" >&2; die "$called ended"; }
        done
    done
done

# Medians, ratios, goals.
awk -v asked="$asked" -v contenders="$contenders" '
    function median(key,    n, values, i, j, swap) {
        n = split(rates[key], values, " ")
        for (i = 1; i <= n; i++)
            for (j = i + 1; j <= n; j++)
                if (values[j] + 0 < values[i] + 0) { swap = values[i]; values[i] = values[j]; values[j] = swap }
        return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
    }
    function ratio(ours, theirs) { return theirs > 0 ? ours / theirs : 0 }
    function goal(text, got, wanted) {
        printf("%s %-50s %6.2f  (goal %.1f)\n", (got >= wanted ? "reached" : "SHORT  "), text, got, wanted) > verdicts
        if (got < wanted) short++
    }
    {
        rates[$2 " " $3] = rates[$2 " " $3] " " $4
        if ($2 != "strict" && $2 != "lazy") next
        for (i = 5; i <= NF; i++)
            if ($i ~ /^(failures|wrong)=/ && $i !~ /=0$/) { print("WRONG   " $0) > verdicts; short++ }
    }
    END {
        print "| operations a second | strict | lazy | nmbd | AD | strict / AD | lazy / nmbd |"
        print "|---|---|---|---|---|---|---|"
        count = split(asked, what, " ")
        for (i = 1; i <= count; i++) {
            s = median("strict " what[i]); l = median("lazy " what[i])
            n = median("nmbd " what[i]); a = median("ad " what[i])
            printf "| %s | %d | %d | %d | %d | %.2f | %.2f |\n", what[i], s, l, n, a, ratio(s, a), ratio(l, n)
            if (what[i] ~ /^(queries|torture.bench$)/) {
                goal("strict beside nmbd, " what[i], ratio(s, n), 1.3)
                goal("lazy beside nmbd, " what[i], ratio(l, n), 1.3)
            } else {
                goal("strict beside the AD server, " what[i], ratio(s, a), 4)
                goal("lazy beside nmbd, " what[i], ratio(l, n), 1.3)
            }
        }
        close(verdicts)
        exit (short > 0)
    }' verdicts="$work/verdicts" "$out/raw.txt" > "$out/table.md"
status=$?
cat "$out/table.md"
echo
cat "$work/verdicts"
exit $status
