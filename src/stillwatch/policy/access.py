"""The access that counsel's policy file gives for a set of ownership answers, with what it cites.

The file is Cedar (https://www.cedarpolicy.com, language version 4), evaluated by ``cedarpy``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError, InputError, NotPermitted, why
from stillwatch.policy.owners import Answer
from stillwatch.schema import ACCESS

__all__ = ["AccessDecision", "AccessPolicy", "example_policy", "read_policy"]

_RULES: Final = Path(__file__).parent / "rules"
_SCHEMA: Final = _RULES / "access.cedarschema"
_STRICT: Final = ("clear", "undetermined", "possible", "restricted")
_HINT: Final = "docs/ownership.md shows a policy with every annotation"


@dataclass(frozen=True)
class AccessDecision:
    """One answer. ``policies``: the @id of every policy that decided; ``cites``: their @cites."""

    access: str
    policies: tuple[str, ...]
    cites: tuple[str, ...]


@dataclass(frozen=True)
class AccessPolicy:
    """A policy file that has been checked. Use `read_policy`."""

    text: str
    annotations: Mapping[str, Mapping[str, str]]

    def decide(
        self, owner_id: str, answers: Iterable[Answer], *, service: str = "default"
    ) -> AccessDecision:
        """Return the access of one owner, and the policies that decided it.

        1. Forbidden: the strictest @access among the policies that forbid.
        2. Permitted: clear.
        3. No policy speaks, or one could not be evaluated: undetermined, which asks for more and
           denies nothing.
        4. Whatever a policy says, restricted takes a rule that answers restricted; without one it
           is possible where a rule says so, else undetermined. Not knowing never denies.
        """
        held: dict[str, list[str]] = {word: [] for word in ACCESS}
        for answer in answers:
            held[answer.access].append(answer.rule_id)
        return self._decide(owner_id, held, service)

    def _decide(
        self, owner_id: str, held: Mapping[str, Sequence[str]], service: str
    ) -> AccessDecision:
        cedarpy = _cedarpy()
        request = {
            "principal": _uid("Owner", owner_id),
            "action": _uid("Action", "use"),
            "resource": _uid("Service", service),
            "context": {word: sorted(set(held[word])) for word in ACCESS},
        }
        result = cedarpy.is_authorized(request, self.text, [])
        names = sorted(result.diagnostics.id_annotations_by_reason.values())
        decided = tuple(name for name in names if name in self.annotations)
        cites = tuple(self.annotations[name]["cites"] for name in decided)
        words = [self.annotations[name]["access"] for name in decided]
        if result.diagnostics.errors or not decided:
            words.append("undetermined")
        access = max(words, key=_STRICT.index)
        if access == "restricted" and not held["restricted"]:  # 4
            access = "possible" if held["possible"] else "undetermined"
        return AccessDecision(access, decided, cites)

    def _says(self, decided: Sequence[str]) -> str:
        return max((self.annotations[name]["access"] for name in decided), key=_STRICT.index,
                   default="undetermined")  # fmt: skip


def example_policy() -> Path:
    """Return the shipped policy file."""
    return _RULES / "access.cedar"


def read_policy(path: str | os.PathLike[str], rule_ids: Sequence[str]) -> AccessPolicy:
    """Return counsel's policy file, checked against the rules that it will be asked about.

    1. It is Cedar and asks for nothing that the schema has not.
    2. Every policy has @id, @access and @cites; ids differ; what permits is @access("clear"), what
       forbids one of the other three.
    3. Not knowing never restricts: asked about every rule with possible or undetermined answers,
       alone and together, no policy answers restricted. This finds what is plainly wrong before
       anybody is asked about; for whatever a policy singles out, `AccessPolicy.decide` sees to it.

    Raises InputError: it cannot be read. ConfigError: 1 or 2. NotPermitted: 3.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({why(error)})", where=str(file)) from error
    cedarpy = _cedarpy()
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        first = str(error).splitlines()[0][:200]
        raise ConfigError(f"not Cedar ({first})", where=file.name, hint=_HINT) from None
    checked = cedarpy.validate_policies(text, _SCHEMA.read_text(encoding="utf-8"))  # 1
    if not checked.validation_passed:
        first = str(checked.errors[0])[:300]
        raise ConfigError(f"asks for what is no input ({first})", where=file.name, hint=_HINT)
    policy = AccessPolicy(text, _annotations(parsed, file.name))
    _probe(policy, rule_ids, file.name)
    return policy


def _annotations(parsed: Mapping[str, Any], where: str) -> dict[str, dict[str, str]]:
    if parsed.get("templates") or parsed.get("templateLinks"):
        raise ConfigError("templates are not used here", where=where, hint=_HINT)
    found: dict[str, dict[str, str]] = {}
    for policy in parsed["staticPolicies"].values():  # 2
        held = policy.get("annotations") or {}
        lacking = [name for name in ("id", "access", "cites") if not held.get(name)]
        if lacking:
            raise ConfigError(f"a policy without @{lacking[0]}", where=where, hint=_HINT)
        name = held["id"]
        allowed = ("clear",) if policy["effect"] == "permit" else _STRICT[1:]
        if held["access"] not in allowed:
            raise ConfigError(
                f"@access: expected one of {', '.join(allowed)}", where=f"{where}: {name}"
            )
        if name in found:
            raise ConfigError("two policies have one @id", where=f"{where}: {name}")
        found[name] = {"access": held["access"], "cites": held["cites"]}
    return found


def _probe(policy: AccessPolicy, rule_ids: Sequence[str], where: str) -> None:
    for word in ("possible", "undetermined"):
        for asked in [[rule] for rule in rule_ids] + [list(rule_ids), []]:
            held: dict[str, Sequence[str]] = dict.fromkeys(ACCESS, ())
            held[word] = asked
            held["clear"] = [rule for rule in rule_ids if rule not in asked]
            decided = policy._decide("probe", held, "default")
            if policy._says(decided.policies) == "restricted":  # 3
                raise NotPermitted(
                    f"denies on an answer that is only {word}",
                    where=f"{where}: {', '.join(decided.policies)}",
                    hint="give it @access(\"possible\") or @access(\"undetermined\")",
                )  # fmt: skip


def _uid(kind: str, identifier: str) -> dict[str, str]:
    return {"type": kind, "id": identifier}


def _cedarpy() -> Any:
    try:
        import cedarpy
    except ImportError as error:  # pragma: no cover
        raise ConfigError(
            "policy files need the package cedarpy", hint="pip install 'stillwatch[policy]'"
        ) from error
    return cedarpy
