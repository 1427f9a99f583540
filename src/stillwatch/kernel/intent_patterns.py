"""The intent patterns, version 1: thirteen intents, each said in six languages.

Patterns work on UTF-8 bytes, ASCII letters without case, so that hyperscan and Python's ``re``
agree: no class holds a non-ASCII character, no quantifier follows one, gaps are bounded and stop
at NUL and LF. Every intent has one pattern in every language, so that no language shows more
intents because more was written for it.
"""

from __future__ import annotations

from enum import IntFlag
from typing import Final, NamedTuple

__all__ = ["LANGUAGES", "PATTERNS", "Intent", "IntentPattern"]


class Intent(IntFlag):
    """The bits of the ``intents`` column; weak hints, never evidence alone."""

    REASONING_REQUEST = 1 << 0
    REASONING_TAGS = 1 << 1
    GRADING = 1 << 2
    CRITIQUE = 1 << 3
    GENERATE_INSTRUCTIONS = 1 << 4
    JSONL_OUTPUT = 1 << 5
    EVOLVE_INSTRUCTION = 1 << 6
    ROLEPLAY_DEBUG = 1 << 7
    ANSWER_ONLY = 1 << 8
    TRANSLATE = 1 << 9
    SUMMARISE = 1 << 10
    CLASSIFY = 1 << 11
    CODE = 1 << 12


class IntentPattern(NamedTuple):
    """One regular expression over UTF-8 bytes, and what it speaks for."""

    intent: Intent
    language: str
    regex: bytes


LANGUAGES: Final = ("en", "zh", "es", "de", "fr", "ja")
_GAP: Final = r"[^\x00\n]{0,40}"

