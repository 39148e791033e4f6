#!/usr/bin/env bash
# `winstorm serve wins` and a live Samba domain controller as each other's push and pull partners.
#
#     tests/samba/replication.sh
#
# Two machines joined by a cable, in namespaces: names registered on either side are resolved on the other, lists of
# a domain are joined, releases travel as tombstones, and after the cable was cut and mended both sides agree. Then
# clients that nobody here wrote use our server: nmbd registers its names and releases them, nmblookup asks it and
# reads its node status, the domain controller registers its names and refreshes them.
#
# Prints a line for every check. Status 0: all hold. 1: one does not. 2: it could not be judged. Says SKIPPED and
# ends with 0 where Samba's domain controller (Debian: samba, samba-ad-provision, winbind, ldb-tools), root or
# namespaces are missing; WINSTORM_MUST_RUN=yes makes that a failure. WINSTORM is the program, LOGS a folder that
# keeps what was said. A provisioned domain is kept in the target folder: the first run takes a minute more.

set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"

[ "${WINSTORM_MUST_RUN:-}" = yes ] && skip() { die "$* (WINSTORM_MUST_RUN)"; }
for tool in samba samba-tool ldbadd nmbd nmblookup; do
    command -v $tool >/dev/null || skip "$tool is not installed (Debian: samba samba-ad-provision winbind ldb-tools)"
done
enter_private_network "$0" "$@"
begin
find_winstorm
[ -z "${LOGS:-}" ] || mkdir -p "$LOGS" || die "cannot make $LOGS"

ours=10.99.0.1
theirs=10.99.0.2
desk=10.98.0.3
failed=0

# --- the machines -----------------------------------------------------------------------------------------------

mkdir -p /run/netns && mount -t tmpfs none /run/netns || die "no private /run/netns"
for machine in ours theirs desk; do
    ip netns add $machine || skip "no further network namespaces can be made here"
    ip -n $machine link set lo up
done
ip link add cable netns ours type veth peer name cable netns theirs || skip "no veth devices here"
ip link add line netns ours type veth peer name line netns desk
ip -n ours addr add $ours/24 dev cable
ip -n theirs addr add $theirs/24 dev cable
ip -n ours addr add 10.98.0.1/24 dev line
ip -n desk addr add $desk/24 dev line
# Hosts on their side whose names are given up later.
for address in 10.1.0.2 10.1.0.3; do ip -n theirs addr add $address/32 dev lo; done
for machine in ours theirs; do ip -n $machine link set cable up; done
ip -n ours route add 10.1.0.0/24 via $theirs
for machine in ours desk; do ip -n $machine link set line up; done
ip -n desk route add default via 10.98.0.1

at() { local machine=$1; shift; ip netns exec "$machine" "$@"; }
# For what is put in the background: its process is the program itself, which is then signalled.
become() { local machine=$1; shift; exec ip netns exec "$machine" "$@"; }

# --- Samba ------------------------------------------------------------------------------------------------------

# A provisioned domain is kept: making one takes longer than everything else here.
kept=${CARGO_TARGET_DIR:-$root/target}/samba-domain-$(samba --version | tr -c 'A-Za-z0-9.\n' -).tar
if [ ! -f "$kept" ]; then
    samba-tool domain provision --server-role=dc --realm=STORM.TEST --domain=STORM --host-name=ADDC \
        --adminpass='Storm-2003-wins' --dns-backend=NONE --host-ip=$theirs --targetdir="$work/made" \
        > "$work/provision.log" 2>&1 || { tail -n 5 "$work/provision.log"; skip "no domain can be provisioned here"; }
    tar -C "$work/made" -cf "$kept.$$" private state && mv "$kept.$$" "$kept"
fi
mkdir -p "$work/dc" && tar -C "$work/dc" -xf "$kept" || die "cannot unpack $kept"

