# SPDX-License-Identifier: Apache-2.0
"""What is fetched is pinned by digest, from whichever registry the machine is set up for."""

import json
import pathlib

HERE = pathlib.Path(__file__).parent


def _locked():
    return json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))["packages"]


def test_every_package_has_a_digest_and_no_address():
    packages = {path: package for path, package in _locked().items() if path}
    assert packages
    for path, package in packages.items():
        assert package["integrity"].startswith("sha512-"), path
        assert "resolved" not in package, path


def test_what_is_asked_for_is_one_version():
    wanted = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    for name, version in wanted.items():
        assert _locked()[f"node_modules/{name}"]["version"] == version
