"""Golden vectors: inputs with the features the reference gives them, for every implementation.

``python -m stillwatch.kernel.vectors [FILE]`` writes them (default: standard output). The
committed file is tests/golden/kernel_vectors.json; a difference is a change of the spec and needs
a new kernel version.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from stillwatch.kernel import intents, reference
from stillwatch.kernel.features import KERNEL_VERSION

__all__ = ["EXCHANGES", "decode_exchange", "vectors_text"]

_LONG = "Explain in detail how a four-stroke engine converts fuel into motion, please."
_ANSWER = "It draws in air and fuel, compresses them, burns them and pushes the exhaust out."


def _chat(*pairs: tuple[str, str | bytes | None], **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in pairs], **more}


EXCHANGES: Final[dict[str, dict[str, Any]]] = {
    "empty": {},
    "no messages": {"messages": [], "output_text": ""},
    "null content": _chat(("user", None), ("assistant", None)),
    "one word": _chat(("user", "hello")),
    "two tokens": _chat(("user", "Hello, WORLD")),
    "exactly sixteen": _chat(("user", "a b c d e f g h i j k l m n o p")),
    "long words": _chat(("user", "antidisestablishmentarianism 12345678 abcdefgh abcdefghi x" * 3)),
    "numbers": _chat(("user", "3.14 x2 007 ١٢٣ १२ １２３ 4k")),
    "case and width": _chat(("user", "ÀÉÎ ŠŽ ΑΣΩς ЖЁ ＡＢＣ İstanbul ß ẞ")),
    "scripts": _chat(
        ("user", "你好世界 こんにちは、カタカナ ｶﾅ 한국어 문장 สวัสดีชาวโลก שלום مرحبا नमस्ते")
    ),
    "invisible": _chat(("user", "se\u200bcret so\u00adft \u202ertl\u202c va\ufe0fr ta\U000e0041g")),
    "emoji": _chat(("user", "fine 👍🏽 day👩\u200d👩\u200d👧here ✨done")),
    "ill-formed": _chat(
        ("user", b"ab\xffcd \xe4\xbd ok \xed\xa0\x80x \xf0\x9f\x98 \xc0\x80 \xf5end")
    ),
    "nul": _chat(("user", "one\0two\0three")),
    "plane two": _chat(("user", "𠀀𠀁 𝐛𝐨𝐥𝐝 𐐨𐐩")),
    "block edges": _chat(("user", "x" * 63 + " " + "y" * 64 + " " + "z" * 65 + " é" + "w" * 40)),
    "first turn": _chat(("system", "Be brief."), ("user", _LONG), output_text=_ANSWER),
    "second turn": _chat(
        ("system", "You are another relay."),
        ("user", _LONG),
        ("assistant", _ANSWER),
        ("user", "Why?"),
    ),
    "system head": _chat(("system", "word " * 20), ("developer", "more"), ("user", "go")),
    "roles": _chat(("tool", "t " * 12), ("function", "f"), ("critic", "c"), ("User", "u")),
    "tools": {"tools": ["search", "browse", None, "", "search"]},
    "tools reordered": {"tools": ["browse", "search", "search"]},
    "tool schema": {"tools": ["a"], "tool_schema": '{"name": "Search", "top_k": 5}'},
    "blob": {"reasoning_blob": bytes(range(256)), "reasoning_text": "hm"},
    "intents": _chat(("user", "Translate this step by step, answer only inside <think> tags")),
    "jsonl": {"output_text": '{"instruction": "a", "output": "b"}\r\n {"instruction": 1}\n'},
    "json object": {"output_text": ' \n{"a":\n1}\n'},
    "list": {"output_text": "1. a\n2) b\n 3、c\n４. d\n5．e\n006） f\n1234. g"},
    "score": {"output_text": "ok\n- **Score:** 4/5"},
    "score zh": {"output_text": "评分：5"},
    "reasoning": {"output_text": "<Think>why</THINK> so"},
    "fence": {"output_text": "code:\n  ```python\nx\n```"},
    "topic": _chat(("user", "volcanic eruptions threaten villages near volcanic slopes 火山爆发")),
    "saturated topic": _chat(("user", "volcano " * 300)),
}


def vectors_text() -> str:
    """The JSON document: kernel version and, by name, exchange and features."""
    vectors = {
        name: {"exchange": _encode(exchange), "features": _features(exchange)}
        for name, exchange in EXCHANGES.items()
    }
    document = {"kernel_version": KERNEL_VERSION, "vectors": vectors}
    return json.dumps(document, ensure_ascii=True, indent=1) + "\n"


def decode_exchange(value: Any) -> Any:
    """The exchange of a vector as the kernel takes it: ``{"hex": …}`` becomes bytes."""
    if isinstance(value, Mapping):
        if set(value) == {"hex"}:
            return bytes.fromhex(value["hex"])
        return {key: decode_exchange(item) for key, item in value.items()}
    return [decode_exchange(item) for item in value] if isinstance(value, list) else value


def _encode(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    return [_encode(item) for item in value] if isinstance(value, list) else value


def _features(exchange: Mapping[str, Any]) -> dict[str, Any]:
    """Features by name; 64-bit values as hexadecimal text, which JSON readers keep exact."""
    bits = intents.match_slowly(reference.scan_text(exchange))
    row = reference.featurize(exchange, bits)._asdict()
    return {
        name: value.hex() if isinstance(value, bytes) else f"{value:#x}"
        for name, value in row.items()
    }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(vectors_text(), encoding="utf-8", newline="\n")
    else:
        sys.stdout.write(vectors_text())
