"""The completions, as bash and zsh run them, with a supervisor that runs and without one.

Run in this directory, with TCPLOCK_BINARY, TCPLOCK_COMMAND and FAKE_BACKEND. zsh comes with Debian's
package of that name.
"""

import os
import pathlib
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "e2e"))

import fake  # noqa: E402
import usage  # noqa: E402
from crowd import Client  # noqa: E402
from supervisor import wait_clients, wait_until  # noqa: E402

SUPERVISOR = os.environ.get("TCPLOCK_BINARY", "")
TCPLOCK = os.environ.get("TCPLOCK_COMMAND", "")
COMPLETION = TOP / "packaging" / "completion"

# A shell that was started, and one question to a supervisor that does not answer.
LONGEST = 30

BASH = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
function=$(complete -p "$(basename "$1")" | sed -E 's/.* -F ([^ ]+) .*/\\1/')
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""

# What is offered goes to a file, and nothing to the screen but what is said beside it and the word
# that ends the shell. A list that is made for another is no offer.
ZSH = """
PS1=
unset zle_bracketed_paste
setopt no_prompt_cr no_prompt_sp no_auto_list no_auto_menu no_beep
fpath=($COMPLETION $fpath)
autoload -Uz compinit && compinit -u -d $ZDOTDIR/dump
compadd() {
    local -a offered
    if [[ -n ${(M)@[1,(i)(-|--)]:#-[OAD]*} ]]; then
        builtin compadd "$@"
        return
    fi
    builtin compadd -A offered "$@"
    print -rl -- $offered >>$OFFERED
    builtin compadd "$@"
}
complete-it() { _main_complete }
zle -C complete-it complete-word complete-it
zle-line-init() {
    BUFFER=$LINE_BEGUN
    CURSOR=$#BUFFER
    zle complete-it
    BUFFER=exit
    zle accept-line
}
zle -N zle-line-init
"""


def last_parts(offered):
    """bash offers whole paths, zsh what comes next."""
    return {os.path.basename(word) for word in offered.split()}