# «~» stands for a gap of at most 40 bytes on the same line.
_SOURCES: Final[dict[Intent, tuple[str, str, str, str, str, str]]] = {
    Intent.REASONING_REQUEST: (
        r"step[ -]by[ -]step|chain[ -]of[ -]thought|think (?:aloud|out loud)"
        r"|(?:show|explain|include|provide|write)~(?:your reasoning|thought process)",
        r"一步一步|逐步|分步|思维链|(?:思考|推理|推导|解题)(?:过程|步骤)",
        r"paso a paso|cadena de (?:pensamiento|razonamiento)"
        r"|(?:muestra|explica|incluye|escribe)~\b(?:tu razonamiento|proceso de pensamiento)\b",
        r"schritt f(?:ü|ue)r schritt|gedankenkette|schrittweise"
        r"|(?:zeig|erkl(?:ä|ae)r|schreib|nenn)~(?:gedankengang|denkprozess|(?:ü|ue)berlegungen)",
        r"(?:é|e)tape par (?:é|e)tape|pas (?:à|a) pas|cha(?:î|i)ne de (?:pens(?:é|e)e|raisonnement)"
        r"|(?:montre|explique|inclu|(?:é|e)cri)~(?:ton|votre) raisonnement",
        r"ステップバイステップ|段階的に|順を追って|一歩ずつ|思考の連鎖|(?:思考|推論)(?:の)?"
        r"(?:過程|プロセス|手順)",
    ),
    Intent.REASONING_TAGS: (
        r"</?(?:think|thinking|thought|reasoning|scratchpad|reflection|rationale)>",
        r"</?(?:思考|推理|思考过程|推理过程)>",
        r"</?(?:pensamiento|razonamiento|pensar)>",
        r"</?(?:denken|gedanken|(?:ü|ue)berlegung|begr(?:ü|ue)ndung)>",
        r"</?(?:r(?:é|e)flexion|raisonnement|pens(?:é|e)e)>",
        r"</?(?:思考|推論|思考過程|推論過程)>",
    ),
    Intent.GRADING: (
        r"\brubric\b|which (?:answer|response|output|assistant) is better|impartial judge"
        r"|(?:from|between|of|scale) [01] ?(?:-|to|and) ?(?:5|10|100)\b",
        r"评分标准|哪个(?:回答|答案|回复)更好|公正的评委|(?:打分|评分|评价)~[01] ?(?:-|到|至"
        r"|～) ?(?:5|10|100)",
        r"r(?:ú|u)brica|qu(?:é|e) respuesta es mejor|juez imparcial"
        r"|\b(?:punt(?:ú|u)a|califica|eval(?:ú|u)a|nota)~\b[01] ?(?:-|a|y) ?(?:5|10|100)\b",
        r"bewertungsraster|bewertungskriterien|welche antwort ist besser|unparteiischer richter"
        r"|(?:bewerte|benote|punkte|note)~\b[01] ?(?:-|bis|und) ?(?:5|10|100)\b",
        r"grille d'(?:é|e)valuation|quelle r(?:é|e)ponse est (?:la )?meilleure|juge impartial"
        r"|\b(?:note|(?:é|e)value|score)~\b[01] ?(?:-|(?:à|a)|et) ?(?:5|10|100)\b",
        r"採点基準|評価基準|どちらの(?:回答|答え|応答)が(?:より)?(?:良い|よい|優れ)|公平な審査員"
        r"|[01](?:点)?(?:-|から|〜|～)(?:5|10|100)(?:点)?~(?:採点|評価)",
    ),
    Intent.CRITIQUE: (
        r"\bcritique\b|(?:find|identify|point out|list)~\b(?:flaws|mistakes|errors|weaknesses)\b",
        r"批评|点评|(?:找出|指出|列出)~(?:错误|缺陷|问题|不足)",
        r"\bcr(?:í|i)tica\b|(?:encuentra|identifica|se(?:ñ|n)ala)~\b(?:fallos|errores"
        r"|debilidades)\b",
        r"kritisiere|(?:finde|nenne|identifiziere)~(?:fehler|m(?:ä|ae)ngel|schw(?:ä|ae)chen)\b",
        r"\bcritique[rz]?\b|(?:trouve|identifie|signale|rel(?:è|e)ve)~\b(?:erreurs|d(?:é|e)fauts"
        r"|faiblesses)\b",
        r"批評|批判的に|(?:誤り|間違い|欠点|問題点)を~(?:指摘|見つけ|挙げ)",
    ),
    Intent.GENERATE_INSTRUCTIONS: (
        r"(?:generate|create|write|come up with|produce)~(?:[0-9]{1,4}|diverse|set of)~"
        r"\b(?:instructions|questions|tasks|prompts|examples|problems)\b",
        r"(?:生成|创建|编写|写出|提出)~(?:[0-9]{1,4}|多样|一组|一系列)~(?:指令|问题|任务|提示词"
        r"|题目|示例)",
        r"(?:genera|crea|escribe|produce)~(?:[0-9]{1,4}|divers[ao]s|conjunto de)~"
        r"\b(?:instrucciones|preguntas|tareas|ejemplos|problemas)\b",
        r"(?:generiere|erstelle|schreibe?|erzeuge)~(?:[0-9]{1,4}|verschiedene|vielf(?:ä|ae)ltige"
        r"|reihe von)~"
        r"(?:anweisungen|fragen|aufgaben|prompts|beispiele)\b",
        r"(?:g(?:é|e)n(?:è|é|e)re|cr(?:é|e)e|(?:é|e)cri[st]|produi[st])~(?:[0-9]{1,4}|divers|vari"
        r"(?:é|e)|ensemble de)~"
        r"\b(?:instructions|questions|t(?:â|a)ches|exemples|probl(?:è|e)mes)\b",
        r"(?:[0-9]{1,4}|多様な|様々な|一連の)~(?:指示|質問|タスク|プロンプト|問題|例)~(?:生成"
        r"|作成|作っ|考え)",
    ),
    Intent.JSONL_OUTPUT: (
        r"\bjson ?lines?\b|\bjsonl\b|(?:one|each) json (?:object )?(?:per|on (?:each|a new)) line",
        r"每行一个 ?json|一行一个 ?json|json ?行格式",
        r"un (?:objeto )?json por l(?:í|i)nea|l(?:í|i)neas (?:de )?json",
        r"ein json(?:-objekt)? (?:pro|je) zeile|json-zeilen",
        r"un (?:objet )?json par ligne|lignes json",
        r"(?:1|一)行(?:に|ごとに)(?:1つ|一つ)?(?:の)? ?json|json ?ライン",
    ),
    Intent.EVOLVE_INSTRUCTION: (
        r"(?:rewrite|rephrase|evolve|transform)~"
        r"(?:more complex|harder|more difficult|more challenging|complex version)\b"
        r"|brand new (?:prompt|instruction)",
        r"(?:改写|重写|改编|升级)~(?:提示|指令|问题|题目)~(?:更复杂|更难|更具挑战|更困难)|全新的"
        r"(?:提示|指令)",
        r"(?:reescribe|reformula|transforma)~\b(?:instrucci(?:ó|o)n|pregunta|prompt)~"
        r"m(?:á|a)s (?:complej|dif(?:í|i)cil|exigente)|(?:instrucci(?:ó|o)n"
        r"|prompt) completamente nuev",
        r"(?:schreibe|formuliere|wandle)~\b(?:anweisung|frage|prompt|aufgabe)\b~"
        r"(?:komplexer|schwieriger|anspruchsvoller)|(?:v(?:ö|oe)llig|ganz) neue[rn]? (?:anweisung"
        r"|prompt)",
        r"(?:r(?:é|e)(?:é|e)cri|reformule|transforme)~\b(?:instruction|question|consigne|prompt)\b~"
        r"plus (?:complexe|difficile|exigeant)|(?:instruction|consigne) (?:enti(?:è|e)rement"
        r"|toute) nouvelle",
        r"(?:プロンプト|指示|質問|問題)を~(?:もっと|より)(?:複雑|難し|高度)|まったく新しい"
        r"(?:プロンプト|指示)",
    ),
    Intent.ROLEPLAY_DEBUG: (
        r"\b(?:debug|developer|maintenance|diagnostic) mode\b"
        r"|(?:print|translate|repeat|reveal|dump)~\b(?:working memory|internal (?:thoughts"
        r"|reasoning)|hidden reasoning)\b",
        r"(?:调试|开发者|维护|诊断)模式|(?:打印|翻译|复述|输出)~(?:工作记忆|内部思考|内部推理"
        r"|隐藏(?:的)?推理)",
        r"\bmodo (?:de )?(?:depuraci(?:ó|o)n|desarrollador|mantenimiento|diagn(?:ó|o)stico)\b"
        r"|(?:imprime|traduce|repite|revela)~\b(?:memoria de trabajo|razonamiento (?:interno"
        r"|oculto))\b",
        r"\b(?:debug|entwickler|wartungs|diagnose)-?modus\b"
        r"|(?:gib|(?:ü|ue)bersetze|wiederhole|zeige)~(?:arbeitsged(?:ä|ae)chtnis|interne[ns]? "
        r"(?:gedanken|denken))",
        r"\bmode (?:de )?(?:d(?:é|e)bogage|d(?:é|e)veloppeur|maintenance|diagnostic)\b"
        r"|(?:affiche|traduis|r(?:é|e)p(?:è|e)te|r(?:é|e)v(?:è|e)le)~\b(?:m(?:é"
        r"|e)moire de travail|raisonnement (?:interne|cach(?:é|e)))",
        r"(?:デバッグ|開発者|メンテナンス|診断)モード|(?:作業記憶|ワーキングメモリ|内部(?:の)?"
        r"(?:思考|推論))を~(?:出力|翻訳|表示|繰り返)",
    ),
    Intent.ANSWER_ONLY: (
        r"(?:only|just)~\b(?:the|with|your) (?:final )?answer\b|answer only|without "
        r"(?:any )?explanation|do not explain",
        r"只(?:需|要|给出|输出|回答|返回)~(?:答案|结果)|不(?:要|需要|用)(?:任何)?解释|无需解释",
        r"(?:solo|s(?:ó|o)lo|(?:ú|u)nicamente)~\bla respuesta\b|sin (?:ninguna )?explicaci(?:ó"
        r"|o)n|no expliques",
        r"nur (?:die|mit der)~\bantwort\b|ohne (?:jede )?erkl(?:ä|ae)rung|keine erkl(?:ä|ae)rung",
        r"(?:uniquement|seulement|juste)~\bla r(?:é|e)ponse\b|sans (?:aucune )?explication"
        r"|n'explique pas",
        r"(?:答え|回答|結果)(?:だけ|のみ)|説明(?:は|を)?(?:不要|なし|しない|せずに)",
    ),
    Intent.TRANSLATE: (
        r"\btranslat(?:e|ion)\b",
        r"翻译|译成|译为",
        r"\b(?:traduce|traducir|traducci(?:ó|o)n|traduzca)",
        r"(?:ü|ue)bersetz",
        r"\b(?:traduis|traduire|traduisez|traduction)\b",
        r"翻訳|訳して",
    ),
    Intent.SUMMARISE: (
        r"\bsummar(?:y|ies|i[sz]e)\b|\btl;?dr\b",
        r"总结|概括|摘要|归纳",
        r"\bres(?:ú)m(?:a|e|i)|\bresum(?:en|ir|a)\b",
        r"zusammenfass|fasse~zusammen\b",
        r"\br(?:é)sum(?:é|e)|\bresumez\b",
        r"要約|まとめて|概要",
    ),
    Intent.CLASSIFY: (
        r"\bclassif(?:y|ication)\b|\bsentiment\b|categori[sz]e\b|which (?:category|class|label)\b",
        r"分类|归类|情感(?:分析|倾向)|哪(?:个|一)(?:类别|类|标签)",
        r"\bclasifi(?:ca|car|caci(?:ó|o)n|que)\b|\bsentimiento\b|categoriza|qu(?:é|e) (?:categor"
        r"(?:í|i)a|clase|etiqueta)\b",
        r"klassifizier|kategorisier|\bstimmung\b|welche[rs]? (?:kategorie|klasse|label)\b",
        r"\bclass(?:e|er|ez|ifie|ifier|ification)\b|\bsentiment\b|cat(?:é|e)goris|quelle (?:cat"
        r"(?:é|e)gorie|classe|(?:é|e)tiquette)",
        r"分類|感情(?:分析|極性)|カテゴリ|どの(?:クラス|ラベル)",
    ),
    Intent.CODE: (
        r"```|\b(?:python|javascript|typescript|java|rust|sql|c\+\+) (?:code|function|script"
        r"|query|program)\b"
        r"|\b(?:write|fix|debug|refactor|implement)~\b(?:code|function|script|class|method"
        r"|program)\b",
        r"(?:写|编写|实现|修复|调试|重构)~(?:代码|函数|脚本|程序|方法)",
        r"(?:escribe|implementa|corrige|depura|refactoriza)~\b(?:c(?:ó|o)digo|funci(?:ó|o)n"
        r"|script|programa|m(?:é|e)todo)\b",
        r"(?:schreibe?|implementiere|korrigiere|debugge|refaktoriere)~\b(?:code|funktion|skript"
        r"|programm|methode)\b",
        r"(?:(?:é|e)cri[st]|impl(?:é|e)mente|corrige|d(?:é|e)bogue)~\b(?:code|fonction|script"
        r"|programme|m(?:é|e)thode)\b",
        r"(?:コード|関数|スクリプト|プログラム|メソッド)を~(?:書|実装|修正|デバッグ|リファクタ)",
    ),
}


def utf8_regex(source: str) -> bytes:
    """UTF-8, gaps spelled out, accented letters at the head of a group in both cases."""
    for letter in "áâäéèíîñóöúü":
        source = source.replace(f"(?:{letter}", f"(?:{letter}|{letter.upper()}")
    return source.replace("~", _GAP).encode()


PATTERNS: Final = tuple(
    IntentPattern(intent, language, utf8_regex(source))
    for intent, sources in _SOURCES.items()
    for language, source in zip(LANGUAGES, sources, strict=True)
)