# $1: what it is to WINS, as lines of smb.conf; $2: its interfaces. As a server it registers its own names by way of
# the loopback, as a client it must not try that way.
samba_settings() {
    mkdir -p "$work/dc/run"
    cat > "$work/dc/smb.conf" <<CONF
[global]
    netbios name = ADDC
    workgroup = STORM
    realm = STORM.TEST
    server role = active directory domain controller
    server services = nbt, wrepl
    interfaces = $2
    bind interfaces only = yes
    private dir = $work/dc/private
    state directory = $work/dc/state
    cache directory = $work/dc/run
    lock directory = $work/dc/run
    pid directory = $work/dc/run
    ncalrpc dir = $work/dc/run/ncalrpc
    binddns dir = $work/dc/run
    log file = $work/samba.log
    log level = 2
$1
CONF
}

start_samba() {
    become theirs samba -s "$work/dc/smb.conf" -i -M single --no-process-group >> "$work/samba.out" 2>&1 &
    samba=$!
    started+=("$samba")
    local tick
    for tick in $(seq 200); do
        at theirs ss -lnu 2>/dev/null | grep -q "$theirs:137 " && return
        kill -0 "$samba" 2>/dev/null || { tail -n 5 "$work/samba.out"; skip "samba does not start here"; }
        sleep 0.1
    done
    skip "samba does not listen"
}

ldbadd -H "$work/dc/private/wins_config.ldb" > "$work/ldb.log" 2>&1 <<LDIF || die "ldbadd: $(cat "$work/ldb.log")"
dn: CN=OURSRV,CN=PARTNERS
objectClass: wreplPartner
name: OURSRV
address: $ours
pullInterval: 3
pullRetryInterval: 2
pushChangeCount: 1
type: 0x3
LDIF
samba_settings "
    wins support = yes
    winsdb:local_owner = $theirs
    wreplsrv:periodic_interval = 1
    wreplsrv:tombstone_interval = 2
    wreplsrv:scavenging_interval = 2" "cable lo"
start_samba

# --- our server -------------------------------------------------------------------------------------------------

become ours "$winstorm" serve wins --listen $ours --name OURSRV --workgroup STORM --profile w2k3 --partner $theirs \
    --pull-interval 3s --store "$work/wins.redb" --verbose > "$work/server.log" 2>&1 &
serving=$!
started+=("$serving")

# --- checks -----------------------------------------------------------------------------------------------------

# The addresses that $1 has for the name $2, sorted, in one line; empty if it has none.
ask() {
    local machine=ours
    [ "$1" = $theirs ] && machine=theirs
    at $machine "$winstorm" query "$2" --server "$1" --format json --timeout 1s --tries 2 2>/dev/null |
        grep -oE '"address":"[0-9.]+"' | cut -d'"' -f4 | sort -u | tr '\n' ' '
}

# $1 says what must hold; the rest is a command that must come true within a minute.
soon() {
    local what=$1 end=$((SECONDS + ${PATIENCE:-60}))
    shift
    until "$@"; do
        if [ $SECONDS -ge $end ]; then
            say "FAIL $what"
            failed=$((failed + 1))
            return
        fi
        sleep 0.5
    done
    say "PASS $what"
}

has() { [[ " $(ask "$1" "$2") " == *" $3 "* ]]; }
has_all() { local server=$1 name=$2; shift 2; for address; do has "$server" "$name" "$address" || return 1; done; }
lacks() { ! has "$@"; }

register() { # machine server name address [option]
    at "$1" "$winstorm" register "$3" "$4" --server "$2" ${5:-} > "$work/last" 2>&1 || {
        say "FAIL $3 registers at $2: $(tail -n 1 "$work/last")"
        failed=$((failed + 1))
    }
}
# A release counts only if it comes from the address that it gives up.
release() { # machine server name address
    at "$1" "$winstorm" release "$3" --server "$2" --from "$4" > "$work/last" 2>&1 || {
        say "FAIL $3 is released at $2: $(tail -n 1 "$work/last")"
        failed=$((failed + 1))
    }
}

soon "our server answers" has $ours OURSRV $ours
register ours $ours ALPHA 10.1.0.1
register theirs $theirs BRAVO 10.1.0.2
soon "a name registered here is resolved there" has $theirs ALPHA 10.1.0.1
soon "a name registered there is resolved here" has $ours BRAVO 10.1.0.2
soon "the domain controller's own names are known here" has $ours ADDC $theirs

