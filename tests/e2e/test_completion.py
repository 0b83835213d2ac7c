# SPDX-License-Identifier: Apache-2.0
"""What bash, zsh and fish offer is what the program takes: held against its help and its own refusals."""

import re
import subprocess

import pytest

import cli
import shells

SECONDS = 20  # about, for parts that take equally long
SHELLS = ("bash", "zsh", "fish")
PROFILES = """
[profile backup]
client_id = one
[profile back"up$(touch${IFS}owned)]
client_id = two
[profile other]
client_id = three
"""


def commands():
    overview = cli.run("help").out.partition("Commands:\n")[2].partition("\n\n")[0]
    return [line[2:26].strip() for line in overview.splitlines()]


def options_of(command):
    """Long and short, as help lists them."""
    out = cli.run("help", *command.split()).out
    return set(re.findall(r"^  (?:-\w, |    )(--[a-z0-9-]+)", out, re.M)) | set(re.findall(r"^  (-\w), --", out, re.M))


def long(words):
    return {word.rstrip("=") for word in words if word.startswith("--")}


@pytest.fixture(params=SHELLS)
def offered(request, tmp_path):
    def ask(*lines, **env):
        return [set(words) for words in shells.offered(request.param, lines, tmp_path, env)]

    ask.shell = request.param
    return ask


def test_the_commands(offered):
    names = commands()
    firsts = {name.split()[0] for name in names}
    groups = sorted({name.split()[0] for name in names if " " in name})
    first, part, helped, *seconds = offered("keystay ", "keystay tok", "keystay help ",
                                            *(f"keystay {group} " for group in groups),
                                            *(f"keystay help {group} " for group in groups))
    assert first == firsts == helped and part == {"token"}
    for group, there, there_too in zip(groups, seconds, seconds[len(groups):]):
        assert there == there_too == {name.split()[1] for name in names if name.startswith(f"{group} ")}


def test_every_option_of_every_command(offered):
    names = [name for name in commands() if "Options:" in cli.run("help", *name.split()).out]
    assert {"token", "cert export", "jwt verify"} <= set(names)
    answers = offered("keystay --", *(f"keystay {name} --" for name in names))
    assert long(answers[0]) == {"--config", "--verbose", "--quiet", "--error-format", "--help", "--version"}
    for name, answer in zip(names, answers[1:]):
        assert long(answer) == {option for option in options_of(name) if option.startswith("--")}, name


@pytest.mark.parametrize("shell", SHELLS)
def test_every_option_is_in_each_file(shell):
    text = shells.file(shell).read_text()
    assert text == cli.run("completion", shell).out
    for option in set().union(*(options_of(name) for name in commands())):
        assert re.search(rf"{option}\b" if shell != "fish" else rf" -[ls] {option.lstrip('-')}\b", text), option


def choices_of(command, option):
    """In the words of the refusal of what is none."""
    result = cli.run(*command.split(), option, "none-of-them")
    assert result.status in (2, 3), result
    return set(re.findall(r"[^\s,;]+", re.split("must be one of: ", result.err)[1].splitlines()[0].split(";")[0])) - {"or"}


def test_the_choices(offered):
    asked = [("token", option) for option in ("--provider", "--alg", "--typ", "--grant", "--thumbprint", "--login",
                                              "--pin-count-low", "--require", "--engine", "--cache", "--format")]
    asked += [("key generate", "--type"), ("cert export", "--format"), ("cert status", "--format"),
              ("profile list", "--format")]
    apart = offered(*(f"keystay {command} {option} " for command, option in asked))
    for (command, option), words in zip(asked, apart):
        assert words == choices_of(command, option), (command, option)


def test_part_of_a_choice(offered):
    lines = ["keystay token --alg PS", "keystay token --alg=PS", "keystay --error-format j", "keystay key generate --type ec:",
             "keystay --error-format json token --alg ES", "keystay token backup --alg ES", "keystay token --x5c --alg ES"]
    words = offered(*lines)
    # bash replaces what is behind the last '=' or ':' only, fish hands out the whole word.
    lead = "--alg=" if offered.shell == "fish" else ""
    curves = {"P-256", "P-384"} if offered.shell == "bash" else {"ec:P-256", "ec:P-384"}
    assert words == [{"PS256", "PS384", "PS512"}, {f"{lead}PS256", f"{lead}PS384", f"{lead}PS512"}, {"json"}, curves,
                     {"ES256", "ES384"}, {"ES256", "ES384"}, {"ES256", "ES384"}]


