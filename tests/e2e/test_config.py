# SPDX-License-Identifier: Apache-2.0
"""Configuration files and profiles: what is read, who wins, who may have written it, and what is wrong with it."""

import json
import os
import pwd
import subprocess

import pytest

import cli
import signed
from cli import refused

NOBODY = pwd.getpwnam("nobody").pw_uid
ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others and act as them")


class Folder:
    """Configuration files of a test, in a folder that everybody may search."""

    def __init__(self, path):
        self.path = path
        for folder in (path, *path.parents[:-2]):  # pytest closes them
            if folder.stat().st_uid == os.geteuid():
                folder.chmod(folder.stat().st_mode | 0o011)

    def put(self, text, name="k.conf", mode=0o644, owner=None):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)
        if owner is not None:
            os.chown(file, owner, owner)
        return str(file)


@pytest.fixture
def conf(tmp_path):
    return Folder(tmp_path)


def keys_of(keystay, *names):
    """Lines of a configuration, from the test's defaults."""
    return "".join(f"{name} = {keystay.defaults[name]}\n" for name in names or keystay.defaults)


def without(keystay):
    """No option of the test's defaults."""
    return dict.fromkeys(keystay.defaults)


def show(*words, env=None):
    result = cli.run("profile", "show", "--format", "json", *words, env=env)
    return {one["key"]: one for one in result.json["settings"]}


def test_a_token_by_the_name_of_a_profile(keystay, server, conf):
    env = {"KEYSTAY_CONFIG": conf.put(f"[profile backup]\n{keys_of(keystay)}")}
    assert keystay.token(env=env, extra=["backup"], **without(keystay)).token
    assert len(server.log()) == 1


def test_defaults_and_profile_together(keystay, server, conf):
    path = conf.put(f"[defaults]\n{keys_of(keystay)}scope = wrong\n".replace(
        f"scope = {keystay.defaults['scope']}\n", "") + f"[profile right]\n{keys_of(keystay, 'scope')}")
    env = {"KEYSTAY_CONFIG": path}
    assert keystay.token(env=env, extra=["right"], **without(keystay)).token
    refused(keystay.token(env=env, **without(keystay)), 3, "wrong")
    assert len(server.log()) == 1


def test_a_program_in_c_loads_a_profile(keystay, server, conf):
    """docs/examples/token.c, built against the library alone."""
    conf.put(f"[profile backup]\n{keys_of(keystay)}", "keystay/keystay.conf")
    env = cli.environment(keystay.environment({"XDG_CONFIG_HOME": str(conf.path)}))
    run = [os.environ["EXAMPLE"], "backup"]
    good = subprocess.run(run, env=env, capture_output=True, text=True, check=True)
    assert good.stdout.count("\n") == 1 and good.stderr == ""
    bad = subprocess.run([*run, "timeout=0"], env=env, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout) == (3, "") and "timeout must be" in bad.stderr
    assert len(server.log()) == 1


@pytest.mark.parametrize("command", ["assertion", "doctor", "key list", "key show", "pin forget"])
def test_each_command_takes_a_profile(keystay, conf, command):
    path = conf.put(f"[profile backup]\n{keys_of(keystay)}")
    result = cli.run(*command.split(), "backup", "--config", path, env=keystay.environment())
    assert result.status == 0, result
    refused(cli.run(*command.split(), "bakup", "--config", path, env=keystay.environment()), 3,
            "no profile of that name", path, "backup", hint="did you mean backup?")


def test_who_wins_in_an_assertion(keystay, main_folder, conf):
    path = conf.put("[defaults]\nclient_id = of-defaults\n[profile a]\nclient_id = of-profile\n[profile b]\n")

    def issuer(*words, env=None, **options):
        result = keystay.assertion(env={"KEYSTAY_CONFIG": path} | (env or {}), extra=words, **options)
        return signed.read(result.token, main_folder.certificate())[1]["iss"]

    both = {"KEYSTAY_CLIENT_ID": "of-keystay", "AZURE_CLIENT_ID": "of-azure"}
    assert issuer("a", env=both, client_id="of-flag") == "of-flag"
    assert issuer("a", env=both, client_id=None) == "of-profile"
    assert issuer("b", env=both, client_id=None) == "of-keystay"
    assert issuer(env=both, client_id=None) == "of-keystay"
    assert issuer("b", env={"AZURE_CLIENT_ID": "of-azure"}, client_id=None) == "of-defaults"
    assert issuer(env={"AZURE_CLIENT_ID": "of-azure", "KEYSTAY_CONFIG": ""}, client_id=None) == "of-azure"


