"""Single requests: which are shown, by what filters, and to whom."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from stillwatch.console.requests import days_told
from stillwatch.store.index import Asked


def rows_of(response) -> list[str]:
    body = response.text.partition("<tbody>")[2].partition("</tbody>")[0]
    return re.findall(r"<tr>.*?</tr>", body, re.DOTALL)


@pytest.fixture
def listed(inside, big_case):
    ana = inside("Ana")
    return lambda query="": ana.get(f"/cases/{big_case}/requests{query}")


def test_only_requests_of_the_cases_members_are_listed_newest_first(listed, desk, big_case):
    line = desk.line(big_case)
    members = {m["account_id"] for m in desk.index.members(line.campaign_id)[0]}
    text = listed().text
    assert "acct-nobody" not in text
    times = re.findall(r"2026-03-2\d \d\d:\d\d:00 UTC", text)
    assert times == sorted(times, reverse=True)
    assert len(times) == 25
    held, total = desk.index.requests.page(line.campaign_id, Asked(), most=1_000)
    assert {row["account_id"] for row in held} <= members
    assert total == 3 * min(60, len(members))
    last = rows_of(listed(f"?page={-(-total // 25)}"))
    assert len(last) == (total - 1) % 25 + 1


@pytest.mark.parametrize(
    ("query", "share"),
    [("model=lumen-5", 1), ("status=refused", 1), ("template=1", 1), ("template=0", 2),
     ("method=cot_exfiltration", 1), ("method=relay", 0), ("template=2", 0), ("model=none", 0),
     ("since=2026-03-29T00:00", 1), ("until=2026-03-29T00:00", 2), ("status=ok&template=0", 1),
     ("template=x", 3), ("method=<b>", 3), ("page=9999999", 3)],
)  # fmt: skip
def test_each_filter_leaves_what_it_says(listed, query, share):
    def total(response) -> int:
        found = re.search(r"of ([\d,]+).request|No request", response.text.partition("pager")[2])
        assert found is not None
        return int((found[1] or "0").replace(",", ""))

    assert listed().status_code == 200
    assert total(listed(f"?{query}")) * 3 == total(listed()) * share


def test_a_payload_is_told_by_its_code_and_how_often_it_came(listed):
    carried = rows_of(listed("?template=1"))[0]
    code = re.search(r"payload=([0-9a-f]+)", carried)
    assert code is not None
    assert code[1].startswith("fedcba98")
    assert len(rows_of(listed(f"?payload={code[1]}"))) == 2
    for none in ("zz", "-1", "0x1", "f" * 40):
        assert "No request" in listed(f"?payload={none}").text
    refused = rows_of(listed("?status=refused"))[0]
    assert " once" in refused


def test_one_accounts_requests_stand_on_its_page_without_its_name_in_an_address(
    inside, desk, big_case
):
    ana, line = inside("Ana"), desk.line(big_case)
    account = desk.index.members(line.campaign_id)[0][0]["account_id"]
    ref = desk.index.ref(account)
    page = ana.get(f"/accounts/{ref}").text
    address = f"/cases/{big_case}/requests?of={ref}"
    assert address in page
    assert account not in address
    assert len(rows_of(ana.get(address))) == 3
    assert ana.get(f"/cases/{big_case}/requests?of=nobody").status_code == 404


def test_a_day_is_told_beside_the_usual_one(inside, desk, big_case):
    line = desk.line(big_case)
    account = desk.index.members(line.campaign_id)[0][0]["account_id"]
    told = days_told(desk.index.requests, line.campaign_id, account, "2026-03-29T23:00:00Z")
    assert (told["requests"], told["output_tokens"]) == (1, 80)
    assert (told["span"], told["usual_requests"], told["usual_tokens"]) == (1, 2, 40)
    later = days_told(desk.index.requests, line.campaign_id, account, "2026-03-31T00:00:00Z")
    assert (later["requests"], later["span"], later["usual_requests"]) == (0, 3, 1)
    assert days_told(desk.index.requests, line.campaign_id, "acct-nobody", "2026-03-29") == {}
    page = inside("Ana").get(f"/accounts/{desk.index.ref(account)}").text
    assert "a day before" in page


def test_a_run_without_exchanges_says_so(inside, desk, big_case):
    desk.index.__dict__["requests"] = None
    assert "kept no table of exchanges" in inside("Ana").get(f"/cases/{big_case}/requests").text


def test_a_time_that_is_none_is_refused(listed):
    assert listed("?since=yesterday").status_code == 422


def test_every_page_holds_the_next_of_one_order_and_no_request_is_missed(desk, big_case):
    held = desk.index.requests
    for line in desk.lines():
        name = line.campaign_id
        for asked in (
            Asked(),
            Asked(model="lumen-5"),
            Asked(status="refused"),
            Asked(model="none"),
        ):
            every, total = held.page(name, asked, most=100_000)
            assert len(every) == total
            times = [row["ts"] for row in every]
            assert times == sorted(times, reverse=True)
            assert len({row["exchange_id"] for row in every}) == total
            pages = [held.page(name, asked, first=k, most=7)[0] for k in range(0, total + 8, 7)]
            assert [row for page in pages for row in page] == every
            tally = Counter(row["payload"] for row in held.page(name, Asked(), most=100_000)[0])
            assert all(row["alike"] == tally[row["payload"]] for row in every)
