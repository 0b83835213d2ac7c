# SPDX-License-Identifier: Apache-2.0
"""bash, zsh and fish, asked what they would offer for a line: the shells' own machinery, with the files that were built.

    offered("fish", ["keystay tok"], env)       a list of words for each line
"""

import os
import pathlib
import pty
import select
import shutil
import subprocess
import time

import pytest

import cli

FILES = {"bash": "keystay.bash", "zsh": "_keystay", "fish": "keystay.fish"}
PATIENCE_S = 60

# What a completion function is given, and what it leaves: bash(1), Programmable Completion.
BASH = """
source "$1" || exit
shift
for COMP_LINE; do
    COMP_POINT=${#COMP_LINE}
    _keystay
    printf '%s\\n' "${COMPREPLY[@]}" END
done
"""

FISH = """
source $argv[1]; or exit
for line in $argv[2..-1]
    complete -C $line
    echo END
end
"""

# All that is offered goes through compadd: what it would match is noted on the way. With -O, -A or -D it only computes.
ZSH = """
PS1='ready> '
fpath=($completions $fpath)
autoload -Uz compinit
compinit -u -d $scratch/dump
compadd()
{
    local -a matches
    [[ " $* " == *\\ -[OAD]\\ * ]] || {
        builtin compadd -A matches "$@"
        offered+=($matches)
    }
    builtin compadd "$@"
}
_offer()
{
    typeset -ga offered=()
    _main_complete
    print -rl -- $offered END >>$scratch/offered
    compstate[insert]= compstate[list]=
}
zle -C offer list-choices _offer
bindkey '^T' offer
"""


def file(shell):
    path = pathlib.Path(cli.PROGRAM).resolve().parent / FILES[shell]
    assert path.is_file(), f"{path} is built with the program"
    return path


def _environment(changes, scratch):
    folder = os.path.dirname(os.path.realpath(cli.PROGRAM))
    return cli.environment({"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(scratch), "TERM": "dumb",
                            "XDG_CONFIG_HOME": str(scratch), "XDG_DATA_HOME": str(scratch)} | (changes or {}))


class Interactive:
    """A shell at a terminal of its own, in a folder."""

    def __init__(self, command, env, folder):
        self.shown = b""
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(command, env=env, cwd=folder, stdin=slave, stdout=slave, stderr=slave,
                                         start_new_session=True)
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def type(self, text):
        os.write(self._master, text.encode())

    def wait_for(self, is_there):
        deadline = time.monotonic() + PATIENCE_S
        while not is_there():
            assert time.monotonic() < deadline and self._process.poll() is None, self.shown
            if select.select([self._master], [], [], 0.01)[0]:
                self.shown += os.read(self._master, 65536)


def _zsh(lines, env, scratch):
    (scratch / "setup").write_text(f"completions={file('zsh').parent}\nscratch={scratch}\n{ZSH}")
    path = scratch / "offered"
    path.unlink(missing_ok=True)
    with Interactive(["zsh", "-f", "-i"], env, scratch) as shell:
        shell.type(f"source {scratch}/setup\n")
        shell.wait_for(lambda: b"ready>" in shell.shown)
        for n, line in enumerate(lines):
            shell.type(f"\x15{line}\x14")
            shell.wait_for(lambda n=n: path.is_file() and path.read_text().split("\n").count("END") == n + 1)
    return path.read_text()


def _script(command, lines, env, scratch):
    done = subprocess.run([*command, *lines], env=env, cwd=scratch, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def offered(shell, lines, scratch, env=None):
    """What each line could go on with; the folder scratch is where the shell is."""
    need(shell)
    env = _environment(env, scratch)
    if shell == "zsh":
        out = _zsh(lines, env, scratch)
    elif shell == "fish":
        out = _script(["fish", "--no-config", "-c", FISH, str(file(shell))], lines, env, scratch)
    else:
        out = _script(["bash", "-c", BASH, "bash", str(file(shell))], lines, env, scratch)
    parts = out.split("END\n")
    assert len(parts) == len(lines) + 1 and parts[-1] == "", out
    return [[word.split("\t")[0] for word in part.splitlines() if word != ""] for part in parts[:-1]]


def need(shell):
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")


def typed(shell, keys, scratch, env=None):
    """What the words of a line are after somebody has typed it, tabulators and all: keystay is a function there that
    shows them."""
    need(shell)
    setup = {"bash": f"PS1='ready> '\nsource {file('bash')}\n",
             "zsh": f"PS1='ready> '\nfpath=({file('zsh').parent} $fpath)\nautoload -Uz compinit\ncompinit -u -d {scratch}/dump\n"}
    (scratch / "setup").write_text(setup[shell] + "keystay() { printf '<%s>' \"$@\"; echo END; }\n")
    command = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}[shell]
    with Interactive(command, _environment(env, scratch), scratch) as terminal:
        terminal.type(f"source {scratch}/setup\n")
        terminal.wait_for(lambda: b"ready>" in terminal.shown)
        terminal.type(keys + "\n")
        terminal.wait_for(lambda: b">END" in terminal.shown)
    return terminal.shown.split(b">END")[0].rpartition(b"\n")[2].decode() + ">"
