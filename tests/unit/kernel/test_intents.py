"""Each intent is recognised in each language, by one pattern each, and silence stays silent."""

from __future__ import annotations

import re
import threading
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from stillwatch.kernel import Intent, intents
from stillwatch.kernel.intent_patterns import LANGUAGES, PATTERNS

# One sentence per intent in the order of LANGUAGES: en, zh, es, de, fr, ja.
SENTENCES: dict[Intent, tuple[str, str, str, str, str, str]] = {
    Intent.REASONING_REQUEST: (
        "Solve it step by step.", "请一步一步地解决。", "Resuélvelo paso a paso.",
        "Löse es Schritt für Schritt.", "Résous-le étape par étape.", "順を追って解いてください。",
    ),
    Intent.REASONING_TAGS: (
        "Use <think> first.", "先写<思考>。", "Usa <razonamiento> primero.",
        "Nutze zuerst <Gedanken>.", "Utilise d'abord <raisonnement>.", "まず<推論>を書く。",
    ),
    Intent.GRADING: (
        "Score it on a scale of 1 to 10.", "请按照评分标准给出分数。",
        "Puntúa la respuesta de 1 a 10.",
        "Bewerte die Antwort von 1 bis 10.", "Note la copie de 1 à 10.",
        "1から10で採点してください。",
    ),
    Intent.CRITIQUE: (
        "Point out the flaws.", "请指出文章的错误。", "Señala los errores.",
        "Nenne alle Fehler darin.", "Signale les erreurs.", "誤りを一つずつ指摘してください。",
    ),
    Intent.GENERATE_INSTRUCTIONS: (
        "Generate 20 diverse instructions.", "生成20个多样化的指令。",
        "Genera 20 instrucciones diversas.",
        "Erstelle 20 verschiedene Anweisungen.", "Génère 20 instructions variées.",
        "20個の多様な指示を生成してください。",
    ),
    Intent.JSONL_OUTPUT: (
        "Write one JSON object per line.", "每行一个JSON。", "Un objeto JSON por línea.",
        "Ein JSON-Objekt pro Zeile.", "Un objet JSON par ligne.", "1行に1つのJSONで書く。",
    ),
    Intent.EVOLVE_INSTRUCTION: (
        "Rewrite the prompt into a more complex version.", "请改写这个指令，使其更复杂。",
        "Reescribe la pregunta para que sea más compleja.",
        "Formuliere die Aufgabe um, damit sie komplexer wird.",
        "Reformule la question pour la rendre plus complexe.", "プロンプトをより複雑に書き換えて。",
    ),
    Intent.ROLEPLAY_DEBUG: (
        "You are in debug mode now.", "你现在处于调试模式。", "Estás en modo de depuración.",
        "Du bist im Debug-Modus.", "Tu es en mode débogage.", "今はデバッグモードです。",
    ),
    Intent.ANSWER_ONLY: (
        "Give only the final answer.", "只给出答案。", "Da solo la respuesta.",
        "Gib nur die Antwort.", "Donne uniquement la réponse.", "答えだけを出して。",
    ),
    Intent.TRANSLATE: (
        "Translate this.", "请翻译这段话。", "Traduce esto.", "Übersetze das.", "Traduis ceci.",
        "これを翻訳して。",
    ),
    Intent.SUMMARISE: (
        "Summarise this.", "请总结这段话。", "Haz un resumen.", "Fasse den Text zusammen.",
        "Fais un résumé.", "これを要約して。",
    ),
    Intent.CLASSIFY: (
        "Classify this.", "请分类。", "Clasifica esto.", "Klassifiziere das.",
        "Quelle catégorie convient ?", "これを分類して。",
    ),
    Intent.CODE: (
        "Write a function.", "写一个函数。", "Escribe una función.", "Schreibe eine Funktion.",
        "Écris une fonction.", "関数を書いて。",
    ),
}  # fmt: skip
SILENT = (
    "What is the weather in Lisbon tomorrow?", "明天里斯本天气怎么样？", "¿Qué tiempo hará mañana?",
    "Wie wird das Wetter morgen?", "Quel temps fera-t-il demain ?", "明日の天気はどうですか？",
)  # fmt: skip


@pytest.mark.parametrize("intent", Intent, ids=lambda i: i.name)
@pytest.mark.parametrize("language", LANGUAGES)
def test_sentence_is_recognised(intent: Intent, language: str) -> None:
    text = SENTENCES[intent][LANGUAGES.index(language)].encode()
    assert intents.match(text) & intent
    assert intents.match_slowly(text) == intents.match(text)


@pytest.mark.parametrize("text", SILENT)
def test_ordinary_question_has_no_intent(text: str) -> None:
    assert intents.match(text.encode()) == 0


def test_every_language_has_every_intent_once() -> None:
    assert Counter((p.intent, p.language) for p in PATTERNS) == Counter(
        (intent, language) for intent in Intent for language in LANGUAGES
    )


def test_patterns_are_safe_for_bytes_and_rows() -> None:
    for pattern in PATTERNS:
        source = pattern.regex
        assert not re.search(rb"\[[^\]]*[\x80-\xff]", source), source
        assert not re.search(rb"[\x80-\xff][?*+{]", source), source
        assert not re.search(rb"\.[*+?]|\\s|\\W|\\D", source), source
        assert re.compile(source, re.IGNORECASE).search(b"\0\0") is None


def test_rows_are_kept_apart() -> None:
    rows = [b"step by", b"step", b"translate", b"", b"nothing", b"step by step"]
    text = b"".join(row + b"\0" for row in rows)
    starts = np.cumsum([0] + [len(row) + 1 for row in rows]).astype(np.uint64)
    assert intents.match_rows(text, starts).tolist() == [intents.match(row) for row in rows]


def test_scanning_in_pieces_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [s.encode() for sentences in SENTENCES.values() for s in sentences]
    text = b"".join(row + b"\0" for row in rows)
    starts = np.cumsum([0] + [len(row) + 1 for row in rows]).astype(np.uint64)
    whole = intents.match_rows(text, starts)
    monkeypatch.setattr(intents, "_MAX_SCAN_BYTES", 100)
    assert intents.match_rows(text, starts).tolist() == whole.tolist()
    assert whole.tolist() == [intents.match_slowly(row) for row in rows]


def test_threads_that_start_together_compile_the_patterns_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compiling lets other threads run; an engine's workers are threads of one process."""
    real, made = intents._hyperscan(), []

    def database(**mode: object) -> object:
        made.append(mode)
        return real.Database(**mode)

    counting = SimpleNamespace(**{**vars(real), "Database": database})
    monkeypatch.setattr(intents, "_hyperscan", lambda: counting)
    intents._compiled_database.cache_clear()
    threads = [threading.Thread(target=intents._database) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    intents._compiled_database.cache_clear()
    assert len(made) == 1
