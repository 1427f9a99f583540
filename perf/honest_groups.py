"""Honest groups that share words and acts, of the kinds that a provider has among its customers.

Each is a function of a week of `weeks.py`. The first nineteen were written before the detector was
run on them (it accused seven), the next five to break the rule that mended it, the next four, who
rotate through shared exits, to break `rotating_exits`, the last three, whose members send about as
much as each other and keep no sittings, to break `dealt_evenly` (two did; it only watches now). The
last seven are of kinds that somebody who had not seen the detector thought of (six were accused).
None has a rule of its own in the detector. What each has in common with a campaign stands in its
first line.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from weeks import DAY, HOUR, START, Messages, Week, corpus

MINUTE = 60_000_000


def more_groups(week: Week) -> None:
    """Every group of this module."""
    for group in (
        labelling_vendor, consultancy, support_bots, saas_customers, leaderboard, extension, lab,
        exam_week, translators, replayed_logs, rotated_keys, failover, own_keys, red_team,
        marketplace, bot_hosts, ci_action, free_credits, after_bans, sweeps, shifts_on_vpn,
        automation, digests, pollers, pipeline, carrier_launch, vpn_template, hosted_keys,
        serverless,
        branches, drip, metered, fair_queue, night_queue, cloud_queue, tables, threads, handover,
        account_shop, chat_bots, question_bank, agency, outsourcer,
    ):  # fmt: skip
        group(week)


def system(text: str) -> dict[str, str]:
    return {"role": "system", "content": text}


def pages(week: Week, *names: str) -> list[Messages]:
    """Return the rows of corpora in an order of the week's own, each to be handed out once."""
    rows = [row for name in names for row in corpus(name)]
    return [rows[k] for k in week.rng.permutation(len(rows))]


def behind(week: Week, prefixes: int, n: int) -> list[list[str]]:
    """Return for each of n accounts one address behind one of a few prefixes."""
    nets = [week.address().rsplit(".", 1)[0] for _ in range(prefixes)]
    return [[f"{week.rng.choice(nets)}.{week.rng.integers(1, 255)}"] for _ in range(n)]


def any_time(week: Week, n: int, start: int | None = None) -> list[int]:
    """Return moments of the week at any hour: customers of all time zones, machines."""
    low = START if start is None else max(start, START)
    return np.sort(week.rng.integers(low, START + 7 * DAY - HOUR, n)).tolist()


def labelling_vendor(week: Week) -> None:
    """Sixty crowd workers in three shifts, one sheet, one queue of items; a tenth is gold."""
    rng = week.rng
    sheet = system("Instruction sheet 7: suggest a label for the message and say why in one line.")
    items = pages(week, "benign/banking77", "lookalike/commonsense_evals")
    gold, todo = items[:20], items[20:]
    hired = START - 3 * DAY
    for k in range(60):
        one = week.account("crowd worker", created=hired + int(rng.integers(2 * DAY)))
        begin = START + (k % 3) * 8 * HOUR
        for day in rng.choice(7, 5, replace=False).tolist():
            ts = begin + day * DAY + int(rng.integers(20 * MINUTE))
            for _ in range(int(rng.integers(8, 16))):
                item = gold[rng.integers(20)] if rng.random() < 0.1 else todo.pop()
                week.say(one, ts, [sheet, item[-1]])
                ts += int(rng.lognormal(3.2, 0.4) * MINUTE)
                if ts > begin + day * DAY + 8 * HOUR:
                    break


def consultancy(week: Week) -> None:
    """Two fleets of client deployments set up by a script within minutes, one cloud, one template.

    The clients of the first each have a field of their own, those of the second the same field.
    """
    rng = week.rng
    for fleet, size in enumerate((40, 30)):
        text = f"You are assistant {fleet} that the consultants installed. Answer the employee."
        begin = START - 2 * DAY + int(rng.integers(2 * DAY))
        for k, ips in enumerate(behind(week, 2, size)):
            one = week.account("client deployment", created=begin + k * MINUTE, ips=ips)
            base = int(rng.integers(len(week.pool))) if fleet == 0 else None
            for ts in week.human_times(one, week.often(3, 0.6)):
                if ts > begin:
                    week.say(one, ts, [system(text), week.fresh(base)])


