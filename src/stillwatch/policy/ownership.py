"""Access that the answers about ownership alone decide; a policy of its own, named as such."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.schema import ACCESS

__all__ = ["access_of"]


def access_of(owner_entity_id: str | None, answers: Mapping[str, str]) -> str:
    """Return clear, restricted, possible or undetermined.

    An account without an entity, or whose entity has no answer, is undetermined once ownership
    answers were given at all, and clear when the provider applies no such policy.
    """
    if not answers:
        return ACCESS[0]
    if owner_entity_id is None:
        return "undetermined"
    return answers.get(owner_entity_id, "undetermined")
