# SPDX-License-Identifier: Apache-2.0
"""/metrics as Prometheus reads it, judged by its client's own code; what the status says of the same."""

import json
import os
import subprocess
import sys
import time

import pytest

OPEN = "application/openmetrics-text; version=1.0.0"
# As Prometheus 2 asks.
ACCEPT = OPEN + ",application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
PARSE = """
import json, sys
from prometheus_client.{}parser import text_string_to_metric_families
text = sys.stdin.read()
families = text_string_to_metric_families(text)
json.dump([[f.name, f.type, [[s.name, s.labels, s.value] for s in f.samples]] for f in families], sys.stdout)
"""


def parse(answer, module):
    """By the parser of Prometheus's client for Python, from whichever python3 has it."""
    for python in (sys.executable, "/usr/bin/python3"):
        done = subprocess.run([python, "-c", PARSE.format(module)], input=answer.body, capture_output=True, timeout=60)
        if b"No module named" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr.decode()
    return {name: (kind, samples) for name, kind, samples in json.loads(done.stdout)}


class Metrics:
    def __init__(self, agent):
        answer = agent.get("/metrics", {"Accept": ACCEPT})
        assert (answer.status, answer.headers["content-type"]) == (200, OPEN + "; charset=utf-8"), answer
        assert answer.body.endswith(b"\n# EOF\n")
        self.families = parse(answer, "openmetrics.")

    def value(self, name, **labels):
        values = [value for _, samples in self.families.values() for sample, its, value in samples
                  if sample == name and its == labels]
        assert len(values) == 1, (name, labels, values)
        return values[0]

    def has(self, name):
        return any(sample == name for _, samples in self.families.values() for sample, _, _ in samples)


def test_prometheus_reads_both_forms(start):
    odd = 'a"quoted"\\n\\one'
    agent = start(profiles={"main": {}, odd: {}})
    agent.token()
    metrics = Metrics(agent)
    assert metrics.value("keystay_tokens", profile=odd) == 0
    kinds = {name: kind for name, (kind, _) in metrics.families.items()}
    plain = agent.get("/metrics")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8" and b"# EOF" not in plain.body
    assert {name: kind for name, (kind, _) in parse(plain, "").items()} == kinds
    assert kinds["keystay_requests"] == "counter" and kinds["keystay_signature_seconds"] == "histogram"


def test_what_is_counted(start):
    agent = start(profiles={"main": {}, "away": {"authority": "https://127.0.0.1:1", "timeout": 1}})
    before = Metrics(agent)
    assert before.value("keystay_tokens", profile="main") == 0
    assert not before.has("keystay_token_expiry_seconds") and not before.has("keystay_certificate_expiry_seconds")
    assert before.value("keystay_key_state", profile="main", state="idle") == 1
    for _ in range(5):
        agent.token()
    agent.token(scope="https://vault.example/.default")
    assert agent.get("/v1/assertion?profile=main").status == 403
    assert agent.get("/v1/token?profile=away").status == 503
    after = Metrics(agent)
    results = {result: after.value("keystay_requests_total", result=result)
               for result in ("held", "new", "failed", "refused")}
    assert results == {"held": 4, "new": 2, "failed": 1, "refused": 1}
    assert after.value("keystay_open_seconds_count", profile="main") == 1
    signatures = after.value("keystay_signature_seconds_count", profile="main")
    assert signatures >= 1 and after.value("keystay_signature_seconds_sum", profile="main") > 0
    assert after.value("keystay_signature_seconds_bucket", profile="main", le="+Inf") == signatures
    assert after.value("keystay_exchange_seconds_count", profile="main") >= 2
    assert after.value("keystay_exchange_failures_total", profile="away") >= 1
    assert after.value("keystay_exchange_failures_total", profile="main") == 0
    assert after.value("keystay_key_failures_total", profile="main") == 0
    assert after.value("keystay_tokens", profile="main") == 2
    assert 0 < after.value("keystay_token_expiry_seconds", profile="main") <= 3600
    assert after.value("keystay_certificate_expiry_seconds", profile="main") > 24 * 60 * 60
    assert after.value("keystay_key_state", profile="main", state="ready") == 1
    assert after.value("keystay_key_state", profile="main", state="idle") == 0
    assert after.value("keystay_callers") == 2 and after.value("keystay_connections") >= 1
    assert abs(after.value("process_start_time_seconds") - time.time()) < 60


def test_a_pin_that_was_refused_is_seen(start, main_folder):
    agent = start(profiles={"main": {"pin_source": f"file:{main_folder.write('metrics-pin', '98765432')}"}})
    assert agent.get("/v1/token?profile=main").status == 403
    metrics = Metrics(agent)
    assert metrics.value("keystay_key_state", profile="main", state="pin wrong") == 1
    assert metrics.value("keystay_key_failures_total", profile="main") == 1


def test_over_tcp(start):
    agent = start(agent={"listen": "127.0.0.1:0"})
    assert agent.tcp("/metrics", {"Accept": ACCEPT}).headers["content-type"].startswith(OPEN)
    assert agent.tcp("/metrics", host="elsewhere.example").status == 403


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("named", [False, True])
def test_for_whom_they_are(start, named):
    agent = start(agent={"listen": "127.0.0.1:0"} | ({"metrics_user": "www-data"} if named else {}))
    host, port = agent.address()
    done = subprocess.run(
        ["setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups",
         "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"http://{host}:{port}/metrics"],
        capture_output=True, text=True, timeout=60)
    assert done.stdout == ("200" if named else "403"), done
    assert ("refused: metrics for user 33" in agent.log()) == (not named)


def test_the_status_lists_tokens_and_failures(start):
    scope = "https://vault.example/.default"
    agent = start(profiles={"main": {}, "bad": {"client_id": "11111111-2222-3333-4444-555555555555"}})
    agent.token(scope=scope)
    assert agent.get("/v1/token?profile=bad").status == 400
    token, = agent.profile()["valid_tokens"]
    assert token["for"] == scope and 0 < token["seconds_left"] <= 3600
    assert abs(token["ends"] - time.time() - token["seconds_left"]) < 30
    assert "last_failure" not in agent.profile() and len(agent.status()["callers"]) == 1
    failure = agent.profile("bad")["last_failure"]
    assert failure["status"] == "server_refused" and failure["message"] and abs(failure["at"] - time.time()) < 30
    assert agent.profile("bad")["valid_tokens"] == []


def test_the_status_lists_no_more_than_64_tokens(start):
    agent = start()
    for i in range(70):
        agent.token(scope=f"api://{i}/.default")
    profile = agent.profile()
    assert profile["tokens"] == 70 and len(profile["valid_tokens"]) == 64