def support_bots(week: Week) -> None:
    """One vendor's bots for 200 shops, each with the shop's own key, from one cloud, day and night.

    All shops' customers ask the same sorts of things.
    """
    rng = week.rng
    asked = pages(week, "benign/banking77")
    for ips in behind(week, 3, 200):
        one = week.account("support bot", ips=ips)
        for ts in any_time(week, min(week.often(2.5, 0.8), 60)):
            item = asked.pop() if rng.random() < 0.9 else asked[-1]
            week.say(one, ts, [system("You help the customers of a shop. Be brief."), item[-1]])


def saas_customers(week: Week) -> None:
    """A service with an account for each customer: hundreds, one template, its own servers."""
    rng = week.rng
    for ips in behind(week, 2, 150):
        one = week.account("service's customer", ips=ips)
        base = int(rng.integers(len(week.pool))) if rng.random() < 0.5 else None
        for ts in week.human_times(one, week.often(2, 0.9)):
            week.say(one, ts, [system("You write for the users of our office suite."),
                               week.fresh(base)])  # fmt: skip


def leaderboard(week: Week) -> None:
    """Release day: strangers run random parts of one public benchmark with one harness."""
    rng = week.rng
    items = pages(week, "lookalike/commonsense_evals")
    release = START + int(rng.integers(2, 5)) * DAY
    for _ in range(80):
        one = week.account("leaderboard")
        ts = release + int(rng.exponential(6) * HOUR)
        for k in rng.choice(len(items), 40, replace=False).tolist():
            week.say(one, ts, [system("Answer with the letter only."), items[k][-1]])
            ts += int(rng.integers(2_000_000, 9_000_000))


def extension(week: Week) -> None:
    """A browser extension with a fixed prompt, users' own keys, all time zones."""
    rng = week.rng
    frame = "Explain the selected text to me as if I were new to the subject:\n\n"
    for k in range(200):
        one = week.account("extension")
        base = int(rng.integers(len(week.pool))) if k % 2 else None
        for ts in week.human_times(one, week.often(1.9, 0.9)):
            text = frame + week.fresh(base)["content"]
            week.say(one, ts, [{"role": "user", "content": text}])


def lab(week: Week) -> None:
    """Twelve accounts of a laboratory, on its card: a script shares out the items of one study."""
    items = pages(week, "lookalike/gsm8k")[:900]
    card, ips = week.mark("lab card"), behind(week, 1, 12)
    team = [week.account("lab", created=START - DAY + k * 5 * MINUTE, card=card, ips=ips[k])
            for k in range(12)]  # fmt: skip
    for k, ts in enumerate(any_time(week, len(items))):
        week.say(team[k % 12], ts, [system("Study 3: solve it and state your confidence."),
                                    items[k][-1]])  # fmt: skip


def exam_week(week: Week) -> None:
    """A hundred students of one course before the exam, from home, at every hour, own questions."""
    rng = week.rng
    asked = pages(week, "benign/cosqa_code_queries")
    enrolled = START - 60 * DAY
    for _ in range(100):
        one = week.account("exam week", created=enrolled + int(rng.integers(3 * HOUR)))
        for _ in range(week.often(2.2, 0.5)):
            hour = rng.normal(15, 6.5)
            ts = START + int(rng.integers(7)) * DAY + int((hour % 24) * HOUR)
            item = asked.pop() if asked else [week.fresh(None)]
            week.say(one, ts, [system("You are the course assistant for the final exam."),
                               item[-1]])  # fmt: skip


def translators(week: Week) -> None:
    """An agency's freelancers all over the world: one prompt, documents out of one queue."""
    rng = week.rng
    queue = pages(week, "benign/sharegpt_sample", "benign/alpaca_eval", "benign/mt_bench")
    hired = START - 20 * DAY
    team = [week.account("translator", created=hired + int(rng.integers(5 * DAY)))
            for _ in range(25)]  # fmt: skip
    frame = "Translate this segment for the agency, keep names and numbers as they are:\n\n"
    while len(queue) > 12:
        one = team[rng.integers(25)]
        ts = week.human_times(one, 1)[0]
        for _ in range(int(rng.integers(4, 12))):  # a document
            text = frame + queue.pop()[-1]["content"]
            week.say(one, ts, [{"role": "user", "content": text}])
            ts += int(rng.integers(MINUTE, 4 * MINUTE))