class Bash:
    def complete(self, line, **environment):
        # As readline does it: an equals sign is a word of its own.
        words = re.findall(r"=|[^\s=]+", line) + ([""] if line.endswith(" ") else [])
        ended = subprocess.run(
            ["bash", "--norc", "-c", BASH, "bash", COMPLETION / "tcplock-supervisor.bash", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            env={**os.environ, **environment},
            check=False,
        )
        if ended.stderr:
            raise AssertionError(f"{line!r}: {ended.stderr}")
        return last_parts(ended.stdout)


class Zsh:
    """Needs a terminal: it completes where it edits the line."""

    def __init__(self):
        if not shutil.which("zsh"):
            raise AssertionError("zsh is missing: it comes with the package zsh")
        self.directory = tempfile.TemporaryDirectory(prefix="tcplock-zsh-")
        self.offered = os.path.join(self.directory.name, "offered")
        with open(os.path.join(self.directory.name, ".zshrc"), "w") as file:
            file.write(ZSH)

    def complete(self, line, **environment):
        terminal, inner = pty.openpty()
        open(self.offered, "w").close()
        shell = subprocess.Popen(
            ["zsh", "-i"],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
            env={
                **os.environ,
                "ZDOTDIR": self.directory.name,
                "COMPLETION": str(COMPLETION),
                "OFFERED": self.offered,
                "LINE_BEGUN": line,
                "TERM": "dumb",
                **environment,
            },
        )
        os.close(inner)
        shown = self._shown(terminal)
        os.close(terminal)
        if shell.poll() is None:
            shell.kill()
        if shell.wait() != 0 or shown.split() != ["exit"]:
            raise AssertionError(f"{line!r}: {shown!r}")
        with open(self.offered) as file:
            return last_parts(file.read())

    def _shown(self, terminal):
        """Until the shell has ended, and so its side is closed."""
        text = b""
        until = time.monotonic() + LONGEST
        while select.select([terminal], [], [], max(until - time.monotonic(), 0))[0]:
            try:
                text += os.read(terminal, 4096)
            except OSError:  # closed
                return text.decode(errors="replace")
        return "did not end: " + text.decode(errors="replace")


class Cases:
    """What either shell must offer."""

    shell = None

    @classmethod
    def setUpClass(cls):
        cls.shell = cls.make_shell()

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="tcplock-completion-")
        self.addCleanup(shutil.rmtree, self.directory)
        # Whatever runs on this machine is not meant.
        self.nothing = os.path.join(self.directory, "nothing")

    def offered(self, arguments, program=SUPERVISOR, **environment):
        return self.shell.complete(
            f"{program} {arguments}", **{"TCPLOCK_SOCKET": self.nothing, **environment}
        )

    def listen(self, name):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(self.directory, name))
        listener.listen()
        self.addCleanup(listener.close)
        return os.path.join(self.directory, name)

    def test_commands_are_those_of_the_program(self):
        commands = usage.commands_of_supervisor(SUPERVISOR).keys() - {""}
        self.assertEqual(self.offered(""), commands)
        self.assertEqual(self.offered("-c some.yaml "), commands)
        self.assertEqual(self.offered("re"), {"recycle", "resume", "reload"})
        self.assertEqual(self.offered("schema "), set())

    def test_options_are_those_of_each_command(self):
        for command, options in usage.commands_of_supervisor(SUPERVISOR).items():
            if not command:  # One of a command's may come before it.
                options = options | {"-s", "--socket"}
            self.assertEqual(self.offered(f"{command} -"), options, command)

    def test_options_of_tcplock_are_those_of_the_program(self):
        self.assertEqual(self.offered("-", program=TCPLOCK), usage.options_of_tcplock(TCPLOCK))

    def test_a_configuration_is_a_file_of_its_kind_or_in_a_folder(self):
        for name in ["one.yaml", "two.yml", "three.txt"]:
            pathlib.Path(self.directory, name).touch()
        os.mkdir(os.path.join(self.directory, "folder"))
        for line in ["-c ", "check -c ", "show-config --config="]:
            found = self.offered(line + self.directory + "/")
            self.assertEqual(found & {"one.yaml", "two.yml", "three.txt"}, {"one.yaml", "two.yml"})
            self.assertIn("folder", found)

    def test_a_socket_is_a_socket_or_in_a_folder(self):
        self.listen("admin.sock")
        pathlib.Path(self.directory, "no.sock").touch()
        os.mkdir(os.path.join(self.directory, "folder"))
        for line in ["status -s ", "cut --socket="]:
            found = self.offered(line + self.directory + "/")
            self.assertIn("admin.sock", found)
            self.assertIn("folder", found)
            self.assertNotIn("no.sock", found)

    def test_instances_and_clients_are_those_that_there_are(self):
        with fake.supervisor(backend={"instances": 3}).start() as supervisor:
            inside = [Client(supervisor.port, number) for number in range(3)]
            waiting = Client(supervisor.port, 3)
            wait_clients(supervisor.port, 4)
            there = supervisor.admin_socket
            for line in [f"-s {there} ", f"--socket={there} "]:
                self.assertEqual(self.answered(f"recycle {line}"), {"0", "1", "2"})
                self.assertEqual(self.answered(f"cut {line}"), {"1", "2", "3", "4"})
            self.assertEqual(self.answered("recycle --now ", TCPLOCK_SOCKET=there), {"0", "1", "2"})
            self.assertEqual(self.answered("cut ", TCPLOCK_SOCKET=there), {"1", "2", "3", "4"})
            for client in [*inside, waiting]:
                client.close()

    def answered(self, arguments, **environment):
        """What is offered by a supervisor that may be too slow for a shell, which gives up after a
        second and then offers nothing."""
        ask = lambda: self.offered(arguments, **environment)  # noqa: E731
        return wait_until(ask, LONGEST, f"an answer in time to: {arguments}")

    def test_nothing_is_offered_or_said_where_none_runs(self):
        for command in ["recycle", "cut"]:
            self.assertEqual(self.offered(f"{command} "), set())

    def test_one_that_does_not_answer_is_not_waited_for(self):
        silent = self.listen("silent.sock")
        for command in ["recycle", "cut"]:
            took = []
            for _ in range(3):
                began = time.monotonic()
                self.assertEqual(self.offered(f"{command} -s {silent} "), set())
                took.append(time.monotonic() - began)
            # The program itself would wait for 10 s each time.
            self.assertLess(min(took), 8)


class WithBash(Cases, unittest.TestCase):
    make_shell = Bash


class WithZsh(Cases, unittest.TestCase):
    make_shell = Zsh


if __name__ == "__main__":
    unittest.main()
