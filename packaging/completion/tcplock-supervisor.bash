# Completion of tcplock-supervisor and tcplock for bash.
#
# The numbers of instances and clients are those of the supervisor that runs. It is asked for a
# second at most, and nothing is said if there is none.

# The named option's value on this command line, under either of its two names; or nothing.
_tcplock_option() {
    local i=$COMP_CWORD
    while ((--i > 0)); do
        if [[ ${COMP_WORDS[i]} == "$1" || ${COMP_WORDS[i]} == "$2" ]]; then
            # bash makes three words of --socket=PATH.
            [[ ${COMP_WORDS[++i]} != = ]] || ((++i))
            printf '%s' "${COMP_WORDS[i]}"
            return
        fi
    done
}

# What the supervisor that this command line means answers to `status` or `clients`.
_tcplock_ask() {
    local socket
    socket=$(_tcplock_option -s --socket)
    timeout 1 "${COMP_WORDS[0]/#\~/$HOME}" "$1" --json ${socket:+-s "${socket/#\~/$HOME}"} \
        2>/dev/null </dev/null
}

_tcplock_instances() {
    [[ $(_tcplock_ask status) =~ \"instances\":([0-9]+) ]] && seq 0 $((BASH_REMATCH[1] - 1))
}

_tcplock_clients() {
    _tcplock_ask clients | grep -o '"client":[0-9]*' | cut -d : -f 2
}

# The first word that is a command, wherever the options are.
_tcplock_command() {
    local i
    for ((i = 1; i < COMP_CWORD; ++i)); do
        case ${COMP_WORDS[i]} in
            -c | --config | -s | --socket)
                [[ ${COMP_WORDS[i + 1]} != = ]] || ((++i))
                ((++i))
                ;;
            -* | =) ;;
            *)
                printf '%s' "${COMP_WORDS[i]}"
                return
                ;;
        esac
    done
}

# Words that begin as the one to complete.
_tcplock_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# Folders, to go on from, and files of the named kinds; of no kind: all.
_tcplock_files() {
    local begun=$1 kind
    shift
    compopt -o filenames 2>/dev/null # Fails where no key was pressed, in a test for instance.
    mapfile -t COMPREPLY < <(
        compgen -d -- "$begun"
        for kind in "$@"; do
            compgen -f -X "!*.$kind" -- "$begun"
        done
    )
}

# The sockets of those that run, or any other, folder by folder.
_tcplock_sockets() {
    local begun=$1 socket
    if [[ -z $begun ]]; then
        mapfile -t COMPREPLY < <(compgen -G '/run/tcplock-supervisor*/admin.sock')
        [[ ${#COMPREPLY[@]} -eq 0 ]] || return
    fi
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(
        compgen -d -- "$begun"
        compgen -f -- "$begun" | while IFS= read -r socket; do
            [[ ! -S ${socket/#\~/$HOME} ]] || printf '%s\n' "$socket"
        done
    )
}

_tcplock_supervisor() {
    local current=$2 previous=$3 command
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $previous in
        -c | --config)
            _tcplock_files "$current" yaml yml
            return
            ;;
        -s | --socket)
            _tcplock_sockets "$current"
            return
            ;;
    esac
    command=$(_tcplock_command)
    case $command:$current in
        :-*) _tcplock_words '-c --config -s --socket -h --help --version' "$current" ;;
        :*)
            _tcplock_words 'check show-config schema status clients recycle pause resume cut reload
                drain health' "$current"
            ;;
        check:-* | show-config:-*) _tcplock_words '-c --config' "$current" ;;
        status:-*) _tcplock_words '-s --socket --json --watch' "$current" ;;
        clients:-*) _tcplock_words '-s --socket --json' "$current" ;;
        recycle:-*) _tcplock_words '-s --socket --now' "$current" ;;
        recycle:*) _tcplock_words "$(_tcplock_instances)" "$current" ;;
        health:-*) _tcplock_words '-s --socket --live --ready' "$current" ;;
        pause:-* | resume:-* | cut:-* | reload:-* | drain:-*)
            _tcplock_words '-s --socket' "$current"
            ;;
        cut:*) _tcplock_words "$(_tcplock_clients)" "$current" ;;
    esac
}

_tcplock() {
    local current=$2 previous=$3
    case $previous in
        -h) mapfile -t COMPREPLY < <(compgen -A hostname -- "$current") ;;
        -l | -p | -n | -t) ;;
        *) _tcplock_words '-l -p -h -n -t --help --version' "$current" ;;
    esac
}

complete -F _tcplock_supervisor tcplock-supervisor
complete -F _tcplock tcplock
