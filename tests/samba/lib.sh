# What the scripts beside this file share: a private network, servers that are started in it and ended with
# it, and Samba's tools pointed at them. To be sourced, by bash.
#
# Everything runs in namespaces of its own (network, mounts, processes): no port of the machine is used, no file
# of it is changed, and with the script everything that it started ends, whatever happens.

# The fake clients of Samba's suites; three, so that none of their multihomed records is left out.
clients="127.0.0.11/8 127.0.0.12/8 127.0.0.13/8"
domain=BENCH

say() { printf '%s\n' "$*"; }
skip() { say "SKIPPED: $*"; exit 0; }
die() { say "error: $*" >&2; exit 2; }

# Starts this script over inside namespaces of its own, once. $1 is the script, the rest its arguments.
enter_private_network() {
    if [ "${WINSTORM_PRIVATE_NETWORK:-}" = yes ]; then
        ip link set lo up || die "no loopback in the private network"
        mount --make-rprivate / || die "no private mounts"
        return
    fi
    [ "$(id -u)" = 0 ] || skip "needs root, for ports 42 and 137 in a network of its own"
    local namespaces="--net --mount --pid --fork --kill-child --mount-proc"
    unshare $namespaces true 2>/dev/null || skip "no namespaces can be made here (unshare)"
    command -v ip >/dev/null || skip "needs ip (Debian: iproute2)"
    WINSTORM_PRIVATE_NETWORK=yes exec unshare $namespaces -- "$@"
}

# A folder that goes away with the script, and a list of what to end.
begin() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/winstorm-samba.XXXXXX") || die "no temporary folder"
    started=()
    trap finish EXIT
    trap 'exit 130' INT TERM
}

finish() {
    local pid
    for pid in "${started[@]}"; do end "$pid"; done
    rm -rf "$work"
}

# Ends one server that was started here, and what it started.
end() {
    kill -TERM "$1" 2>/dev/null || return 0
    local tick
    for tick in $(seq 50); do
        kill -0 "$1" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null
    wait "$1" 2>/dev/null
    return 0
}

# The program under test: $WINSTORM, or the release build of this tree.
find_winstorm() {
    local target=${CARGO_TARGET_DIR:-$root/target}
    winstorm=$(realpath -m "${WINSTORM:-$target/release/winstorm}")
    [ -x "$winstorm" ] || die "no program at $winstorm: cargo build --release, or set WINSTORM"
}

# Waits until the server at $1 answers a query; $2 is its process, $3 its log.
wait_until_up() {
    local tick
    for tick in $(seq 300); do
        "$winstorm" query "NOBODY" --server "$1" --timeout 200ms --tries 1 >/dev/null 2>&1
        [ $? -le 1 ] && return
        kill -0 "$2" 2>/dev/null || { tail -n 20 "$3" >&2; die "the server at $1 ended"; }
        sleep 0.1
    done
    tail -n 20 "$3" >&2
    die "the server at $1 does not answer"
}

# Names of servers, as the suites look them up, one `ADDRESS NAME` a line on standard input.
set_hosts() {
    { echo "127.0.0.1 localhost"; cat; } > "$work/hosts"
    mount --bind "$work/hosts" /etc/hosts || die "no private /etc/hosts"
}

# Settings every smb.conf here begins with: $1 is the folder for everything it writes.
samba_folders() {
    mkdir -p "$1/state" "$1/private" "$1/run"
    cat <<CONF
[global]
    workgroup = $domain
    bind interfaces only = yes
    private dir = $1/private
    state directory = $1/state
    cache directory = $1/state
    lock directory = $1/run
    pid directory = $1/run
    ncalrpc dir = $1/run/ncalrpc
    log file = $1/log.%m
    log level = 0
CONF
}

# smb.conf for smbtorture's fake clients, in $work/torture.
torture_settings() {
    local dir=$work/torture
    mkdir -p "$dir"
    {
        samba_folders "$dir"
        cat <<CONF
    netbios name = TORTURE
    interfaces = $clients
    name resolve order = host
    client min protocol = NT1
    torture:progress = no
    torture:dangerous = yes
CONF
    } > "$dir/smb.conf"
}

# Runs one of smbtorture's tests, $1, against the server named $2; its words go to $3. Further arguments are
# passed on. The status is smbtorture's own.
torture() {
    local test=$1 server=$2 log=$3
    shift 3
    SELFTEST_TMPDIR=$work timeout --kill-after=5 "${LIMIT:-300}" \
        smbtorture -s "$work/torture/smb.conf" --basedir="$work/torture" --fullname -U% "$@" \
        "//$server/none" "$test" > "$log" 2>&1 < /dev/null
}