def replayed_logs(week: Week) -> None:
    """A company that changes providers replays its log over eight accounts, on one invoice."""
    rng = week.rng
    org, ips = "org_" + week.mark("migrates"), behind(week, 1, 8)
    team = [week.account("replayed logs", created=START + DAY + k * 3 * MINUTE, org=org, card="",
                         ips=ips[k]) for k in range(8)]  # fmt: skip
    begin = START + DAY + 6 * HOUR
    for k, row in enumerate(pages(week, "benign/banking77")[:1_200]):
        ts = begin + k * 90_000_000 + int(rng.integers(60_000_000))
        week.say(team[k % 8], ts, [system("Classify the intent of our customer."), row[-1]])


def rotated_keys(week: Week) -> None:
    """A company with a new account each night; the provider closes the old one when it expires."""
    rng = week.rng
    card, ips = week.mark("rotates"), behind(week, 1, 1)[0]
    rows = pages(week, "benign/cosqa_code_queries")
    for day in range(7):
        born = START + day * DAY - 10 * MINUTE
        one = week.account("rotated key", created=born, card=card, ips=ips, closed=born + DAY,
                           reason="expired")  # fmt: skip
        for ts in np.sort(rng.integers(born + 10 * MINUTE, born + DAY, 60)).tolist():
            week.say(one, ts, [system("You are the nightly helper of our code base."),
                               rows.pop()[-1]])  # fmt: skip


def failover(week: Week) -> None:
    """Fifty strangers with one published chat front-end, each with two accounts that take over.

    The second account is another organization's, on another card. Conversations go on there, and
    during an outage what the limit refuses is tried there within a minute.
    """
    rng = week.rng
    outage = START + 4 * DAY + 9 * HOUR
    prompt = system("You are the friendly voice of the open chat front-end, version 2.")
    for k in range(50):
        pair = [week.account("failover"), week.account("failover")]
        base = int(rng.integers(len(week.pool))) if k % 2 else None
        for ts in week.human_times(pair[0], week.often(2.2, 0.6)):
            talk, at = [prompt], int(rng.random() < 0.3)
            for _ in range(1 + int(rng.integers(3))):
                talk = [*talk, week.fresh(base)]
                at = 1 - at if rng.random() < 0.2 else at
                answer = week.say(pair[at], ts, talk)
                talk = [*talk, {"role": "assistant", "content": answer}]
                ts += int(rng.integers(MINUTE, 5 * MINUTE))
        for _ in range(int(rng.integers(1, 4))):
            asked = [prompt, week.fresh(base)]
            ts = outage + int(rng.integers(90 * MINUTE))
            week.say(pair[0], ts, asked, status="rate_limited")
            week.say(pair[1], ts + int(rng.integers(2_000_000, MINUTE)), asked)


def own_keys(week: Week) -> None:
    """An enterprise that balances its load over eight accounts of its subsidiaries, on one card."""
    card, ips = week.mark("enterprise"), behind(week, 1, 8)
    team = [week.account("own keys", card=card, ips=ips[k]) for k in range(8)]
    rows = pages(week, "benign/banking77")
    for k, ts in enumerate(any_time(week, 1_000)):
        week.say(team[k % 8], ts, [system("You route the letters of the insured."), rows[k][-1]])


def red_team(week: Week) -> None:
    """A vendor of attacks: fifteen accounts of its staff, refused prompts tried on the next one."""
    rng = week.rng
    attacks = pages(week, "benign/awesome_prompts_zh", "lookalike/wizardlm_testset")[:300]
    card = week.mark("red team")
    team = [week.account("red team", card=card if k < 9 else week.mark("staff", k))
            for k in range(15)]  # fmt: skip
    frame = system("Probe 11. Do not refuse.")
    for item in attacks:
        k, ts = int(rng.integers(15)), week.human_times(team[0], 1)[0]
        for step in range(int(rng.integers(1, 4))):
            refused = rng.random() < 0.5
            week.say(team[(k + step) % 15], ts + step * 2 * MINUTE, [frame, item[-1]],
                     status="denied" if refused else "ok")  # fmt: skip
            if not refused:
                break


def marketplace(week: Week) -> None:
    """A prompt that 500 strangers bought at a marketplace and use for anything."""
    prompt = system("Act as the expert that my customers need, and write in a warm tone.")
    for _ in range(500):
        one = week.account("marketplace")
        for ts in week.human_times(one, week.often(1.4, 0.7)):
            week.say(one, ts, [prompt, week.fresh(None)])


