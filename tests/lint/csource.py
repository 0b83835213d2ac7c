# SPDX-License-Identifier: Apache-2.0
"""
C text for the lints: comments, strings and preprocessor lines blanked, line numbers kept.

Not a C parser, and it must not grow into one: it knows just enough to keep a word in a comment or a string from being
taken for code. Also the one place that says which files of the tree are ours to check.
"""
import pathlib
import re
import subprocess

TOKEN = re.compile(
    r"""//(?:\\\n|[^\n])*      # line comment, continued lines included
      | /\*.*?\*/              # block comment
      | "(?:\\.|[^"\\\n])*"    # string
      | '(?:\\.|[^'\\\n])*'    # character
    """,
    re.DOTALL | re.VERBOSE,
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """Comments blanked, strings kept."""
    return TOKEN.sub(lambda m: _blank(m.group()) if m.group().startswith("/") else m.group(), text)


def code_only(text):
    """Comments blanked, strings and characters emptied but for their quotes."""

    def replace(match):
        token = match.group()
        return _blank(token) if token[0] == "/" else token[0] + _blank(token[1:-1]) + token[-1]

    return TOKEN.sub(replace, text)


def without_preprocessor(code):
    """Preprocessor lines blanked, continued lines included. Takes what code_only() gives."""
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: _blank(m.group()), code, flags=re.MULTILINE)


def files(top, folders, suffixes):
    """Tracked and new files (not ignored ones) of these suffixes in these folders, as sorted relative paths."""
    top = pathlib.Path(top)
    try:
        git = subprocess.run(
            ["git", "-C", str(top), "ls-files", "-co", "--exclude-standard", "--", *folders],
            capture_output=True, text=True, check=True)
        names = [pathlib.PurePosixPath(line) for line in git.stdout.splitlines()]
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive: no git, nothing ignored
        names = [pathlib.PurePosixPath(p.relative_to(top).as_posix())
                 for folder in folders for p in (top / folder).rglob("*")]
    return sorted(n for n in set(names) if n.suffix in suffixes and (top / n).is_file())


def read(top, name):
    return (pathlib.Path(top) / name).read_text(encoding="utf-8")
