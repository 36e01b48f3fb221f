#!/usr/bin/env bash
# From nothing to a converted document, on Debian 12 or 13: installs what is missing, builds, starts the
# supervisor with LibreOffice on config/tcplock.yaml, and converts a sample through the gate.
#
# usage: packaging/quickstart.sh
#
# Run it as root, or as somebody who may use sudo. Run again, it stops the supervisor it started
# the last time and starts a new one. What it makes is in build/quickstart/, and in $STATE_DIRECTORY
# and $RUNTIME_DIRECTORY if those are set; where the path of this tree is too long for a socket, that is
# in a folder that mktemp makes.
set -eu

[ $# -eq 0 ] || {
    echo "usage: packaging/quickstart.sh" >&2
    exit 2
}

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$top/build/quickstart
supervisor=$work/release/tcplock-supervisor
log=$work/supervisor.log
pid_file=$work/supervisor.pid
result=$work/sample.pdf
host=127.0.0.1
port=2002 # as in config/tcplock.yaml

packages=(
    cmake ninja-build g++
    "libboost1.83-dev|libboost1.81-dev"
    "libboost-filesystem1.83-dev|libboost-filesystem1.81-dev"
    "libboost-json1.83-dev|libboost-json1.81-dev"
    "libboost-program-options1.83-dev|libboost-program-options1.81-dev"
    libyaml-cpp-dev libspdlog-dev libfmt-dev prometheus-cpp-dev
    libreoffice-writer-nogui python3-uno
)

# In seconds. Stopping lets those finish who wait (shutdown_timeout), then ends the office.
start_limit=120
stop_limit=60
client_limit=120

say() { printf '\n== %s\n' "$*"; }
fail() {
    printf '\nquickstart: %s\n' "$*" >&2
    exit 1
}
show_log() {
    echo "The log, $log:" >&2
    tail -n 40 "$log" >&2
}

# Tries a command until it succeeds; false once the seconds are over.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# Whether this process is a supervisor that was built here; rebuilt since, it is "(deleted)".
is_ours() {
    local program
    program=$(readlink "/proc/$1/exe" 2>/dev/null) || return 1
    [ "${program% (deleted)}" = "$supervisor" ]
}
is_gone() { ! is_ours "$1"; }

stop_earlier_one() {
    local pid
    [ -s "$pid_file" ] || return 0
    pid=$(cat "$pid_file")
    if is_ours "$pid"; then
        say "Stopping the supervisor of an earlier quickstart (pid $pid)"
        kill "$pid" || fail "process $pid may not be stopped by this user"
        within "$stop_limit" is_gone "$pid" || fail "process $pid does not end; see $log"
    fi
    rm -f "$pid_file"
}

# The inode of a socket that listens on our port, whatever its address. In /proc/net/tcp the port
# is in hexadecimal, and 0A means that it listens.
listening_inode() {
    awk -v port="$(printf ':%04X' "$port")" '
        $4 == "0A" && substr($2, length($2) - 4) == port { print $10; exit }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null || true
}

check_port() {
    local inode file pid owner
    inode=$(listening_inode)
    [ -n "$inode" ] || return 0
    file=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit 2>/dev/null || true)
    pid=${file#/proc/}
    pid=${pid%%/*}
    owner="a process of another user"
    [ -z "$pid" ] || owner="process $pid ($(tr '\0\n' '  ' <"/proc/$pid/cmdline" | cut -c -100))"
    fail "port $port is taken by $owner.
Stop it, or choose another address under \"listen\" in a configuration of your own."
}

build() {
    cmake --preset release -S "$top" -B "$work/release" -D BUILD_TESTING=OFF >"$work/build.log" &&
        cmake --build "$work/release" --target tcplock-supervisor
}

# Its own, so that nothing of root's lies about where the package's service has its state and its
# socket; and where somebody who is not root may write.
choose_directories() {
    export STATE_DIRECTORY=${STATE_DIRECTORY:-$work/state}
    RUNTIME_DIRECTORY=${RUNTIME_DIRECTORY:-$(folder_for_socket)}
    export RUNTIME_DIRECTORY
}

# The name of a socket is 107 bytes at the most.
folder_for_socket() {
    local socket=$work/admin.sock elsewhere=$work/runtime-directory made
    if [ ${#socket} -le 107 ]; then
        echo "$work"
        return
    fi
    if ! { [ -d "$elsewhere/" ] && [ -O "$elsewhere/" ]; }; then
        made=$(mktemp -d) && ln -sfn "$made" "$elsewhere" || return
    fi
    readlink "$elsewhere"
}

# In a session of its own, so that it outlives this terminal. The log is emptied before: what the
# last supervisor said must not be taken for news.
start() {
    : >"$log"
    setsid "$supervisor" -c "$top/config/tcplock.yaml" </dev/null >>"$log" 2>&1 &
    supervisor_pid=$!
    echo "$supervisor_pid" >"$pid_file"
}

is_ready_or_gone() { grep -q ' backend ready ' "$log" || ! kill -0 "$supervisor_pid" 2>/dev/null; }
wait_until_ready() {
    within "$start_limit" is_ready_or_gone && grep -q ' backend ready ' "$log" && return
    show_log
    if kill -0 "$supervisor_pid" 2>/dev/null; then
        fail "LibreOffice did not answer within $start_limit s.
The supervisor goes on trying; stop it with: kill $supervisor_pid"
    fi
    rm -f "$pid_file"
    fail "the supervisor ended before LibreOffice was ready"
}

convert_sample() {
    rm -f "$result"
    # A Python that can import uno is the system's own.
    timeout "$client_limit" /usr/bin/python3 "$top/packaging/quickstart/convert.py" \
        "$host" "$port" "$top/packaging/quickstart/sample.fodt" "$result" || {
        show_log
        fail "the conversion failed; the supervisor still runs, stop it with: kill $supervisor_pid"
    }
    [ "$(head -c 4 "$result" 2>/dev/null)" = %PDF ] || fail "$result is not a PDF"
    within 10 grep -q ' session closed ' "$log" || fail "the log has no line about the session"
}

stop_earlier_one
check_port

say "Installing what is missing"
command -v apt-get >/dev/null || fail "there is no apt-get here; this script is for Debian 12 and 13"
"$top/packaging/quickstart/install-missing.sh" "${packages[@]}"

mkdir -p "$work"
say "Building $supervisor"
(cd "$top" && build) || fail "the build failed; what cmake said first is in $work/build.log"

choose_directories
say "Starting tcplock-supervisor -c $top/config/tcplock.yaml (state in $STATE_DIRECTORY)"
start
wait_until_ready
grep ' backend ready ' "$log"

say "Converting packaging/quickstart/sample.fodt through the gate at $host:$port"
convert_sample
echo "$result: $(stat -c %s "$result") bytes, begins with $(head -c 8 "$result")"

say "Asking it, as its operator"
"$supervisor" status -s "$RUNTIME_DIRECTORY/admin.sock"

say "What the supervisor logged ($log)"
cat "$log"

say "The supervisor is running with process id $supervisor_pid"
cat <<END
Until it is stopped, every user of this machine can have the office do what $(id -un) may do.
Convert something of your own:
    /usr/bin/python3 $top/packaging/quickstart/convert.py $host $port INPUT OUTPUT.pdf
Ask how it is:
    $supervisor status -s $RUNTIME_DIRECTORY/admin.sock
Follow its log:
    tail -f $log
Stop it, and the office with it:
    kill $supervisor_pid
END