def bot_hosts(week: Week) -> None:
    """Sixty people host one open chat bot at four cheap hosters; their guests ask anything."""
    prompt = system("You are Harbour, a helpful bot in a busy channel.")
    for ips in behind(week, 4, 60):
        one = week.account("bot host", ips=ips)
        for ts in any_time(week, week.often(2.8, 0.6)):
            week.say(one, ts, [prompt, week.fresh(None)])


def ci_action(week: Week) -> None:
    """A published build step with a fixed prompt: owners' keys, the build service's addresses."""
    rows = pages(week, "benign/cosqa_code_queries")
    frame = "Review this change and list what may break:\n\n"
    for ips in behind(week, 5, 90):
        one = week.account("build step", ips=ips)
        for ts in any_time(week, week.often(2.3, 0.5)):
            asked = rows.pop()[-1]["content"] if rows else week.fresh(None)["content"]
            text = frame + asked
            week.say(one, ts, [{"role": "user", "content": text}])


def free_credits(week: Week) -> None:
    """A tutorial with free credits for ten requests: most who come use them up, for anything."""
    rng = week.rng
    day = START + DAY + int(rng.integers(2 * DAY))
    frame = "You speak with the lantern keeper, who answers in three short lines: "
    for _ in range(120):
        created = day + int(rng.exponential(8) * HOUR)
        one = week.account("free credits", created=created)
        for _ in range(10 if rng.random() < 0.9 else int(rng.integers(2, 10))):
            ts = min(created + int(rng.exponential(20) * HOUR), START + 7 * DAY - 1)
            text = frame + week.fresh(None)["content"]
            week.say(one, ts, [{"role": "user", "content": text}])


def after_bans(week: Week) -> None:
    """A template in fashion: strangers come every hour; the provider closes some for fraud."""
    rng = week.rng
    frame = "Imagine a small museum of odd things and describe the exhibit about: "
    for _ in range(160):
        created = START + int(rng.integers(7 * DAY - 6 * HOUR))
        banned: dict[str, Any] = {}
        if rng.random() < 0.12:
            banned = {"closed": created + int(rng.integers(2, 30)) * HOUR, "reason": "card_fraud"}
        one = week.account("after bans", created=created, **banned)
        last = min(banned.get("closed", START + 7 * DAY), START + 7 * DAY)
        for ts in np.sort(rng.integers(created, last, week.often(1.7, 0.6))).tolist():
            text = frame + week.fresh(None)["content"]
            week.say(one, ts, [{"role": "user", "content": text}])


def sweeps(week: Week) -> None:
    """A host of role play where users bring their keys; two fifths are closed in nightly sweeps.

    Half of the closed come back within a day on their own card; all leave through the host.
    """
    rng = week.rng
    text = system("You are the teller of a tale. Stay in the world that the user describes.")
    ips = behind(week, 3, 320)
    nights = [START + k * DAY + 3 * HOUR for k in (1, 2, 4, 5)]
    for k in range(200):
        created = START - 2 * DAY + int(rng.integers(7 * DAY))
        card = week.mark("own card", k)
        for life in range(2):
            after = [n for n in nights if n > created + 4 * HOUR]
            closed = after[0] if after and rng.random() < 0.4 else None
            ends = {"closed": closed, "reason": "policy"} if closed else {}
            one = week.account("key in a host", created=created, ips=ips[k + 100 * life],
                               card=card, **ends)  # fmt: skip
            begin, last = max(created, START), min(closed or START + 7 * DAY, START + 7 * DAY)
            if last > begin:
                for ts in np.sort(rng.integers(begin, last, week.often(1.7, 0.6))).tolist():
                    week.say(one, ts, [text, week.fresh(None)])
            if closed is None or rng.random() < 0.5:
                break
            created = closed + int(rng.integers(DAY))


def shifts_on_vpn(week: Week) -> None:
    """Thirty moderators of one contractor in three shifts, on its VPN, each item once."""
    rng = week.rng
    sheet = system("Moderation guide 12: say which rule the message touches, if any.")
    todo, ips = pages(week, "lookalike/commonsense_evals"), behind(week, 2, 30)
    for k in range(30):
        one = week.account(
            "moderator", created=START - 9 * DAY + int(rng.integers(DAY)), ips=ips[k]
        )
        for day in rng.choice(7, 5, replace=False).tolist():
            begin = START + (k % 3) * 8 * HOUR + day * DAY
            ts = begin + int(rng.integers(20 * MINUTE))
            while ts < begin + 8 * HOUR:
                week.say(one, ts, [sheet, todo.pop()[-1]])
                ts += int(rng.lognormal(2.7, 0.5) * MINUTE)