def test_the_origin_of_each_value_is_shown(conf):
    path = conf.put("[defaults]\ntenant = d\nscope = d\n\n[profile a]\nscope = a\nkey = pkcs11:id=%01\n"
                    "key = pkcs11:id=%02\n")
    env = {"KEYSTAY_CONFIG": path, "KEYSTAY_TIMEOUT": "7", "KEYSTAY_SCOPE": "e", "AZURE_CLIENT_ID": "z"}
    shown = show("a", "--lifetime", "77", env=env)
    assert shown["tenant"] == {"key": "tenant", "value": "d", "origin": "defaults", "from": f"{path}:2"}
    assert shown["scope"] == {"key": "scope", "value": "a", "origin": "profile", "from": f"{path}:6"}
    assert shown["key"]["from"] == f"{path}:8"  # the last of the two
    assert shown["timeout"] == {"key": "timeout", "value": "7", "origin": "environment", "from": "KEYSTAY_TIMEOUT"}
    assert shown["client_id"] == {"key": "client_id", "value": "z", "origin": "environment", "from": "AZURE_CLIENT_ID"}
    assert shown["lifetime"] == {"key": "lifetime", "value": "77", "origin": "flag", "from": "--lifetime"}
    assert shown["alg"] == {"key": "alg", "value": "auto", "origin": "default"}
    assert "resource" not in shown
    text = cli.run("profile", "show", "a", env=env).out
    for line in (f"scope = a {path}:6", f"key = pkcs11:id=%01 {path}:7", f"key = pkcs11:id=%02 {path}:8",
                 "timeout = 7 KEYSTAY_TIMEOUT", "alg = auto default"):
        assert line in [" ".join(shown.split()) for shown in text.splitlines()]


def test_a_switch_of_a_file_can_be_overruled(conf):
    env = {"KEYSTAY_CONFIG": conf.put("[defaults]\npin_reuse = yes\n"), "KEYSTAY_PIN_REUSE": "no"}
    assert show(env=env)["pin_reuse"]["value"] == "no"


def test_a_resource_on_the_command_line_makes_the_profiles_scope_go(conf):
    shown = show("a", "--resource", "r", "--config", conf.put("[profile a]\nscope = s\n"))
    assert shown["resource"]["value"] == "r" and "scope" not in shown


def test_the_files_that_count_are_said(conf):
    path = conf.put("[profile a]\n")
    assert f"settings from {path}\n" in cli.run("profile", "show", "a", "-v", "--config", path).err


def test_profiles_are_listed(conf):
    path = conf.put("[defaults]\nclient_id = d\n[profile b]\n[agent]\n\n[profile a]\nclient_id = a\n")
    result = cli.run("profile", "list", "--config", path)
    assert [line.split() for line in result.out.splitlines()] == [
        ["b", "entra", "d", f"{path}:3"], ["a", "entra", "a", f"{path}:6"]]
    listed = cli.run("profile", "list", "--config", path, "--format", "json").json
    assert listed == {"profiles": [
        {"name": "b", "provider": "entra", "client_id": "d", "defined": [{"file": path, "line": 3}]},
        {"name": "a", "provider": "entra", "client_id": "a", "defined": [{"file": path, "line": 6}]}]}


def test_no_profile_is_no_error(conf):
    result = cli.run("profile", "list", "--config", conf.put("[defaults]\n"))
    assert (result.status, result.out) == (0, "") and "no profile is configured" in result.err
    assert cli.run("profile", "list", "--format", "json").json == {"profiles": []}


def names(env, *words):
    """Of the profiles that are listed."""
    result = cli.run("profile", "list", *words, env=env)
    assert result.status == 0, result
    return [line.split()[0] for line in result.out.splitlines()]


def test_which_file_is_read(conf):
    of_home = conf.put("[profile home]\n", "home/.config/keystay/keystay.conf")
    conf.put("[profile xdg]\n", "xdg/keystay/keystay.conf")
    named, other = conf.put("[profile named]\n"), conf.put("[profile other]\n", "o.conf")
    env = {"HOME": str(conf.path / "home"), "KEYSTAY_CONFIG": None}
    assert "home" in names(env)
    env["XDG_CONFIG_HOME"] = str(conf.path / "xdg")
    assert "xdg" in names(env) and "home" not in names(env)
    assert "home" in names(env | {"XDG_CONFIG_HOME": "relative"})
    assert names(env | {"KEYSTAY_CONFIG": named}) == ["named"]
    assert names(env | {"KEYSTAY_CONFIG": named}, "--config", other) == ["other"]
    assert names(env | {"KEYSTAY_CONFIG": "/dev/null"}) == []
    assert "xdg" in names(env | {"KEYSTAY_CONFIG": ""})
    assert show("home", "--config", of_home)


