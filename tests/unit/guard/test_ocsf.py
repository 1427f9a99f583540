"""Decisions as OCSF events, each checked against the published schema of OCSF 1.8.0.

The schema is the one that the package ocsf-json-schema carries, with no field beside those that
the class, its objects and the profile *security_control* know.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from ocsf_json_schema.embedded import OcsfJsonSchemaEmbedded
from ocsf_json_schema.loader import get_ocsf_schema

from stillwatch.guard import Decision, Request, Service, Serving, write_snapshot
from stillwatch.guard.records import Noted, decision_line, ocsf_event
from stillwatch.policy import Ladder
from stillwatch.policy.ladder import EVIDENCE_LEVELS
from stillwatch.schema import VERDICTS
from stillwatch.schema.snapshot import subject_key

from .conftest import HOUR, SALT, SMALL, T0, ordered, snapshot


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    return get_ocsf_schema("1.8.0")


@pytest.fixture(scope="module")
def valid(published):
    made = OcsfJsonSchemaEmbedded(published).get_class_schema(
        "detection_finding", ["security_control"]
    )
    assert made["additionalProperties"] is False
    checker = jsonschema.Draft202012Validator(made)
    return lambda event: [error.message for error in checker.iter_errors(event)]


def decisions():
    levels = ("", "access", *EVIDENCE_LEVELS)
    for would, mode, level in itertools.product(
        VERDICTS[1:], ("off", "shadow", "canary", "enforce", "fail"), levels
    ):
        verdict = {"off": "allow", "shadow": "watch", "canary": "watch"}.get(mode, would)
        name = None if level in ("", "access") else "c-1"
        yield Decision(verdict, ("member of c-1", "why"), name, 0, "n-1f", mode, would, 0, level,
                       ("frame",), 0xABC, "c0ffee" if level == "access" else "")  # fmt: skip


def test_every_decision_is_a_valid_detection_finding(valid):
    events = [ocsf_event(Noted(T0, one, "decide", snapshot())) for one in decisions()]
    assert len(events) == 150
    for event in events:
        assert valid(event) == []
        assert valid(json.loads(json.dumps(event))) == []


def test_the_check_is_no_formality(valid):
    event = ocsf_event(Noted(T0, next(decisions()), "decide", snapshot()))
    assert valid({**event, "prompt": "secret"})
    assert valid({**event, "severity_id": 42})
    assert valid({k: v for k, v in event.items() if k != "finding_info"})


def test_names_beside_numbers_are_the_schemas_own(published):
    names = published["classes"]["detection_finding"]["attributes"]
    for one in decisions():
        event = ocsf_event(Noted(T0, one, "decide", snapshot()))
        for key in ("action", "disposition", "severity", "status"):
            number = str(event[f"{key}_id"])
            assert names[f"{key}_id"]["enum"][number]["caption"] == event[key]
        assert event["activity_name"] == names["activity_id"]["enum"]["1"]["caption"]
    kinds = published["objects"]["analytic"]["attributes"]["type_id"]["enum"]
    assert kinds["1"]["caption"] == "Rule"


def test_what_was_done_and_what_would_be_are_kept_apart():
    shadow = Decision("watch", ("r",), "c-1", 0, "n-1", "shadow", "deny", 0, "member", (), 1)
    told = ocsf_event(Noted(T0, shadow, "decide", snapshot()))
    assert (told["action"], told["is_alert"], told["severity"]) == ("Observed", False, "Medium")
    denied = shadow._replace(verdict="deny", mode="enforce")
    told = ocsf_event(Noted(T0, denied, "decide", snapshot()))
    assert (told["action"], told["disposition"], told["is_alert"]) == ("Denied", "Blocked", True)
    assert told["time"] == T0 // 1000


def test_an_ownership_answer_is_told_as_a_policy_and_no_attack():
    owned = Decision("deny", ("r",), "c-1", 0, "n-1", "enforce", "deny", 0, "access", (), 1, "c0f")
    told = ocsf_event(Noted(T0, owned, "decide", snapshot()))
    related = [(e["uid"], e["type"]) for e in told["finding_info"]["related_events"]]
    assert related == [("c0f", "citation"), ("c-1", "campaign")]
    assert told["finding_info"]["title"] == "Ownership policy"
    assert "attacks" not in told["finding_info"]


def test_a_guard_writes_both_logs_and_neither_holds_an_identifier(tmp_path, key_files, valid):
    private, public = key_files
    write_snapshot(tmp_path / "s.json", ordered("deny"), private)
    log, ocsf = tmp_path / "d.jsonl", tmp_path / "o.jsonl"
    service = Service(
        Serving(tmp_path / "s.json", (public,), capacity=SMALL, decision_log=log, ocsf_log=ocsf),
        clock_us=lambda: T0 + HOUR,
    )
    for account in ("bad-1", "good", "bad-2"):
        service.decide(Request(T0, account, org_id="org-secret", end_user_id="eu-9"), "decide")
    service.flush_log()
    service.flush_log()
    lines, events = (f.read_text().splitlines() for f in (log, ocsf))
    assert len(lines) == len(events) == 2
    for line, event in zip(map(json.loads, lines), map(json.loads, events), strict=True):
        assert valid(event) == []
        assert event["metadata"]["uid"] == line["decision_id"]
        (who,) = event["evidences"]
        assert who["actor"]["user"]["uid"] == line["subject"]
    assert json.loads(lines[0])["subject"] == f"{subject_key(SALT, 'bad-1'):016x}"
    for word in ("bad-1", "org-secret", "eu-9"):
        assert word not in log.read_text() + ocsf.read_text()


def test_the_line_of_the_log_says_which_snapshot_it_was_taken_by():
    decision = next(decisions())
    made = replace(snapshot(Ladder()), version=7, source="ab" * 32)
    line = json.loads(decision_line(Noted(T0, decision, "authz", made)))
    assert (line["snapshot_version"], line["snapshot_source"]) == (7, "ab" * 8)