register ours $ours SHARED#1C 10.1.0.11 --group
register theirs $theirs SHARED#1C 10.1.0.12 --group
soon "the lists of a domain are joined here" has_all $ours SHARED#1C 10.1.0.11 10.1.0.12
soon "and there" has_all $theirs SHARED#1C 10.1.0.11 10.1.0.12

release theirs $theirs BRAVO 10.1.0.2
soon "a release there is known here" lacks $ours BRAVO 10.1.0.2
register theirs $theirs CHARLIE 10.1.0.3
soon "another name registered there is resolved here" has $ours CHARLIE 10.1.0.3
release theirs $ours CHARLIE 10.1.0.3
PATIENCE=2 soon "a replica released here is not resolved any more" lacks $ours CHARLIE 10.1.0.3
soon "until its owner, whose record a tombstone does not beat, tells of it anew" has $ours CHARLIE 10.1.0.3

ip -n ours link set cable down
register theirs $theirs SOUTH 10.1.0.22 &
south=$!
register ours $ours NORTH 10.1.0.21
wait $south
sleep 5
PATIENCE=5 soon "while the cable is cut each side knows its own" lacks $ours SOUTH 10.1.0.22
ip -n ours link set cable up
ip -n ours route add 10.1.0.0/24 via $theirs
soon "after it is mended the one's name is known here" has $ours SOUTH 10.1.0.22
soon "and the other's there" has $theirs NORTH 10.1.0.21

# Names that the test registered, with their addresses, as each server's database holds them.
held() { # machine server
    at "$1" "$winstorm" pull --server "$2" --format json > "$work/held.$1" 2> "$work/held.error" || return 1
    local name
    for name in ALPHA BRAVO CHARLIE SHARED#1C NORTH SOUTH; do
        printf '%s %s\n' "$name" "$(ask "$2" "$name")"
    done
}
agree() {
    held theirs $ours > "$work/here" && held ours $theirs > "$work/there" || return 1
    cmp -s "$work/here" "$work/there"
}
soon "both databases agree" agree

# --- clients that nobody here wrote ------------------------------------------------------------------------------

mkdir -p "$work/desk"
{
    domain=STORM samba_folders "$work/desk"
    cat <<CONF
    netbios name = DESK3
    interfaces = line
    wins server = $ours
    disable netbios = no
CONF
} > "$work/desk/smb.conf"
become desk nmbd -F -s "$work/desk/smb.conf" --no-process-group > "$work/nmbd.log" 2>&1 &
nmbd=$!
started+=("$nmbd")
soon "nmbd registers its names" has $ours DESK3 $desk
lookup() { at desk nmblookup -s "$work/desk/smb.conf" "$@" 2>/dev/null | grep -q "$found"; }
found="^10.1.0.1 ALPHA" soon "nmblookup resolves a name" lookup --recursion -U $ours ALPHA#20
found="OURSRV  *<20>" soon "nmblookup reads the node status" lookup -A $ours
end "$nmbd"
soon "nmbd releases its names when it ends" lacks $ours DESK3 $desk

end "$samba"
samba_settings "
    wins support = no
    wins server = $ours
    nbtd:max_refresh_time = 2" cable
counted() { # counter: its last value in the log
    kill -USR1 "$serving"
    sleep 0.5
    grep -o "\b$1=[0-9]*" "$work/server.log" | tail -n 1 | cut -d= -f2
}
registrations=$(counted registrations)
refreshes=$(counted refreshes)
start_samba
more() { [ "$(counted "$1")" -gt "${2:-0}" ]; }
soon "the domain controller registers its names" more registrations "$registrations"
soon "and refreshes them" more refreshes "$refreshes"
soon "they are resolved" has $ours STORM#1B $theirs

if [ $failed -gt 0 ]; then
    say "-- our server's log:"; tail -n 15 "$work/server.log"
    say "-- samba's:"; tail -n 15 "$work/samba.out"
fi
[ -z "${LOGS:-}" ] || cp "$work"/*.log "$work"/*.out "$work"/here "$work"/there "$work"/held.* "$work"/desk/log.* "$LOGS" 2>/dev/null
say "$failed failed"
[ $failed = 0 ]