def test_a_named_file_must_be_there(conf):
    missing = str(conf.path / "missing.conf")
    for words, env in ((["--config", missing], {}), ([], {"KEYSTAY_CONFIG": missing})):
        refused(cli.run("profile", "list", *words, env=env), 3, missing, "No such file")
    names({"HOME": str(conf.path), "KEYSTAY_CONFIG": None, "XDG_CONFIG_HOME": missing})  # that of a user need not
    refused(cli.run("profile", "list", "--config", ""), 3, "cannot be opened")


def test_help_and_version_read_nothing(conf):
    env = {"KEYSTAY_CONFIG": conf.put("rubbish\n")}
    for words in (["help", "token"], ["token", "--help"], ["version"]):
        assert cli.run(*words, env=env).status == 0


@pytest.mark.parametrize("text, words, hint", [
    ("[defaults]\nclient-id = x\n", [":2: there is no key 'client-id'"], "did you mean client_id?"),
    ("[defaults]\n\nTennant = x\n", [":3: there is no key 'Tennant'"], "did you mean tenant?"),
    ("[defaults]\nfrobnicate = x\n", [":2: there is no key 'frobnicate'"], "keystay.conf(5)"),
    ("[defaults]\ntimeout = soon\n", [":2: timeout must be a whole number"], ""),
    ("[defaults]\nalg = none\n", [":2: alg must be one of"], ""),
    ("[defaults]\ntenant = a\ntenant = b\n", [":3: tenant is set in line 2 already"], "keep one"),
    ("[profile a]\n[profile b]\n[profile a]\n", [":3: [profile a] stands in line 1 already"], ""),
    ("[profil a]\n", [":1: there is no section [profil a]"], "did you mean [profile NAME]?"),
    ("[other]\n", [":1: there is no section [other]"], "[profile NAME]"),
    ("[profile a b]\n", [":1: a name is 1 to 64 visible ASCII"], ""),
    ("tenant = x\n", [":1: this stands before the first section"], "[defaults]"),
    ("[defaults]\ntenant\n", [":2: this is no KEY = VALUE"], ""),
    ("[defaults\n", [":1: a section's line ends in ']'"], ""),
    ("[defaults]\ntenant = \x1b]0;owned\x07\n", [":2: there is a control character"], ""),
    ("[other]\x1b[31m\n", [":1: there is a control character"], ""),
    ("[defaults]\n" + "key = pkcs11:id=%01\n" * 9, [":10: key may be given 8 times"], ""),
    ("#" * (1 << 20) + "\n", ["longer than 1048576 bytes"], ""),
    ("[agent]\nlisten = 0.0.0.0:80\n", [":2: listen must be 127.0.0.1:PORT"], "this machine alone"),
    ("[grant web]\nprofil = a\n", [":2: there is no key 'profil'"], "did you mean profile?"),
    ("[grant a/b]\n", [":1: a grant's name has only letters"], ""),
], ids=range(20))
def test_a_bad_file(keystay, server, conf, text, words, hint):
    path = conf.put(text)
    result = keystay.token(extra=["--config", path], shim="")
    refused(result, 3, path, *words, hint=hint)
    assert "\x1b" not in result.err and not result.calls
    assert server.log() == []


def test_a_fault_in_another_profile_counts(keystay, conf):
    path = conf.put(f"[profile good]\n{keys_of(keystay)}[profile bad]\ntimeout = 0\n")
    result = keystay.token(extra=["--config", path, "good"], shim="")
    refused(result, 3, f"{path}:{len(keystay.defaults) + 3}: timeout")
    assert not result.calls


def test_what_grants_need_is_the_agents_to_know(conf):
    """A user whom this machine does not know, a profile that is not there: no matter for a command that grants nothing."""
    path = conf.put("[profile one]\n[grant web]\nprofile = two\nuser = no-such-user\n[agent]\nprofile = three\n")
    result = cli.run("profile", "list", "--config", path, "--format", "json")
    assert [one["name"] for one in result.json["profiles"]] == ["one"]


def test_an_unknown_profile_may_be_a_pin(conf):
    path = conf.put("[profile one]\n[profile two]\n")
    result = refused(cli.run("token", "--config", path, "73914682"), 3, f"in {path}; there: one two")
    assert "73914682" not in result.err
    refused(cli.run("token", "tow", env={"KEYSTAY_CONFIG": path}), 3, hint="did you mean two?")
    error = json.loads(cli.run("token", "x", "--error-format", "json").err)
    assert (error["status"], error["exit_status"]) == ("config", 3)