def test_words_that_are_more_than_choices(offered):
    kid, audience, source = offered("keystay token --kid ", "keystay token --audience ", "keystay token --pin-source ")
    assert {"auto", "none", "jwk", "sha256-hex"} <= kid and audience == {"auto", "issuer", "token-endpoint"}
    assert source == {"file:", "fd:", "env:", "credential:", "exec:", "pinentry", "tty", "none"}
    tenant, key, days = offered("keystay token --tenant ", "keystay token --key ", "keystay cert create --days ")
    assert tenant == key == days == set()


def test_files_and_folders(offered, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("in/certificate one.pem", "in/cert.pem", "in/other"):
        (tmp_path / name).write_text("")
    (tmp_path / "in/certs").mkdir()
    file_options = [("token", "--cacert"), ("token", "--certificate"), ("token", "--module"), ("jwt verify", "--jwks"),
                    ("cert import", "--in"), ("cert export", "--out"), ("key list", "--config")]
    lines = [f"keystay {command} {option} in/cert" for command, option in file_options]
    *answers, argument, folders, source = offered(*lines, "keystay jwt decode in/oth", "keystay token --state-dir in/c",
                                                  "keystay token --pin-source file:in/oth")
    for answer in answers:
        names = {word.replace("\\", "").rstrip("/").rpartition("/")[2] for word in answer}
        assert {"certificate one.pem", "cert.pem", "certs"} <= names and "other" not in names, answer
    assert {word.rpartition("/")[2] for word in argument} == {"other"}
    assert {word.rstrip("/").rpartition("/")[2] for word in folders} == {"certs"}
    assert {word.rpartition("/")[2] for word in source} == {"other"}


def test_profiles(offered, tmp_path):
    """Their names are text that somebody wrote: it is offered, and never run."""
    path = tmp_path / "keystay.conf"
    path.write_text(PROFILES)
    env = {"KEYSTAY_CONFIG": str(path)}
    names, part, behind, no_more = offered("keystay token ", "keystay doctor oth", "keystay cert create --days 3 ba",
                                           "keystay version ", **env)
    assert {"backup", "other"} <= names and len(names) == 3 and part == {"other"}
    assert all(word.startswith("-") for word in no_more)
    assert "backup" in behind and len(behind) == 2 and not (tmp_path / "owned").exists()
    named, = offered(f"keystay --config {path} profile show ")
    assert named == names


@pytest.mark.parametrize("config", ["/nonexistent", "broken"])
def test_without_profiles_nothing_is_said(offered, tmp_path, config):
    (tmp_path / "broken").write_text("[profile one\n")
    for shown in offered("keystay token ", KEYSTAY_CONFIG=str(tmp_path / config)):
        assert shown == set()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize("keys, words", [
    ("keystay tok\t", "<token>"),
    ("keystay ce\texpo\t--format=key-c\t--err\tjs\t", "<cert><export><--format=key-credential><--error-format><json>"),
    ("keystay key gen\t--type rsa:3\t", "<key><generate><--type><rsa:3072>"),
    ("keystay token --pin-so\tfi\tse\t", "<token><--pin-source><file:setup>"),
    ("keystay token --cacert a\\ f\t", "<token><--cacert><a file>"),
    ("keystay token oth\t", "<token><other>"),
    ("keystay token back\\\"\t", "<token><back\"up$(touch${IFS}owned)>"),
])
def test_typed_at_a_terminal(shell, keys, words, tmp_path):
    (tmp_path / "keystay.conf").write_text(PROFILES)
    (tmp_path / "a file").write_text("")
    # zsh writes '=' behind an option whose value it waits for
    shown = shells.typed(shell, keys, tmp_path, {"KEYSTAY_CONFIG": str(tmp_path / "keystay.conf")})
    assert re.sub(r"(--[a-z-]+)=(json|file:setup)>", r"\1><\2>", shown) == words
    assert not (tmp_path / "owned").exists()


def test_bash_without_its_word_breaks(tmp_path):
    """Many take ':' out of COMP_WORDBREAKS."""
    shells.need("bash")
    script = f"COMP_WORDBREAKS=' '\n{shells.BASH}"
    lines = ["keystay key generate --type=rsa:3", "keystay token --pin-source=file:/etc/hostn"]
    done = subprocess.run(["bash", "-c", script, "bash", shells.file("bash"), *lines], capture_output=True, text=True, check=True)
    assert "--type=rsa:3072\nEND\n" in done.stdout and "--pin-source=file:/etc/hostname\n" in done.stdout


def test_bash_in_the_middle_of_a_line():
    """What stands behind the cursor does not count."""
    script = shells.BASH.replace("COMP_POINT=${#COMP_LINE}", "COMP_POINT=11")
    line = "keystay tok --format json"
    done = subprocess.run(["bash", "-c", script, "bash", shells.file("bash"), line], capture_output=True, text=True, check=True)
    assert done.stdout == "token\nEND\n"