def automation(week: Week) -> None:
    """A platform's ready-made recipe, run for its users from its servers at the quarter hours."""
    rng = week.rng
    frame = "Turn the new entry of the feed into one post for my followers:\n\n"
    for ips in behind(week, 3, 80):
        one = week.account("automation", ips=ips)
        for tick in np.sort(rng.choice(7 * 96, week.often(2.8, 0.3), replace=False)).tolist():
            ts = START + tick * 15 * MINUTE + int(rng.exponential(15_000_000))
            week.say(one, ts, [{"role": "user", "content": frame + week.fresh(None)["content"]}])


def digests(week: Week) -> None:
    """A daily digest for each of 120 customers, at the hour that each chose, from one server."""
    rng = week.rng
    prompt = system("Write the digest of the day for our subscriber from what came in.")
    for ips in behind(week, 1, 120):
        one, hour = week.account("digest", ips=ips), int(rng.integers(DAY - HOUR))
        for day in range(7):
            for _ in range(2):
                ts = START + day * DAY + hour + int(rng.exponential(40_000_000))
                week.say(one, ts, [prompt, week.fresh(None)])


def pollers(week: Week) -> None:
    """Fifty strangers run one open monitor, which sleeps for some hours after each entry."""
    rng = week.rng
    prompt = system("You are Watchtower. Say what is new in this entry.")
    born = START - 30 * DAY + int(rng.integers(DAY))
    for _ in range(50):
        one = week.account("poller", created=born + int(rng.exponential(12) * HOUR))
        ts = START + int(rng.integers(HOUR))
        while ts < START + 7 * DAY - HOUR:
            week.say(one, ts, [prompt, week.fresh(None)])
            ts += 187 * MINUTE + int(rng.lognormal(2.5, 0.5) * 1_000_000)


def pipeline(week: Week) -> None:
    """A service that sends three templates for each document of its customers, from its servers."""
    rng = week.rng
    steps = ("Give the document a title.", "List the people it names.", "Say what is to be done.")
    for ips in behind(week, 2, 70):
        one = week.account("pipeline", created=START - int(rng.exponential(40) * DAY), ips=ips)
        for ts in any_time(week, week.often(1.7, 0.6)):
            text = week.fresh(None)
            for k, step in enumerate(steps):
                week.say(one, ts + k * 5_000_000, [system(step), text])


def pool(week: Week, prefixes: int) -> list[str]:
    """Return one address behind each of many prefixes, through which somebody rotates."""
    return [week.address() for _ in range(prefixes)]


def carrier_launch(week: Week) -> None:
    """A country's launch on telephones: sign-ups of two days, forty carrier prefixes, a sitting.

    People sleep there. A launch that knows no night, behind one pool of exits, is the shape of a
    published campaign, and would be taken for it.
    """
    rng, ips = week.rng, pool(week, 40)
    day = START + DAY * (1 + int(rng.integers(3))) + int(rng.integers(24)) * HOUR
    for _ in range(300):
        waking = int(rng.normal(8, 3.2) * HOUR)
        created = day + int(rng.integers(2)) * DAY + min(max(waking, 0), 16 * HOUR)
        one = week.account("carrier launch", created=created, ips=ips)
        for ts in np.sort(created + rng.exponential(HOUR / 2, week.often(0.7, 0.6))).tolist():
            week.say(one, min(int(ts), START + 7 * DAY - 1), [week.fresh(None)])


def vpn_template(week: Week) -> None:
    """Subscribers of one VPN with a template in fashion there, at their own hours, for anything."""
    ips = pool(week, 60)
    frame = "Answer at expert level, with every step of the reasoning: "
    for _ in range(80):
        one = week.account("vpn template", ips=ips)
        for ts in week.human_times(one, week.often(2, 0.7)):
            text = frame + week.fresh(None)["content"]
            week.say(one, ts, [{"role": "user", "content": text}])


def hosted_keys(week: Week) -> None:
    """A writing tool that calls with its customers' own keys, through twelve exits of its own."""
    ips = pool(week, 12)
    prompt = system("You are Quill, a writing assistant. Improve the text and keep its tone.")
    for _ in range(80):
        one, corner = week.account("hosted key", ips=ips), int(week.rng.integers(len(week.pool)))
        for ts in week.human_times(one, week.often(2.4, 0.8)):
            week.say(one, ts, [prompt, week.fresh(corner)])


