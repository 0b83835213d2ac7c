# SPDX-License-Identifier: Apache-2.0
"""A person in front of pinentry, played by a script of that name.

    person = Pinentry(tmp_path)
    agent = start(profiles={"main": {"pin_source": "pinentry"}}, env=person.environment())
    person.will("73914682", "cancel", "wait")      to the next questions; "wait" until person.goes_on(), then a PIN
    person.questions                                what each question said
"""

import os
import pathlib

SCRIPT = r"""#!/bin/sh
cd "{folder}"
desc=
echo "OK Pleased to meet you"
while read -r line; do
    case "$line" in
    SETDESC*) desc=${{line#SETDESC }}; echo OK ;;
    GETPIN)
        echo "$desc" >> questions
        answer=$(head -n 1 answers); sed -i 1d answers
        case "$answer" in
        wait*) while ! [ -e go-on ]; do sleep 0.05; done; answer=${{answer#wait}} ;;
        esac
        case "$answer" in
        ""|cancel) echo "ERR 83886179 Operation cancelled <Pinentry>" ;;
        *) echo "D $answer"; echo OK ;;
        esac ;;
    *) echo OK ;;
    esac
done
"""


class Pinentry:
    """Whoever has no answer left cancels."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder) / "person"
        self._folder.mkdir()
        program = self._folder / "pinentry"
        program.write_text(SCRIPT.format(folder=self._folder), encoding="ascii")
        program.chmod(0o700)
        self.will()

    def environment(self):
        return {"PATH": f"{self._folder}:{os.environ['PATH']}"}

    def will(self, *answers):
        self._folder.joinpath("answers").write_text("".join(f"{one}\n" for one in answers), encoding="ascii")

    def goes_on(self):
        self._folder.joinpath("go-on").touch()

    @property
    def questions(self):
        path = self._folder / "questions"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
