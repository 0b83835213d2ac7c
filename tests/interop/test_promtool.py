# SPDX-License-Identifier: Apache-2.0
"""/metrics as Prometheus itself judges them, with promtool: what it would only advise against is a fault too."""

import subprocess

import unpacked
from cli import OTHER_CLIENT, RESOURCE
from identities import PATIENCE_S, entra, server, start  # noqa: F401, fixtures among them

ODD = 'a"quoted"\\n\\one'
FAILING = {
    "unknown": {"client_id": OTHER_CLIENT},
    "away": {"authority": "https://127.0.0.1:1", "timeout": "1"},
    "keyless": {"key": "pkcs11:object=other"},
}


def judge(agent):
    """What promtool finds is empty; hands back what it read."""
    answer = agent.get("/metrics")
    assert answer.status == 200, answer
    done = subprocess.run([unpacked.program("promtool"), "check", "metrics"], input=answer.body, capture_output=True,
                          check=False, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), (done, answer.body)
    return answer.body.decode()


def test_promtool_finds_what_it_would_advise_against():
    """Were it silent about everything, the others would say nothing."""
    named_badly = b"# HELP keystay_requests A counter.\n# TYPE keystay_requests counter\nkeystay_requests 1\n"
    done = subprocess.run([unpacked.program("promtool"), "check", "metrics"], input=named_badly, capture_output=True,
                          check=False, timeout=PATIENCE_S)
    assert done.returncode != 0 and b"_total" in done.stdout + done.stderr


def test_a_fresh_agent(start):  # noqa: F811
    agent, _ = start(profiles={"main": {}, ODD: {}})
    text = judge(agent)
    assert 'keystay_requests_total{result="held"} 0' in text


def test_after_tokens_were_handed_out(start):  # noqa: F811
    agent, env = start()
    header = {"X-IDENTITY-HEADER": env["IDENTITY_HEADER"]}
    for resource in (RESOURCE, RESOURCE, "https://vault.example"):
        assert agent.tcp(f"/MSI/token?api-version=2019-08-01&resource={resource}", header).token
    text = judge(agent)
    assert 'keystay_tokens{profile="main"} 2' in text and "keystay_token_expiry_seconds{" in text


def test_after_failures(start):  # noqa: F811
    agent, env = start(profiles={"main": {}} | FAILING)
    for name in FAILING:
        assert agent.get(f"/v1/token?profile={name}").status != 200
    assert agent.tcp("/MSI/token?api-version=2019-08-01&resource=x", {"X-IDENTITY-HEADER": "A" * 43}).status == 403
    text = judge(agent)
    assert 'keystay_requests_total{result="failed"} 3' in text and 'keystay_requests_total{result="refused"} 1' in text
