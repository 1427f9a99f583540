"""Every page of the console, the right that it asks for, and what answers: the one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from stillwatch.console import (
    account,
    acting,
    attached,
    bulk,
    case,
    door,
    ledger,
    links,
    office,
    overview,
    packs,
    pictures,
    queue,
    requests,
    tested,
    top,
)
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.rights import NOBODY

__all__ = ["PAGES", "Page"]


@dataclass(frozen=True)
class Page:
    """One address. ``kept``: that it was read is written down. ``upload``: a form with a file."""

    method: str
    path: str
    name: str
    right: str
    handler: Callable[[Desk, Visit], Response]
    kept: bool = True
    upload: bool = False


PAGES: Final = (
    Page("GET", "/login", "login", NOBODY, door.show_login, kept=False),
    Page("POST", "/login", "login.enter", NOBODY, door.enter, kept=False),
    Page("GET", "/oidc/login", "oidc.login", NOBODY, door.to_provider, kept=False),
    Page("GET", "/oidc/callback", "oidc.callback", NOBODY, door.from_provider, kept=False),
    Page("POST", "/logout", "logout", "inside", door.leave),
    Page("GET", "/password", "password", "inside", door.show_password, kept=False),
    Page("POST", "/password", "password.set", "inside", door.set_password),
    Page("POST", "/factor/begin", "factor.begin", "inside", door.begin_second),
    Page("POST", "/factor/set", "factor.set", "inside", door.set_second),
    Page("POST", "/factor/drop", "factor.drop", "inside", door.drop_second),
    Page("POST", "/zone", "zone.set", "inside", door.set_zone),
    Page("GET", "/", "queue", "see", queue.show_queue),
    Page("POST", "/queue/assign", "queue.assign", "work", queue.assign_many),
    Page("POST", "/queue/close", "queue.close", "work", queue.close_many),
    Page("POST", "/queue/next", "queue.next", "work", queue.take_next),
    Page("POST", "/queue/weigh", "queue.weigh", "decide", bulk.weigh_many),
    Page("POST", "/queue/decide", "queue.decide", "decide", bulk.decide_many),
    Page("POST", "/decisions/undo", "decisions.undo", "undo", bulk.undo_many),
    Page("POST", "/views/save", "views.save", "see", queue.save_view),
    Page("POST", "/views/drop", "views.drop", "see", queue.forget_view),
    Page("POST", "/cases/{case}/skip", "case.skip", "work", queue.skip_one),
    Page("GET", "/cases/{case}", "case", "see", case.show_case),
    Page("GET", "/cases/{case}/members", "case.members", "see_accounts", case.show_members),
    Page("GET", "/cases/{case}/requests", "case.requests", "see_accounts",
         requests.show_requests),
    Page("GET", "/cases/{case}/raster", "case.raster", "see", pictures.show_raster),
    Page("GET", "/cases/{case}/links", "case.links", "see_accounts", links.show_links),
    Page("POST", "/cases/{case}/pair", "case.pair", "see_accounts", links.show_pair),
    Page("GET", "/cases/{case}/whatif", "case.whatif", "see_accounts", links.show_whatif),
    Page("GET", "/cases/{case}/traffic", "case.traffic", "see", pictures.show_traffic),
    Page("POST", "/cases/{case}/weigh", "case.weigh", "decide", acting.weigh),
    Page("POST", "/cases/{case}/decide", "case.decide", "decide", acting.take),
    Page("POST", "/cases/{case}/note", "case.note", "work", acting.note),
    Page("POST", "/cases/{case}/assign", "case.assign", "work", acting.assign_one),
    Page("POST", "/cases/{case}/close", "case.close", "work", acting.close_one),
    Page("GET", "/cases/{case}/pack", "case.pack", "pack_internal", packs.show_packs),
    Page("POST", "/cases/{case}/pack", "case.pack.make", "pack_internal", packs.make_pack),
    Page("POST", "/cases/{case}/attach", "case.attach", "attach", attached.attach_one, upload=True),
    Page("GET", "/attachments/{attachment}", "attachment", "see_accounts", attached.send),
    Page("POST", "/attachments/{attachment}/remove", "attachment.remove", "detach",
         attached.remove),
    Page("POST", "/decisions/{decision}/approve", "decision.approve", "approve", acting.second),
    Page("POST", "/decisions/{decision}/undo", "decision.undo", "undo", acting.take_back),
    Page("POST", "/decisions/{decision}/appeal", "decision.appeal", "enter_appeal",
         acting.enter_appeal),
    Page("GET", "/decisions/{decision}/notice/{ref}", "decision.notice", "see_accounts",
         account.show_notice),
    Page("POST", "/appeals/{appeal}/resolve", "appeal.resolve", "hear_appeal", acting.hear),
    Page("POST", "/accounts/find", "account.find", "see_accounts", account.find),
    Page("GET", "/accounts/{ref}", "account", "see_accounts", account.show_account),
    Page("POST", "/accounts/{ref}/label", "account.label", "work", account.label_one),
    Page("POST", "/accounts/{ref}/note", "account.note", "work", account.note_one),
    Page("GET", "/overview", "overview", "see", overview.show_overview),
    Page("POST", "/overview/value", "overview.value", "see", overview.reckon),
    Page("GET", "/overview.csv", "overview.csv", "see", overview.as_csv),
    Page("GET", "/overview.html", "overview.html", "see", overview.as_page),
    Page("GET", "/cases.ocsf.jsonl", "cases.ocsf", "see", overview.as_ocsf),
    Page("GET", "/top", "top", "see", top.show_top),
    Page("GET", "/top.csv", "top.csv", "see", top.top_as_csv),
    Page("GET", "/tests", "tests", "see", tested.show_tests),
    Page("GET", "/decisions", "ledger", "see", ledger.show_ledger),
    Page("GET", "/decisions.csv", "ledger.csv", "see", ledger.as_csv),
    Page("GET", "/run/report.html", "run.report", "see_accounts", packs.send_report),
    Page("GET", "/run/stix.json", "run.stix", "see", packs.send_stix),
    Page("GET", "/reads", "reads", "read_audit", office.show_reads),
    Page("GET", "/reads.csv", "reads.csv", "read_audit", office.reads_as_csv),
    Page("GET", "/people", "people", "people", office.show_people),
    Page("POST", "/people/add", "people.add", "people", office.add),
    Page("POST", "/people/change", "people.change", "people", office.change),
)  # fmt: skip
