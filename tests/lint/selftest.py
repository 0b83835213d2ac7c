#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The lints find what they are for: each planted fault is reported, and a clean tree passes.

A lint that finds nothing looks just like a clean tree, hence this. Works on a temporary tree, never on ours.
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

LINT = pathlib.Path(__file__).resolve().parent


class LintTest(unittest.TestCase):
    def lint(self, script, files):
        """(exit status, output) of a lint over a tree of {path: text}."""
        with tempfile.TemporaryDirectory() as top:
            for name, text in files.items():
                path = pathlib.Path(top, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            run = [sys.executable] if script.endswith(".py") else ["sh"]
            done = subprocess.run([*run, LINT / script, top], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr

    def assert_clean(self, script, files):
        self.assertEqual(self.lint(script, files), (0, ""))

    def assert_found(self, script, files, *words):
        status, output = self.lint(script, files)
        self.assertEqual(status, 1, output)
        for word in words:
            self.assertIn(word, output)


class Layers(LintTest):
    def assert_refused(self, path, include, *words):
        self.assert_found("layers.py", {path: f"\n#include {include}\n"}, f"{path}:2", *words)

    def assert_allowed(self, path, *includes):
        self.assert_clean("layers.py", {path: "".join(f"#include {i}\n" for i in includes)})

    def test_against_the_arrows(self):
        self.assert_refused("src/base/buf.c", '"jose/jws.h"', "base may include")
        self.assert_refused("src/http/curl.c", '"oauth/request.h"')
        self.assert_refused("src/core/acquire.c", '"pkcs11/uri.h"')
        self.assert_refused("src/jose/jws.c", '"http/transport.h"')
        self.assert_refused("pkcs11/cryptoki/sign.c", '"jose/alg.h"')
        self.assert_refused("src/oauth/request.c", '"cli/main.h"')

    def test_with_the_arrows(self):
        self.assert_allowed("src/cli/token.c", '"pkcs11/uri.h"', '"core/acquire.h"', "<stdio.h>", "<keystay/token.h>")
        self.assert_allowed("pkcs11/cryptoki/sign.c", '"pkcs11/cryptoki/session.h"', '"signer/signer.h"',
                            "<p11-kit/pkcs11.h>", '"keystay/error.h"')

    def test_libraries_have_one_owner(self):
        self.assert_refused("src/oauth/request.c", "<curl/curl.h>", "src/http/")
        self.assert_refused("src/oauth/response.c", "<cjson/cJSON.h>")
        self.assert_refused("src/base/buf.c", "<cJSON.h>")
        self.assert_refused("src/cli/settings.c", "<ini_configobj.h>", "src/core/config")
        self.assert_refused("src/cli/token.c", "<p11-kit/uri.h>")
        self.assert_refused("src/base/buf.c", "<openssl/evp.h>")
        self.assert_refused("pkcs11/pin.c", "<openssl/crypto.h>")
        self.assert_allowed("src/http/curl.c", "<curl/curl.h>")
        self.assert_allowed("src/base/json.c", "<cjson/cJSON.h>")
        self.assert_allowed("src/core/config_parse.c", "<ini_configobj.h>")
        self.assert_allowed("src/base/mem.c", "<openssl/crypto.h>")
        self.assert_allowed("src/crypto/x509.c", "<openssl/x509.h>")

    def test_public_headers(self):
        self.assert_refused("include/keystay/error.h", '"base/buf.h"')
        self.assert_refused("include/keystay/error.h", "<sys/types.h>")
        self.assert_allowed("include/keystay/error.h", "<stdint.h>", "<keystay/signer.h>")

    def test_spelling(self):
        self.assert_refused("src/base/buf.c", '"buf.h"', "room/file.h")
        self.assert_refused("src/base/buf.c", '"base/../jose/jws.h"')
        self.assert_refused("src/base/buf.c", '"attic/jws.h"', "attic")
        self.assert_found("layers.py", {"src/attic/x.c": ""}, "no room")

    def test_a_comment_is_no_include(self):
        self.assert_allowed("src/base/buf.c", '"base/str.h"\n/*\n#include "jose/jws.h"\n*/')


class Banned(LintTest):
    def test_a_call_is_found(self):
        for name in ("strcpy", "sprintf", "atoi", "sscanf", "system", "mktemp", "rand", "gmtime", "strerror", "setenv"):
            self.assert_found("banned.py", {"src/base/x.c": f"int f(void)\n{{\n    {name} (0);\n}}\n"},
                              f"src/base/x.c:3: {name}:")

    def test_libraries_do_not_print(self):
        self.assert_found("banned.py", {"src/core/x.c": 'void f(void) { printf("x"); }\n'}, "printf")
        self.assert_clean("banned.py", {"src/cli/x.c": 'void f(void) { printf("x"); }\n'})

    def test_what_is_no_call(self):
        self.assert_clean("banned.py", {"pkcs11/x.c": (
            "/* strcpy( */ // system(\nint f(void)\n{\n"
            '    log("atoi(x)", gmtime_r(a, b), ops->system(c), ops.popen(d), my_strcpy(e), \'"\');\n}\n')})


class Size(LintTest):
    def body(self, n_lines):
        return "static int\nf(struct x *x)\n{\n" + "    g();\n" * (n_lines - 4) + "}\n"

    def test_function(self):
        self.assert_clean("size.py", {"src/base/x.c": self.body(100) + "int g(void)\n{\n}\n"})
        self.assert_found("size.py", {"src/base/x.c": "int a;\n\n" + self.body(101)}, "src/base/x.c:3: f has 101 lines")

    def test_a_table_is_no_function(self):
        self.assert_clean("size.py", {"src/base/x.c": "static const int t[] = {\n" + "    1,\n" * 200 + "};\n"})

    def test_braces_in_strings_and_macros(self):
        self.assert_clean("size.py", {"src/base/x.c": (
            "#define OPEN {\nint f(void)\n{\n    g(\"{\", '{');\n}\n" + "int x;\n" * 150)})

    def test_file(self):
        self.assert_clean("size.py", {"tests/x.py": "x\n" * 500})
        self.assert_found("size.py", {"tests/x.py": "x\n" * 501}, "501 lines")


class Headers(LintTest):
    def test_alone(self):
        self.assert_clean("headers.sh", {"include/keystay/x.h": "#include <stdint.h>\nuint8_t f(void);\n"})
        self.assert_found("headers.sh", {"include/keystay/x.h": "uint8_t f(void);\n"}, "x.h does not compile alone")

    def test_cplusplus(self):
        self.assert_found("headers.sh", {"include/keystay/x.h": "void f(int class);\n"}, "-std=c++17")


if __name__ == "__main__":
    unittest.main(verbosity=1)
