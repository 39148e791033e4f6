#!/usr/bin/env bash
# Samba's own NetBIOS suites against `winstorm serve wins`.
#
#     tests/samba/suites.sh [SUITE..]        nbt.register nbt.wins nbt.winsreplication unless given
#
# Prints a line for every test of the suites: PASS, FAIL, or LIMIT for the one test whose last check the suite
# itself cannot meet. Status 0: the goals are reached. 1: something fell short. 2: it could not be judged.
# Says SKIPPED and ends with 0 where smbtorture (Debian: samba-testsuite), root or namespaces are missing;
# WINSTORM_MUST_RUN=yes makes that a failure. WINSTORM is the program, LOGS a folder that keeps what was said.
#
# The suites were written beside a Windows 2003 server, so they judge the profile w2k3. They need a server that
# listens on its own address only, defends its own name, has 127.0.0.11 as a partner and runs a program for
# names with safe characters only.

set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"

[ "${WINSTORM_MUST_RUN:-}" = yes ] && skip() { die "$* (WINSTORM_MUST_RUN)"; }
command -v smbtorture >/dev/null || skip "smbtorture is not installed (Debian: samba-testsuite)"
enter_private_network "$0" "$@"
begin
find_winstorm
if [ -n "${LOGS:-}" ]; then
    mkdir -p "$LOGS" || die "cannot make $LOGS"
    LOGS=$(cd "$LOGS" && pwd)
fi
cd "$work" || die "cannot use $work"

server_name=OURSRV
server=127.0.0.2
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(nbt.register nbt.wins nbt.winsreplication)

# The program that is run for every change: the suite looks for the last name in this file.
cat > "$work/changed" <<CONF
#!/bin/sh
printf %s "\$2" > "$work/wins_hook_writes_here"
CONF
chmod +x "$work/changed"

"$winstorm" serve wins --listen $server --name $server_name --workgroup $domain --profile w2k3 \
    --partner 127.0.0.11 --store "$work/wins.redb" --on-change "$work/changed" > "$work/server.log" 2>&1 &
serving=$!
started+=("$serving")
say "$server $server_name" | set_hosts
torture_settings
wait_until_up $server "$serving" "$work/server.log"

# The tests of the suites wanted, one a line, without the last component, which repeats the one before.
smbtorture -s "$work/torture/smb.conf" --list 2>/dev/null | sed -n 's/^\(nbt\..*\)\.[^.]*$/\1/p' > "$work/all"
for suite in "${suites[@]}"; do
    awk -v suite="$suite" '$0 == suite || index($0, suite ".") == 1' "$work/all" > "$work/some"
    [ -s "$work/some" ] || die "smbtorture has no $suite"
    cat "$work/some" >> "$work/wanted"
done

# How many lines of a log match.
count() { grep -cE "$1" "$2"; }

# Whether a test that smbtorture calls a success did all of its work, and what is worth knowing: prints the
# note, gives the status. $1 is the test, $2 its log, $3 whether smbtorture calls it a success.
judge() {
    local test=$1 log=$2 good=$3 left_out names tried goal
    left_out=$(count '^SKIP: | => SKIPPED$' "$log")
    case $test in
    nbt.wins.*)
        # The names it goes through; a name that fails is a warning, the last of them the failure.
        names=$(count '^Testing name registration' "$log")
        goal=18
        [ "$test" = nbt.wins.wins_bad_names ] && goal=7
        say "$names of $goal names, $(count '^WARNING!: |^(tests|wins hook) for .* failed' "$log") complaints"
        [ "$good" = yes ] && [ "$names" -ge $goal ] || return 1
        if [ "$test" = nbt.wins.wins ]; then
            # Without the clients' port 137 the challenges are silently left out.
            grep -q '^register the name with a wrong address' "$log" || return 1
        fi
        ;;
    nbt.winsreplication.replica | nbt.winsreplication.owned)
        tried=$(count ' => (REPLACE|NOT REPLACE|SGROUP_MERGE|MHOMED_MERGE)$' "$log")
        goal=254
        [ "$test" = nbt.winsreplication.owned ] && goal=153
        say "$tried of $goal records, $left_out left out"
        [ "$good" = yes ] && [ "$tried" -ge $goal ] && [ "$left_out" = 0 ] || return 1
        ;;
    nbt.winsreplication.assoc_ctx1)
        # Its last check wants END_OF_FILE of a connection that the server has closed; smbtorture's own
        # library calls that CONNECTION_DISCONNECTED.
        if [ "$good" != yes ]; then
            grep -q 'was NT_STATUS_CONNECTION_DISCONNECTED, expected NT_STATUS_END_OF_FILE' "$log" || return 1
            say "right up to the check that the suite cannot meet"
            return 3
        fi
        ;;
    *)
        say
        [ "$good" = yes ] || return 1
        ;;
    esac
}

short=0 reached=0
while read -r test; do
    log=$work/$test.log
    rm -f "$work/wins_hook_writes_here"
    began=$SECONDS
    good=no
    if torture "$test" $server_name "$log" && grep -q '^success: ' "$log" &&
        ! grep -qE '^(failure|error): ' "$log"; then
        good=yes
    fi
    note=$(judge "$test" "$log" $good)
    case $? in
    0) verdict=PASS reached=$((reached + 1)) ;;
    3) verdict=LIMIT reached=$((reached + 1)) ;;
    *) verdict=FAIL short=$((short + 1)) ;;
    esac
    printf '%-5s  %-38s %4ss  %s\n' $verdict "$test" $((SECONDS - began)) "$note"
    if [ $verdict = FAIL ]; then
        # Where it stopped, and why.
        { grep -E ' => [A-Z_ ]+$' "$log" | tail -n 1
          sed -n '/^\(failure\|error\): /,/^\]/p' "$log" | head -n 6
          grep '^WARNING!: ' "$log" | sort | uniq -c | head -n 5; } | sed 's/^/           /'
    fi
    [ -z "${LOGS:-}" ] || cp "$log" "$work/server.log" "$LOGS/"
    kill -0 "$serving" 2>/dev/null || { tail -n 20 "$work/server.log"; die "the server has ended"; }
done < "$work/wanted"

say "$reached reached, $short short"
[ $short = 0 ] && [ $reached -gt 0 ]
