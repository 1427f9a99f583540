"""Registration draws a new account: who it is, where it sits, what it uses, how it writes."""

from __future__ import annotations

from typing import Any

from stillwatch.simulate.clock import DAY
from stillwatch.simulate.dice import Dice
from stillwatch.simulate.grammar import Grammar
from stillwatch.simulate.identity import API_CLIENTS, WEB_CLIENTS, Account, created_at, free_mail
from stillwatch.simulate.lexicon import lexicon
from stillwatch.simulate.network import Exit, Networks

__all__ = ["close_account", "new_account"]

_USES = ("research", "product", "education", "personal", "internal tools", "support")
_PERSON_HABITS = ("office", "office", "evening", "evening", "allday", "weekend", "night")
_WORK_HABITS = ("office", "office", "allday", "evening")
_MODELS = ("lumen-4-mini", "lumen-4", "lumen-4", "lumen-4-reason")


def new_account(
    dice: Dice,
    networks: Networks,
    grammar: Grammar,
    end: int,
    lang: str,
    kind: str,
    org_id: str | None,
    newest_days: float,
) -> Account:
    """Return an account of a "person", a developer ("dev") or a "company", without vocabulary.

    ``org_id``: "" draws one of its own, None leaves it unknown.
    """
    lex = lexicon(lang)
    country = lex.countries[dice.whole(0, 4)]
    exits = _exits(dice, networks, kind, country)
    table = _side_table(dice, grammar, kind, country)
    return Account(
        account_id="acct_" + dice.hex(14),
        org_id="org_" + dice.hex(12) if org_id == "" else org_id,
        created_at=created_at(dice, end, 730, newest_days),
        signup_ip=exits[0].ip if dice.chance(0.9) else None,
        lang=lang,
        country=country,
        zone_h=dice.pick(lex.zones),
        exits=exits,
        **table,
        **_settings(dice, kind),
    )


def _exits(dice: Dice, networks: Networks, kind: str, country: str) -> list[Exit]:
    roll = dice.u()
    if kind == "person":
        exits = networks.home(dice, country)
        if roll < 0.45:
            exits += networks.mobile(dice, country)
        if roll > 0.8:
            exits += networks.workplace(dice, country)
        return exits
    if roll < 0.5:
        return networks.cloud(dice, dice.whole(1, 6))
    return networks.office(dice, country) if kind == "company" else networks.home(dice, country)


def _side_table(dice: Dice, grammar: Grammar, kind: str, country: str) -> dict[str, Any]:
    person, company = kind == "person", kind == "company"
    paid = not person or dice.chance(0.45)
    if person:
        plan = "pro" if paid else "free"
    else:
        plan = "enterprise" if company and dice.chance(0.4) else "api"
    if company or (not person and dice.chance(0.4)):
        mail = dice.pick(grammar.names("en", dice.whole(0, 59))).lower() + ".example"
    else:
        mail = free_mail(dice)
    return {
        "plan": plan,
        "email_domain": mail,
        "email_hash": dice.hex(16),
        "phone_hash": dice.hex(16) if dice.chance(0.68) else None,
        "payment_hash": dice.hex(16) if paid and dice.chance(0.88) else None,
        "payment_country": country if paid else None,
        "billing_country": country if paid and dice.chance(0.8) else None,
        "device_hash": dice.hex(16) if dice.chance(0.72) else None,
        "kyc_level": "business"
        if company
        else dice.pick(("none", "email", "email", "phone", "card")),
        "declared_use": dice.pick(_USES) if dice.chance(0.5) else None,
        "rate_limit_rpm": 60 if person else dice.pick((60, 300, 300, 1000)),
    }


def _settings(dice: Dice, kind: str) -> dict[str, Any]:
    person, company = kind == "person", kind == "company"
    channel = dice.pick(("web", "web", "app")) if person else "api"
    pool = WEB_CLIENTS if person else API_CLIENTS
    return {
        "habit": dice.pick(_PERSON_HABITS if person else _WORK_HABITS),
        "channel": channel,
        "key_id": None if person else "key_" + dice.hex(12),
        "workspace_id": "ws_" + dice.hex(8) if company and dice.chance(0.4) else None,
        "origin": "https://chat.lumen.example" if channel == "web" else None,
        "model": dice.pick(_MODELS),
        "adopts": dice.chance(0.3),
        "clients": [dice.pick(pool) for _ in range(1 + int(dice.expo(0.55)))],
        "temperature": None if person else dice.pick((None, None, 0.0, 0.2, 0.7, 1.0)),
        "top_p": 0.95 if dice.chance(0.12) else None,
        "max_tokens": None if person else dice.pick((None, None, 512, 1024, 2048, 4096)),
        "sampling_seed": dice.whole(0, 9999) if not person and dice.chance(0.08) else None,
        "top_logprobs": 5 if not person and dice.chance(0.04) else None,
        "effort": dice.pick((None, None, "low", "medium", "high")),
        "stream": person or dice.chance(0.35),
        "tags": [("env", "prod")] if company and dice.chance(0.4) else None,
        "end_user_id": "eu_" + dice.hex(10) if not person and dice.chance(0.07) else None,
        "wordiness": dice.between(0.6, 4.5),
        "answer_len": dice.between(3.0, 11.0),
        "keeps_conversation_id": person or dice.chance(0.25),
    }


def close_account(dice: Dice, account: Account, end: int, days: float) -> None:
    """Close an honest account: people leave, and a few break other rules."""
    at = int(end - dice.between(0, 1.3 * days) * DAY)
    account.closed_at = max(at, account.created_at + DAY)
    account.closed_reason = dice.pick(("user_request", "payment", "policy", "policy"))
