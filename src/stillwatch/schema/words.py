"""The words of the design, section 2, as the values that tables and files hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STATUSES: Final = (
    "ok",
    "refused",
    "filtered",
    "rate_limited",
    "denied",
    "client_error",
    "server_error",
)
# How calls end that the model did not answer: nothing can be gone on from.
UNANSWERED: Final = ("filtered", "rate_limited", "denied", "client_error", "server_error")
STANDINGS: Final = ("clear", "watch", "accused", "permitted")
ACCESS: Final = ("clear", "restricted", "possible", "undetermined")
ROLES: Final = ("core", "periphery")
VERDICTS: Final = ("allow", "watch", "throttle", "step_up", "summarize", "deny")
CLAIMS: Final = ("coordinated", "extractive", "actor")
NOT_TESTED: Final = "Not tested"  # begins an open question of a campaign: a test not made
METHODS: Final = (
    "cot_exfiltration",
    "cot_critiquing",
    "autograding",
    "rl_prompts",
    "synthetic_data",
    "relay",
    "transcript_resale",
    "technique_sweep",
    "blob_replay",
)
# Of how many first or last tokens a template's nodes are.
TEMPLATE_LENGTHS: Final = (6, 8, 10, 12, 16)
# The columns of an exchange's features that hold them, and the system prompt's.
TEMPLATE_COLUMNS: Final = (
    *(f"{side}_{n}" for side in ("head", "tail") for n in TEMPLATE_LENGTHS),
    "h_system",
)


def template_column(side: str, length: object) -> str:
    """Return the column of an exchange's features that holds a template's node.

    ``side``: head, tail or system; ``length``: in tokens, of no matter for a system prompt.
    """
    return "h_system" if side == "system" else f"{side}_{length}"


# Within how long accounts are created together, in a burst.
SIGNUP_WINDOWS_S: Final = (3_600.0, 6 * 3_600.0, 86_400.0, 3 * 86_400.0)

# What `closed_reason` says, in lower case, where the provider closed an account against its rules.
# A customer's own end, an unpaid bill and a word that nobody knows are none: who is taken for
# banned wrongly makes successors of honest newcomers.
BANNED_RE: Final = (
    "polic|violat|abus|misus|fraud|spam|distil|scrap(e|ing)|evasi|illegal|malic|(^|[^a-z])terms|"
    "(^|[^a-z])(tos|aup|ban|bans|banned|ban_?wave)($|[^a-z])"
)
# The same of a row with that column, for DuckDB.
BANNED_SQL: Final = f"regexp_matches(lower(coalesce(closed_reason, '')), '{BANNED_RE}')"


@dataclass(frozen=True)
class LinkKind:
    """One kind of object that two accounts can share.

    ``others_can_create``: an outsider can make it true of a victim's account (by copying a
    template or leaving through the same address), so it never suffices for an accusation
    (design section 5, point 5). ``m``: share of true pairs that carry it, in (0, 1).
    ``direct``: evidence between two named accounts rather than a shared value.
    """

    name: str
    title: str
    others_can_create: bool
    m: float
    direct: bool = False


LINK_KINDS: Final[dict[str, LinkKind]] = {
    k.name: k
    for k in (
        LinkKind("payment", "same payment instrument", False, 0.5),
        LinkKind("device", "same device", False, 0.5),
        LinkKind("phone", "same telephone number", False, 0.4),
        LinkKind("email", "same e-mail address", False, 0.3),
        LinkKind("signup_ip", "signed up from the same address prefix", True, 0.4),
        LinkKind("exit_prefix", "left from the same address prefix", True, 0.4),
        LinkKind("client", "same TLS client and user agent", True, 0.4),
        LinkKind("system_prompt", "same system prompt", True, 0.5),
        LinkKind("tool_schema", "same tool definitions", True, 0.4),
        LinkKind("frame", "same prompt template around other payloads", True, 0.7),
        LinkKind("near_text", "near-duplicate prompts", True, 0.3),
        LinkKind("handoff", "one continued the other's conversation", False, 0.3, direct=True),
        LinkKind("blob_replay", "one replayed the other's reasoning blob", False, 0.3, direct=True),
        LinkKind("retry", "one retried what the other was refused", True, 0.3, direct=True),
        LinkKind(
            "succession", "one took over from the other after its ban", False, 0.3, direct=True
        ),
    )
}
