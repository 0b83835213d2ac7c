# SPDX-License-Identifier: Apache-2.0
"""keystay with the virtual card, and a signer that stays open over what happens to it.

    program = Program(card, "opensc", tmp_path)
    result = program.sign("9a", alg="RS256")              keystay assertion; options as keywords, None leaves one out
    with Held(card, "ykcs11", tmp_path) as held:          the program hold: one signer, many signatures
        card.control.remove()
        held.sign()

KEYSTAY and HOLD name the built programs. Both are run as in tests/e2e: with a clean environment, and no PIN may come
out of them.
"""

import os
import re
import select
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [os.path.join(HERE, "../../e2e"), os.path.join(HERE, "../../server")]

import attest  # noqa: E402
import cli  # noqa: E402

HOLD = os.environ.get("HOLD", "")
IDS = {"9a": "01", "9c": "02", "9d": "03", "9e": "04"}
CARD_VARIABLES = ("PCSCLITE_CSOCK_NAME", "OPENSC_CONF")
SUPPRESSIONS = os.path.join(HERE, "lsan.supp")
ANSWER_S = 60  # longer is a hang


def missing():
    """The built programs that the environment does not name."""
    return [name for name, path in (("KEYSTAY", cli.PROGRAM), ("HOLD", HOLD)) if not os.path.isfile(path)]


def environment(card, module):
    """Where the card is. Yubico's module leaks; that it is the one shows only in a whole stack, which takes time."""
    found = {name: card.environment()[name] for name in CARD_VARIABLES}
    if module == "ykcs11" and "ASAN_OPTIONS" in os.environ:
        found["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"] + ":fast_unwind_on_malloc=0"
        found["LSAN_OPTIONS"] = f"suppressions={SUPPRESSIONS}:print_suppressions=0"
    return found


def key_uri(slot):
    return f"pkcs11:id=%{IDS[slot]}"


def write_pin(folder, pin, name="pin"):
    """A PIN source: a file that only its owner can read."""
    path = folder / name
    path.write_text(f"{pin}\n", encoding="utf-8")
    path.chmod(0o600)
    return f"file:{path}"


def write_pins(folder, *pins):
    """A PIN source that gives another PIN each time that it is asked, the last one for ever; and where it counts."""
    count, script = folder / "asked", folder / "ask.sh"
    words = " ".join(f"'{pin}'" for pin in pins)
    script.write_text(f"echo >>{count}\nset -- {words}\nn=$(grep -c '' {count})\n"
                      '[ "$n" -le $# ] || n=$#\nshift $((n - 1))\necho "$1"\n', encoding="ascii")
    return f"exec:/bin/sh {script}", lambda: count.read_text(encoding="ascii").count("\n")


class Program(cli.Keystay):
    """The program as cli.Keystay runs it, without a server."""

    def __init__(self, card, module, folder):
        self.card, self.folder = card, card  # the latter is where the PIN is
        self._module = module
        self.defaults = {
            "tenant": "contoso.example",
            "client_id": cli.CLIENT,
            "module": card.modules[module],
            "key": key_uri("9a"),
            "pin_source": write_pin(folder, card.pin),
            "state_dir": folder / "state",
        }

    def environment(self, changes=None, shim=None):
        return environment(self.card, self._module) | (changes or {})

    def sign(self, slot="9a", **changes):
        return self.assertion(**({"key": key_uri(slot)} | changes))

    def run(self, *words, **changes):
        """Another command, such as run("key", "list")."""
        result = cli.run(*words, *self.arguments(**changes)[1:], env=self.environment())
        self._check_secrets(result)
        return result

    def _check_secrets(self, result):
        """The card's serial number begins like its PIN."""
        text = (result.out + result.err).replace(str(attest.SERIAL), "")
        assert self.card.pin not in text, result
        assert "eyJ" not in result.err, result


class Held:
    """The program hold, with its signer open. What it logs goes to the test's stderr, which pytest shows."""

    def __init__(self, card, module, folder, slot="9a", pin_source=None, settings=(), pass_fds=(),
                 engine=None, isolate=None):
        self._process = subprocess.Popen(
            [HOLD, *(("--engine", engine) if engine else ()), *(("--isolate", isolate) if isolate else ()), card.modules[module], key_uri(slot),
             pin_source or write_pin(folder, card.pin), str(folder / "state"), *settings],
            env=cli.environment(environment(card, module)), pass_fds=pass_fds,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        opened = self._answer()
        if opened != "open":
            self._end()
        assert opened == "open", opened

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        status = self._end()
        assert exception[0] is not None or status == 0, status

    def _end(self):
        self._process.stdin.close()
        try:
            return self._process.wait(ANSWER_S)
        finally:
            self._process.kill()
            self._process.stdout.close()

    def _answer(self):
        if not select.select([self._process.stdout], [], [], ANSWER_S)[0]:
            self._process.kill()
        return self._process.stdout.readline().strip()

    @property
    def pid(self):
        return self._process.pid

    def begin(self):
        """Asks for a signature; take() has the answer."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def take(self):
        return self._answer()

    def ask(self):
        self.begin()
        return self.take()

    def sign(self):
        """An assertion."""
        answer = self.ask()
        assert answer.startswith("ok "), answer
        return answer.removeprefix("ok ")

    def fail(self):
        """The status and the message of a signature that did not come."""
        match = re.fullmatch(r"error (\S+) (.*)", self.ask())
        assert match, "it signed"
        return match.groups()
