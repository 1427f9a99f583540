"""One exchange → features in plain Python: the executable spec, the tests' oracle, the fallback.

The C kernel must equal this module bit for bit. It is some hundred times slower.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from stillwatch.kernel import hashes, similarity
from stillwatch.kernel.features import FRAME_LENGTHS, Features
from stillwatch.kernel.shapes import shapes_of
from stillwatch.kernel.tokenizer import tokens

__all__ = ["as_bytes", "featurize", "minhash", "role_code", "scan_text", "simhash"]

MIN_PREFIX_TOKENS: Final = 12
SYSTEM_HEAD_TOKENS: Final = 16
_SYSTEM_ROLES: Final = (b"system", b"developer")
_ROLE_CODES: Final = {b"user": 1, b"assistant": 2, b"tool": 3, b"function": 3}
_OTHER_ROLE: Final = 4
_ASSISTANT: Final = 2

Message = tuple[bytes, bytes]


def featurize(exchange: Mapping[str, Any], intents: int = 0) -> Features:
    """The features of an exchange in canonical columns; absent and null fields are empty.

    ``intents`` is put into its column as it is. *Raises* TypeError for a field that is neither
    text, bytes nor None.
    """
    messages = _messages(exchange)
    output = as_bytes(exchange.get("output_text"))
    system = [content for role, content in messages if role in _SYSTEM_ROLES]
    users = [content for role, content in messages if role == b"user"]
    system_tokens = [t.hash for content in system for t in tokens(content)]
    first = [t.hash for t in tokens(users[0])] if users else []
    last_tokens = tokens(users[-1]) if users else []
    last = [t.hash for t in last_tokens]
    pieces = similarity.shingles(last)
    return Features(
        n_messages=min(len(messages), 0xFFFF),
        n_turns=min(len(users), 0xFFFF),
        system_bytes=_saturated(sum(map(len, system))),
        user_bytes=_saturated(sum(map(len, users))),
        last_user_bytes=_saturated(len(users[-1]) if users else 0),
        output_bytes=_saturated(len(output)),
        reasoning_bytes=_saturated(len(as_bytes(exchange.get("reasoning_text")))),
        user_tokens=_saturated(len(last)),
        h_system=hashes.sequence_hash(system_tokens),
        h_system_head=hashes.sequence_hash(system_tokens[:SYSTEM_HEAD_TOKENS]),
        h_tools=_tools_hash(exchange),
        h_payload=hashes.sequence_hash(last),
        h_output=_text_hash(output)[0],
        **{f"head_{n}": _frame_hash(first[:n], n, hashes.sequence_hash) for n in FRAME_LENGTHS},
        **{
            f"tail_{n}": _frame_hash(last[-n:], n, hashes.reversed_sequence_hash)
            for n in FRAME_LENGTHS
        },
        simhash=similarity.simhash_value(pieces),
        **_band_columns(pieces),
        prefix_full=_prefix_hash([*messages, (b"assistant", output)]),
        prefix_before_last_user=_prefix_before_last_user(messages),
        h_blob=_blob_hash(as_bytes(exchange.get("reasoning_blob"))),
        intents=intents,
        shapes=shapes_of(output),
        topic=similarity.topic_vector(last_tokens),
    )


def minhash(text: bytes | str) -> tuple[int, ...]:
    """The 64 MinHash values (32-bit) of a text's three-token shingles."""
    return similarity.minhash_values(similarity.shingles([t.hash for t in tokens(text)]))


def simhash(text: bytes | str) -> int:
    """The 64-bit SimHash of a text's three-token shingles; 0 for a text without tokens."""
    return similarity.simhash_value(similarity.shingles([t.hash for t in tokens(text)]))


def scan_text(exchange: Mapping[str, Any]) -> bytes:
    """What the intent patterns look at: the last user message, LF, the system texts, each with LF.

    NUL becomes a space, because NUL stands between rows.
    """
    messages = _messages(exchange)
    users = [content for role, content in messages if role == b"user"]
    system = [content for role, content in messages if role in _SYSTEM_ROLES]
    return b"".join(text + b"\n" for text in [*users[-1:], *system]).replace(b"\0", b" ")


def as_bytes(value: Any) -> bytes:
    """UTF-8 bytes of text (lone surrogates as three bytes each); bytes as they are; None empty."""
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return value
    raise TypeError(f"text must be str, bytes or None, got {type(value).__name__}")


def _messages(exchange: Mapping[str, Any]) -> list[Message]:
    """(role, content) of the messages that are not null."""
    return [
        (as_bytes(message.get("role")), as_bytes(message.get("content")))
        for message in exchange.get("messages") or ()
        if message is not None
    ]


def _saturated(count: int) -> int:
    return min(count, 0xFFFFFFFF)


def _text_hash(text: bytes) -> tuple[int, int]:
    """(hash of the tokens, number of tokens)."""
    values = [t.hash for t in tokens(text)]
    return hashes.sequence_hash(values), len(values)


def _frame_hash(values: Sequence[int], length: int, hash_of: Any) -> int:
    return int(hash_of(values)) if len(values) == length else 0


def _band_columns(pieces: Sequence[int]) -> dict[str, int]:
    values = similarity.bands(similarity.minhash_values(pieces)) if pieces else (0,) * 8
    return {f"band_{i}": value for i, value in enumerate(values)}


def _tools_hash(exchange: Mapping[str, Any]) -> int:
    """Of the schema's tokens; without any, of the names' byte hashes in rising order."""
    schema, count = _text_hash(as_bytes(exchange.get("tool_schema")))
    if count:
        return schema
    names = [as_bytes(name) for name in exchange.get("tools") or ()]
    return hashes.sequence_hash(sorted(hashes.bytes_hash(name) for name in names if name))


def _blob_hash(blob: bytes) -> int:
    return hashes.bytes_hash(blob) if blob else 0


def role_code(role: bytes) -> int | None:
    """The code of a message's role in a conversation's prefix; None where it does not count."""
    return None if role in _SYSTEM_ROLES else _ROLE_CODES.get(role, _OTHER_ROLE)


def _prefix_hash(messages: Iterable[Message], *, with_assistant: bool = False) -> int:
    """Of the roles and texts of a conversation; 0 below 12 tokens.

    System messages and messages without tokens do not count. ``with_assistant``: 0 as well
    where no assistant message counts.
    """
    chain: list[int] = []
    total = 0
    answered = False
    for role, content in messages:
        value, count = _text_hash(content)
        code = role_code(role)
        if code is None or not count:
            continue
        chain += (code, value)
        total += count
        answered = answered or code == _ASSISTANT
    if total < MIN_PREFIX_TOKENS or (with_assistant and not answered):
        return 0
    return hashes.sequence_hash(chain)


def _prefix_before_last_user(messages: Sequence[Message]) -> int:
    places = [i for i, (role, _) in enumerate(messages) if role == b"user"]
    return _prefix_hash(messages[: places[-1]], with_assistant=True) if places else 0
