# SPDX-License-Identifier: Apache-2.0
"""The virtual card for the tests: one for the session, as good as new for each test. And the programs that use it."""

import os

import pytest
from cryptography import x509

import pivcard
import program
from virtualcard import VirtualCard


@pytest.fixture(scope="session")
def running_card(tmp_path_factory):
    lacks = [] if "PIVCARD_CONTROL" in os.environ else pivcard.missing()
    if lacks:
        pytest.skip(f"needs {', '.join(lacks)}")
    with VirtualCard(tmp_path_factory.mktemp("piv"), os.environ.get("PIVCARD_KEYS")) as card:
        os.environ.update(card.environment())  # modules in this process look here too
        yield card


@pytest.fixture
def card(running_card):
    running_card.control.renew()
    running_card.control.counters(reset=True)
    return running_card


@pytest.fixture(scope="session")
def certificate(running_card):
    """The one of a slot, as it is on the card."""
    return lambda slot: x509.load_pem_x509_certificate(running_card.certificate_pem(slot))


@pytest.fixture(scope="session")
def built():
    """keystay and hold; the rest of the tests is about the card alone."""
    lacks = program.missing()
    if lacks:
        pytest.skip(f"needs {', '.join(lacks)}: meson test --suite piv sets them")


@pytest.fixture
def keystay(card, built, tmp_path):
    """keystay with one of the modules: keystay("opensc").sign("9a")"""
    return lambda module: program.Program(card, module, tmp_path)