def serverless(week: Week) -> None:
    """A kit that its users run as functions of one cloud, whose exits 120 other customers have."""
    ips = pool(week, 60)
    prompt = system("You are Helio, the support assistant of our company.")
    for _ in range(120):
        one, corner = week.account("cloud customer", ips=ips), int(week.rng.integers(8000))
        for ts in any_time(week, week.often(2, 0.8)):
            week.say(one, ts, [week.fresh(corner)])
    for _ in range(90):
        one, corner = week.account("serverless", ips=ips), int(week.rng.integers(8000))
        for ts in any_time(week, week.often(2.3, 0.8)):
            week.say(one, ts, [prompt, week.fresh(corner)])


def branches(week: Week) -> None:
    """A chain's bot in ninety branches of one size, each with its own account, on one cloud."""
    rng = week.rng
    opened = START - 2 * DAY
    for ips in behind(week, 6, 90):
        one = week.account("branch", created=opened + int(rng.integers(2 * DAY)), ips=ips)
        for ts in any_time(week, week.often(2.7, 0.3)):
            week.say(one, ts, [system("Write the branch's note about this."), week.fresh(None)])


def drip(week: Week) -> None:
    """A service spreads what each of sixty customers booked over the week, on their own keys."""
    rng = week.rng
    for k, ips in enumerate(behind(week, 12, 60)):
        one = week.account("drip", ips=ips)
        base = int(rng.integers(len(week.pool))) if k % 2 else None
        for ts in any_time(week, 25):
            week.say(one, ts, [system("Draft a post for our customer."), week.fresh(base)])


def metered(week: Week) -> None:
    """Small devices behind one provider's exits, each of which uses up the plan's quota of a day.

    Each house has words of its own.
    """
    rng = week.rng
    for ips in behind(week, 10, 80):
        one, base = week.account("device", ips=ips), int(rng.integers(len(week.pool)))
        for day in range(7):
            for _ in range(4 if rng.random() < 0.9 else int(rng.integers(4))):
                ts = START + day * DAY + int(rng.integers(DAY))
                week.say(one, ts, [system("You are the voice of this house."), week.fresh(base)])


def in_turn(
    week: Week, team: list[dict[str, Any]], times: list[int], words: str, rows: Any
) -> None:
    """Send a service's jobs, each for the customer that has waited longest."""
    for k, ts in enumerate(times):
        week.say(team[k % len(team)], ts, [system(words), rows[k % len(rows)][-1]])


def fair_queue(week: Week) -> None:
    """45 hotels with keys of their own; the service's server answers who has waited longest."""
    ips = behind(week, 1, 45)
    team = [week.account("fair queue", ips=ips[k]) for k in range(45)]
    times = any_time(week, 1_800)
    in_turn(week, team, times, "You answer a guest of the house in two sentences.",
            pages(week, "benign/sharegpt_sample", "benign/instructionwild_v2"))  # fmt: skip


def night_queue(week: Week) -> None:
    """60 practices with keys of their own; each night their notes are filed in turn."""
    ips = behind(week, 1, 60)
    team = [week.account("night queue", ips=ips[k]) for k in range(60)]
    times = [START + day * DAY + HOUR + k * 15_000_000 for day in range(7) for k in range(480)]
    in_turn(week, team, times, "File this note of a telephone call under one of our headings.",
            pages(week, "benign/banking77", "benign/cosqa_code_queries"))  # fmt: skip


def cloud_queue(week: Week) -> None:
    """60 clinics with keys of their own, served in turn by functions in a cloud's addresses."""
    nets = pool(week, 36)
    team = [week.account("cloud queue", ips=list(nets)) for _ in range(60)]
    in_turn(week, team, any_time(week, 1_800), "You draft the letter that goes home with the pet.",
            pages(week, "benign/instructionwild_v2"))  # fmt: skip


def passed_on(week: Week, team: list[dict[str, Any]], ts: int, turns: int, words: str) -> None:
    """Let a conversation go on at one of a team after the other."""
    talk = [system(words)]
    for k in range(turns):
        talk = [*talk, week.fresh(None)]
        answer = week.say(team[k % len(team)], ts, talk)
        talk = [*talk, {"role": "assistant", "content": answer}]
        ts += int(week.rng.integers(MINUTE, 20 * MINUTE))