@pytest.mark.parametrize("line, words", [
    ("key = pkcs11:token=a?pin-value=73914682", "pin-value"),
    ("certificate = pkcs11:token=a?pin-value=73914682", "pin-value"),
    ("pin_source = 73914682", "pin-source"),
    ("authority = https://me:73914682@login.example", "holds a user name or password"),
    ("authority = me:73914682@login.example", "holds a user name or password"),
])
def test_what_holds_a_secret_is_not_shown(conf, line, words):
    path = conf.put(f"[profile a]\n{line}\n")
    for form in ("text", "json"):
        result = cli.run("profile", "show", "a", "--config", path, "--format", form)
        refused(result, 3, f"{path}:2: ", words)
        assert "73914682" not in result.out + result.err


def test_what_is_shown_is_utf_8_whatever_the_path_is(conf):
    folder = os.path.join(os.fsencode(conf.path), b"\xff\x1b")
    os.mkdir(folder)
    os.rename(conf.put("[profile a]\nclient_id = x\n"), os.path.join(folder, b"k"))
    for words in (["list"], ["list", "--format", "json"], ["show", "a"], ["show", "a", "--format", "json"]):
        result = cli.run("profile", *words, "--config", os.path.join(folder, b"k"))
        assert result.status == 0 and "/??/k" in result.out and "\x1b" not in result.out


def test_an_evil_variable_steers_no_terminal():
    for form in ("text", "json"):
        result = cli.run("profile", "show", "--format", form, env={"KEYSTAY_TENANT": "a\x1b]0;owned\x07\x9b"})
        assert result.status == 0 and "a?]0;owned?" in result.out
        assert not any(control in result.out for control in "\x1b\x07\x9b")


def test_a_file_that_others_may_write(conf):
    for mode in (0o620, 0o602, 0o666):
        path = conf.put("[profile a]\n", mode=mode)
        refused(cli.run("profile", "list", "--config", path), 3, path, "can be written by others", f"{mode:04o}",
                hint=f"chmod go-w {path}")
    conf.put("[profile a]\n", "xdg/keystay/keystay.conf", mode=0o666)
    env = {"XDG_CONFIG_HOME": str(conf.path / "xdg"), "KEYSTAY_CONFIG": None}
    refused(cli.run("profile", "list", env=env), 3, "can be written by others")


def test_what_is_no_plain_file(conf):
    os.mkfifo(conf.path / "fifo")
    for path, words in ((conf.path / "fifo", "not a plain file"), (conf.path, "is a folder"),
                        ("/dev/zero", "not a plain file")):
        refused(cli.run("profile", "list", "--config", str(path)), 3, str(path), words)


@ONLY_ROOT
def test_root_reads_only_its_own(conf):
    path = conf.put("[profile a]\n", owner=NOBODY)
    link = conf.path / "link"
    link.symlink_to(path)
    for name in (path, str(link)):
        refused(cli.run("profile", "list", "--config", name), 3, name, "root uses only its own", hint="HOME")
    os.chown(path, 0, NOBODY)
    assert names({}, "--config", path) == ["a"]


@pytest.fixture
def as_nobody(conf):
    """The program as another user, from a place where he may run it."""
    copy = conf.path / "keystay"
    subprocess.run(["cp", cli.PROGRAM, copy], check=True)
    copy.chmod(0o755)

    def run(*words, env=None):
        done = subprocess.run([copy, *words], env=cli.environment(env), user=NOBODY, group=NOBODY, extra_groups=[],
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        return cli.Result(done.returncode, done.stdout, done.stderr, 0, None)
    return run


@ONLY_ROOT
def test_a_user_reads_his_own_and_roots(conf, as_nobody):
    for owner in (NOBODY, 0):
        path = conf.put("[profile a]\n", owner=owner)
        assert as_nobody("profile", "list", "--config", path).out.startswith("a ")
    path = conf.put("[profile a]\n", owner=12345)
    refused(as_nobody("profile", "list", "--config", path), 3, "12345", "neither root nor you")
    path = conf.put("[profile a]\n", mode=0o600, owner=0)
    refused(as_nobody("profile", "list", "--config", path), 3, path, "Permission denied")


@ONLY_ROOT
def test_a_home_that_may_not_be_searched_counts_as_empty(conf, as_nobody):
    conf.put("rubbish\n", "home/.config/keystay/keystay.conf")
    env = {"HOME": str(conf.path / "home"), "KEYSTAY_CONFIG": None}
    (conf.path / "home").chmod(0o700)
    result = as_nobody("profile", "list", env=env)
    assert result.status == 0, result
    (conf.path / "home").chmod(0o755)
    refused(as_nobody("profile", "list", env=env), 3, ":1: this stands before")