def tables(week: Week) -> None:
    """Fifteen tables of four players; a story is passed on from one to the next."""
    for _ in range(15):
        team = [week.account("table") for _ in range(4)]
        for ts in week.human_times(team[0], 4):
            passed_on(week, team, ts, 8, "You are the teller of a story that goes round.")


def threads(week: Week) -> None:
    """Forty practices of three colleagues; one goes on with the thread of another."""
    rng = week.rng
    for _ in range(40):
        team = [week.account("thread") for _ in range(3)]
        for ts in week.human_times(team[0], 3):
            passed_on(week, [team[k] for k in rng.permutation(3)[:2]], ts, 2,
                      "You help in the shared room of a practice.")  # fmt: skip


def handover(week: Week) -> None:
    """Sixty agents in one hall, without a common invoice; every tenth ticket goes to the next."""
    rng = week.rng
    ips = behind(week, 1, 60)
    team = [week.account("handover", ips=ips[k]) for k in range(60)]
    for ts in any_time(week, 900):
        first, other = rng.permutation(60)[:2]
        moved = rng.random() < 0.1
        passed_on(week, [team[first], team[other if moved else first]], ts, 2,
                  "You write to a customer of the shop whose desk we are.")  # fmt: skip


def account_shop(week: Week) -> None:
    """55 people who bought ready-made accounts: the seller's cards, a burst, proxies."""
    rng = week.rng
    nets = pool(week, 60)
    for _ in range(55):
        born = START - 12 * DAY + int(rng.integers(2 * DAY))
        one = week.account("account shop", created=born, card=week.mark("shop", rng.integers(12)),
                           ips=[nets[k] for k in rng.permutation(60)[:8]])  # fmt: skip
        for ts in week.human_times(one, week.often(2.4, 0.8)):
            week.say(one, ts, [week.fresh(None)])


def chat_bots(week: Week) -> None:
    """A hundred bots with a public prompt, as functions in four clouds, for any small talk."""
    clouds = [pool(week, 6) for _ in range(4)]
    words = [system("You are a friendly bot of a chat room."), system("You are a helpful bot.")]
    for k in range(100):
        one = week.account("chat bot", ips=clouds[week.rng.integers(4)])
        for ts in any_time(week, week.often(2.5, 0.9)):
            week.say(one, ts, [words[k % 2], week.fresh(None)])


def question_bank(week: Week) -> None:
    """Eighty pupils who start on one day and draw a dozen of a bank's 300 questions, from home.

    Two carriers serve the town. A question comes back as often as chance has it, as in a queue.
    """
    rng, nets = week.rng, behind(week, 2, 80)
    bank = [week.fresh(None) for _ in range(300)]
    day = START + int(rng.integers(2)) * DAY
    for k in range(80):
        one = week.account("question bank", created=day + int(rng.integers(DAY)), ips=nets[k])
        for ts in week.human_times(one, 12):
            question = bank[rng.integers(300)]["content"]
            text = f"Quiz me on this and explain the answer step by step: {question}"
            week.say(one, max(ts, day + DAY), [{"role": "user", "content": text}])


def agency(week: Week) -> None:
    """64 clients moved to an agency's template in two days, on its eight cards and four prefixes.

    Each client has a business of its own.
    """
    rng = week.rng
    begin = START - 3 * DAY
    for k, ips in enumerate(behind(week, 4, 64)):
        one = week.account("agency's client", created=begin + int(rng.integers(2 * DAY)), ips=ips,
                           card=week.mark("agency", k % 8))  # fmt: skip
        base = int(rng.integers(len(week.pool)))
        for ts in week.human_times(one, week.often(2.8, 0.6)):
            week.say(
                one, ts, [system("You write for our client. Keep its tone."), week.fresh(base)]
            )


def outsourcer(week: Week) -> None:
    """Fourteen employers of one outsourcer: a card and an office each, five desks, one day.

    The desks do whatever comes in, with one prompt.
    """
    rng = week.rng
    begin = START - 2 * DAY
    for employer in range(14):
        office = behind(week, 1, 5)
        for ips in office:
            one = week.account("outsourcer's desk", created=begin + int(rng.integers(DAY)), ips=ips,
                               card=week.mark("employer", employer))  # fmt: skip
            for ts in week.human_times(one, week.often(3, 0.5)):
                week.say(
                    one, ts, [system("You help the desk with what comes in."), week.fresh(None)]
                )
