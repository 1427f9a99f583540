"""Prose that nobody needs to read before it leaves: sentences of a closed vocabulary of the trade.

A text passes when all of this holds; what fails goes to a person, and never through.

1. One plain writing: printable ASCII, single spaces, capitals only where a sentence or an acronym
   begins, balanced parentheses. So there are no look-alikes, hidden signs, encodings or case bits.
2. Every word is of the vocabulary, or one of the pairs that mean something lawful only together;
   one ambiguous word may stand in a sentence that names nothing of which it could tell commerce.
3. Numbers stand only in listed forms: log bands with what they count, dates that are past, ids of
   ATLAS and CVE, status codes, versions of standards, lengths of windows.
4. Every sentence is about the trade: it names a thing of it, or points at one with a pronoun.
5. No sentence tells, with lawful words, of a provider's growth, plans, volume or conduct, and none
   gives an order or advice. First persons only observe.
6. Nothing is spelled by first or last letters, or by two words that make a third.
7. Words stand in an order that English has, and do not repeat: drawn words could be a code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from stillwatch.share.catalogue import ATLAS, MEASURES
from stillwatch.share.commercial import joins
from stillwatch.share.techniques import PUBLIC_IDS
from stillwatch.share.told import PERSON, Fault, acronyms, names_trade, spelled, told, unnatural
from stillwatch.share.vocabulary import vocabulary
from stillwatch.share.words import BANDS

__all__ = ["LONGEST", "Fault", "faults", "unlisted"]

LONGEST: Final = 500  # characters of a text
_LONGEST_NAME: Final = 100
_LONGEST_SENTENCE: Final = 45


_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_COUNTED: Final = (
    "(?:coordinated |distinct |linked |similar )?"
    "(?:accounts|exchanges|requests|prompts|addresses|campaigns|conversations|templates)"
)
_CODE: Final = "(?:200|400|401|403|404|408|429|500|502|503|504)"
_KNOWN_IDS: Final = frozenset({*ATLAS, *MEASURES, *PUBLIC_IDS, "AML.CS0056"})


# What a template or a method consists of; of accounts and requests only bands are told
_SMALL: Final = (
    "(?:same |different |adjacent |overlapping |alternating |successive |similar |known |other |"
    "consecutive |identical |distinct |linked |candidate |alternative |benign |independent |"
    "separate |possible |unrelated |further )?(?:words|tokens|turns|lines|answers|candidates|"
    "questions|"
    "languages|roles|personas|passages|scripts|tools|proxies|solutions|schedulers|"
    "spellings|wordings|rounds|branches|choices|options|classes|hops|templates|frames|bands|steps|"
    "techniques|methods|variants|patterns|openings|prefixes|stages|phases|indicators|fields|"
    "conversations|autonomous systems|domains|subnets|subnetworks|reviewers|analysts|hypotheses|"
    "categories|headers|cookies|hashes|strings|instructions|annotators|observers|"
    "characters|examples|messages|signals|factors|kinds|parts|sentences|sections|paragraphs|"
    "seconds|minutes|draws|placeholders|"
    "samples|criteria|fields|subsets|halves|waves|sessions|repetitions|tests|"
    "signatures|fingerprints|digits|letters|columns|rows|blocks|chapters|topics|subjects|dialogues|"
    "examples|attempts|copies|personas|schemas|tags|networks|hosting networks|independent signals|"
    "ways|styles|registers|cohorts|log sources|data sources|"
    "benign clusters|clusters of (?:accounts|keys|prompts|requests|sessions|subjects)|"
    "hypotheses|explanations|reasons|lines of evidence|directions|levels|"
    "categories|points|places|cases|mistakes|typos|sets|lists|regions|time zones|links)"
)


_FEW: Final = (
    "(?:[Tt]wo|[Tt]hree|[Ff]our|[Ff]ive|[Ss]ix|[Ss]even|[Ee]ight|[Nn]ine|[Tt]en|[Ee]leven"
    "|[Tt]welve)"
)
# Round numbers of seconds and minutes, between requests
_ROUND: Final = (
    "(?:[2-9]|1[0-2]|15|20|25|30|40|45|50|60|90|100|120|150|200|250|300|400|500|[Tt]wenty|[Tt]hirty"
    "|[Ff]orty|[Ff]orty-five|[Ss]ixty|[Nn]inety)"
)
# How alike two things are, rounded; how sure one is stands in a field of its own
_LEVEL: Final = r"(?:0\.[1-9]|0\.[1-9]5|0\.9[89]|(?:[1-9]0|[1-9]5|9[89]) ?(?:percent|%))"
# Names of header fields that are words, or would be written as no word is (RFC 9110 and others)
_HEADERS: Final = (
    "Accept|Age|Authorization|Connection|Cookie|Date|DNT|ETag|Expect|Forwarded|From|Host|Origin"
    "|Pragma|Range|Referer|Server|TE|Upgrade|Via|Warning"
)
# Arguments of a request for inference, as the public interfaces name them
_ARGUMENTS: Final = (
    "max_tokens|max_output_tokens|max_completion_tokens|top_p|top_k|top_logprobs|logit_bias"
    "|frequency_penalty|presence_penalty|stop_sequences|tool_choice|response_format"
    "|reasoning_effort"
)
# A season with its year is past with its last month; the year of a winter is that of its January
_SEASONS: Final = {"spring": "May", "summer": "August", "autumn": "November", "winter": "February"}
_DAYS: Final = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?"
# A month without its year is the last such one; one that could be meant to come is not listed
_MONTH: Final = (
    r"(?:in|since|during|from|between|through|before|after|until|late|early|mid) "
    rf"(?:{'|'.join(_MONTHS)})"
    rf"(?: (?:and|to|until) (?:again )?(?:in )?(?:{'|'.join(_MONTHS)}))?"
)
# In which a prompt is written; nobody's accounts are told by it
_LANGUAGES: Final = (
    "Arabic|Bengali|Chinese|Czech|Dutch|English|French|German|Greek|Hebrew|Hindi|Indonesian|Italian"
    "|Japanese|Korean|Latin|Persian|Polish|Portuguese|Romanian|Russian|Spanish|Swahili|Swedish|Thai"
    "|Turkish|Ukrainian|Urdu|Vietnamese"
)
_NEAREST: Final = 5  # months back that a month without a year may lie; more could be to come


def _bands() -> str:
    found = []
    for band in BANDS:
        low, high = band.split("-")
        edges = [f"(?:{n}|{int(n):,})" for n in (low, high) if n]
        spans = rf"{edges[0]}(?:-| to ){edges[-1]}|[Bb]etween {edges[0]} and {edges[-1]}"
        found.append(spans if high else rf"{edges[0]} and more")
    return "|".join(found)


# What may hold digits, and a few quantities in words; each becomes one token.
_FORMS: Final = tuple(
    (token, re.compile(rf"(?<![\w@.,/-])(?:{pattern})(?![\w@/-]|[.,]\d)"))
    for token, pattern in (
        ("@date", r"20\d\d-\d\d(?:-\d\d)?"),
        ("@date", rf"(?:{'|'.join(_MONTHS)}) (?:and|to|until) "
                  rf"(?:{'|'.join(_MONTHS)}) 20\d\d"),  # as it is past, so is what begins
        ("@date", rf"(?:\d{{1,2}} )?(?:{'|'.join(_MONTHS)}) 20\d\d"),
        ("@date", rf"(?:{'|'.join(_SEASONS)}) 20\d\d"),
        ("@date", rf"(?:{'|'.join(_MONTHS)}) \d{{1,2}}, 20\d\d"),
        ("@month", _MONTH),
        ("@weekday", rf"(?:on|every|between|from|late on|early on) {_DAYS}"
                     rf"(?: (?:and|to|or|until|through) (?:on )?{_DAYS})?"
                     rf"(?: (?:mornings?|afternoons?|evenings?|nights?))?"),
        ("@weekday", r"(?:at|around|until|after|before|past|from|near) (?:midnight|noon|midday)"
                     r"(?: UTC)?"),
        ("@weekday", r"(?:[Dd]uring|[Ii]n|[Aa]t|[Oo]n|over) (?:the )?"
                     r"(?:nights?|weekends?|weekdays?|mornings?|evenings?|afternoons?)"),
        ("@band", rf"(?:{_bands()}) {_COUNTED}"),
        ("@beat", rf"(?:{_FEW}|a few|several)(?: hundred)? (?:milliseconds|seconds|minutes) "
                  r"(?:later|earlier|apart|before|after)"),
        ("@beat", rf"(?:[Ww]ithin|[Aa]fter|[Ee]very) (?:{_FEW}|a few|several) "
                  r"(?:milliseconds|seconds|minutes)"),
        ("@beat", rf"{_ROUND} ?(?:ms|milliseconds|seconds|minutes)"
                  r"(?: (?:later|earlier|apart|before|after))?"),
        ("@beat", rf"(?:gap|gaps|pause|pauses|break|breaks|silence|delay|delays|lag|interval"
                  rf"|intervals) of (?:exactly |about |roughly |at least |at most )?"
                  rf"(?:{_FEW}|{_ROUND}|a few|several) (?:seconds|minutes|hours|days|weeks)"),
        ("@level", rf"(?:similarity|overlap|correlation|precision|recall|agreement"
                   rf"|coefficient|index|score|purity)"
                   rf" (?:of |is |was |lies |at )?(?:above |over |below |near |around |at least "
                   rf"|about |roughly )?{_LEVEL}"),
        ("@level", r"temperatures? (?:of |set to |at |is |was |fixed at )?(?:0|1|0\.[0-9]|1\.0)"),
        ("@span", rf"(?:{_FEW}|a few|several) "
                   r"(?:seconds|minutes|hours|days|weeks) "
                   r"(?:later|earlier|apart|before|after|of (?:activity|inactivity|logs|silence))"),
        ("@lasting", r"(?:[Ww]ithin|[Aa]fter|[Oo]ver|[Ff]or|[Ee]very|[Dd]uring) "
                  rf"(?:the (?:first|last) )?{_FEW} (?:seconds|minutes|hours|days|weeks)"),
        ("@lasting", rf"{_FEW} (?:hours|days|weeks|mornings|afternoons|evenings|nights|weekends"
                     r"|windows|observation windows)"),
        ("@size", rf"(?:first|last|leading|trailing) (?:3|4|5|6|8|10|12|16|{_FEW}|sixteen) tokens"),
        ("@small", r"by (?:two|three) (?:analysts|people|persons|reviewers)"),
        ("@small", rf"(?:{_FEW}|[Dd]ozens of) {_SMALL}"),
        ("@share", r"(?:[Oo]ver|[Mm]ore than|[Aa]t least|[Aa]bout|[Nn]early|[Rr]oughly) "
                   r"(?:50|75|80|90|95|99) ?(?:percent|%) of (?:all|its|the|their|these) "
                   r"(?:messages|openings|payloads|prompts)"),
        ("@quantity", rf"(?:[Tt]ens|[Dd]ozens|[Hh]undreds|[Tt]housands|[Tt]ens of thousands"
                      rf"|[Hh]undreds of thousands)"
                      rf" of {_COUNTED}"),
        ("@span", r"(?:a few|several) hundred milliseconds"),
        ("@name", rf"(?:{_HEADERS}) headers?"),
        ("@name", _ARGUMENTS),
        ("@name", r"JSON Lines|JavaScript|TypeScript|Chromium|Chrome|Firefox|Safari|Selenium"
                  r"|Playwright|Puppeteer|Linux|Windows|Android|macOS|iOS|Ubuntu"
                  r"|Docker (?:containers?|hosts?|images?)|Kubernetes (?:clusters?|jobs?|pods?)"
                  r"|Debian|Nginx|Squid|WireGuard|OpenVPN|Shadowsocks|LangChain|Node\.js|cURL"
                  r"|Tor (?:exits?|exit nodes?|network|relays?)|OpenAI-compatible|ATT&CK"
                  r"|(?:GitHub|GitLab) (?:gists?|repositories|repository)"
                  r"|(?:Discord|Telegram) (?:bots?|channels?|groups?)"
                  r"|from one to (?:five|ten)|Accept-Encoding|Accept-Language|Cache-Control"
                  r"|Content-Type|Retry-After|User-Agent|X-Forwarded-For"
                  r"|Levenshtein|Jaccard|Bloom filters?|Caesar cipher"
                  r"|(?:Go|Rust|Java|Ruby|Perl|PHP) "
                  r"(?:client|library|program|script|runtime|code)"),
        ("@tongue", rf"(?:from|between) (?:{_LANGUAGES}) (?:and|to|into) (?:{_LANGUAGES})"),
        ("@language", rf"(?:in|into) (?:{_LANGUAGES})(?:(?:, (?:{_LANGUAGES})){{0,5}}"
                      rf",? (?:and|or) (?:{_LANGUAGES}))?"),
        ("@language", rf"(?:American|British|{_LANGUAGES})(?: (?:and|or) (?:{_LANGUAGES}))?"
                      r" (?=(?:prompts?|questions?|versions?|text|texts|wordings?|phrases?|phrasing"
                      r"|template|templates|translations?|variants?|instructions?|sentences?|words?"
                      r"|preamble|seed|seeds|spelling|dialogue|dialogues|forums?|usage)\b)"),
        ("@id", "|".join(re.escape(one) for one in sorted(_KNOWN_IDS, reverse=True))),
        ("@cve", r"CVE-(?:1999|20\d\d)-\d{4,5}"),
        ("@code", rf"(?:HTTP|status|status code|status codes) {_CODE}"
                  rf"(?:(?:,| and| or) (?:HTTP )?{_CODE})*"),
        ("@version", r"TLS 1\.[0-3]|HTTP/1\.1|HTTP/[23]|STIX 2\.[01]|TAXII 2\.[01]|TLP 2\.0"
                     r"|IEP 2\.0|OAuth 2\.[01]|RFC (?:6962|9497|9334|7519)"),
        ("@window", r"(?:24|48|72) hours|(?:7|14|28|30|60|90|[Tt]hirty|[Ss]ixty|[Nn]inety) days"
                    r"|24/7"),
        ("@size", r"/(?:16|24|32|48|56|64)|(?:64|128|256)-bit"),
    )
)  # fmt: skip
# A small number before up to three words, of which the first plural is what it counts
_SOME: Final = re.compile(
    rf"(?<![\w@.,/-]){_FEW} ((?:[a-z]+(?:-[a-z]+)? ){{0,2}}[a-z]+s)(?![\w@/-])"
)
_CODE_NAME: Final = re.compile(
    r"^(?:(?:Campaign|Cluster|Operation) )?([A-Z][a-z]+) ([A-Z][a-z]+)(?=$|[:,] )"
)
_TOKEN: Final = re.compile(r"(\(?)([A-Za-z0-9@][A-Za-z0-9@:+'-]*?)(\)?)([,;:.]?)")
_PLACED: Final = frozenset(token for token, _ in _FORMS)
_PASSED: Final = _PLACED | {"i", "we", "our", ",", ";", ":"}
# Sets of words beside which an ambiguous one could tell of commerce
_MARKET: Final = (
    "weighty", "providers", "products", "offered", "served", "judged", "growth", "newness",
    "places",
)  # fmt: skip
_PARTS: Final = 4  # of a compound, at most


def faults(text: str, *, now: datetime, own: str = "", name: bool = False) -> list[Fault]:
    """Return why a text needs a person, empty where it does not. ``now``: UTC.

    ``own``: a campaign's handle, which its own text may repeat. ``name``: a title, not sentences.
    """
    if not re.fullmatch(r"[A-Za-z][ -~]*", text) or "  " in text or text.endswith(" "):
        return [Fault(PERSON, "is not written plainly")]
    if "@" in text or len(text) > (_LONGEST_NAME if name else LONGEST):
        return [Fault(PERSON, "is not written plainly, or too long")]
    shown = re.sub(rf"(?<![\w-]){re.escape(own)}(?![\w-])", "@id", text) if own else text
    if name:
        shown = _CODE_NAME.sub(_coded, shown, count=1)
    shown, wrong = _numbered(shown, now)
    sentences = _sentences(shown, name=name)
    if sentences is None:
        return [Fault(PERSON, "is not written plainly")]
    found = [Fault(PERSON, "holds a date that is none or not past")] if wrong else []
    plain, sentences = sentences, [_meant(one) for one in sentences]
    unknown = sum(len(_unknown(one)) for one in sentences)
    if unknown:
        found.append(Fault(PERSON, f"holds {unknown} word(s) or number(s) that are not listed"))
    if shown.count("@cve") > (0 if name else 2):
        found.append(Fault(PERSON, "holds more CVE ids than two, or one in a name"))
    found += spelled(plain)
    if "@" in shown:  # a name or a month has a first letter, too
        found += spelled(_as_written(text))
    if not names_trade(sentences[0] if not _answers(sentences[0]) else sentences[-1]):
        found.append(Fault(PERSON, "begins with a sentence that names no thing of the trade"))
    for one in sentences:
        found += told(one)
    for one in plain if not name else ():
        found += unnatural(one)
    return list(dict.fromkeys(found))


def _meant(words: Sequence[str]) -> list[str]:
    """Return a sentence's words, those with two meanings as the one that they have there."""
    row = "".join(f" {word}" for word in words)
    for found, read in vocabulary().senses:
        row = found.sub(read, row)
    return row.split()


def _answers(words: Sequence[str]) -> bool:
    """Return whether a sentence is an opinion's answer alone: strongly agree."""
    return vocabulary().told["answer"].issuperset(words)


def _numbered(text: str, now: datetime) -> tuple[str, bool]:
    """Return the text with its listed forms as tokens, and whether a date is none or to come."""
    wrong = False
    for place, form in _FORMS:
        if place == "@date":
            wrong = wrong or any(not _past(date[0], now) for date in form.finditer(text))
        if place == "@month":
            wrong = wrong or any(not _ago(month[0], now) for month in form.finditer(text))
        if place == "@cve":
            wrong = wrong or any(int(cve[0][4:8]) > now.year for cve in form.finditer(text))
        text = form.sub(place, text)
    return _SOME.sub(_few, text), wrong


def _coded(found: re.Match[str]) -> str:
    """Return a campaign's name of two listed words as a token: Quiet Harbour."""
    sets = vocabulary().told
    one, other = found[1].lower(), found[2].lower()
    return "@id" if one in sets["hue"] and other in sets["emblem"] else found[0]


def _few(found: re.Match[str]) -> str:
    """Return what follows a small number, the number as a token where it counts listed things.

    The words in between stay and are looked at like all others.
    """
    sets = vocabulary().told
    uncounted = sets["uncounted"] | sets["offered"] | sets["products"] | sets["served"]
    nouns = [word for word in found[1].split() if word[-1] == "s"]
    counts = nouns[:1] and nouns[0] in sets["things"] and nouns[0] not in uncounted
    return f"@small {found[1]}" if counts else found[0]


def _past(date: str, now: datetime) -> bool:
    date = re.sub("^[A-Z][a-z]+ (?:and|to|until) ", "", date)
    season, _, year = date.partition(" ")
    if season in _SEASONS:
        date = f"{_SEASONS[season]} {year}"
    for form in ("%Y-%m-%d", "%Y-%m", "%d %B %Y", "%B %d, %Y", "%B %Y"):
        try:
            moment = datetime.strptime(date, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return moment.year >= 2020 and moment <= now
    return False


def _ago(said: str, now: datetime) -> bool:
    """Return whether the months that are named lie in those before now, this one included.

    What is after this month, or until it, is to come.
    """
    named = [at for at, month in enumerate(_MONTHS, 1) if re.search(rf"\b{month}\b", said)]
    least = 1 if re.search(r"\b(?:after|until|before|through|to)\b", said) else 0
    return all(least <= (now.month - at) % 12 <= _NEAREST for at in named)


def _sentences(text: str, *, name: bool) -> list[list[str]] | None:
    """Return the sentences as lists of words in lower case; None: not written plainly.

    Marks that part a sentence (comma, colon, semicolon) are words of their own.
    """
    sentences: list[list[str]] = [[]]
    written: list[str] = []
    depth = 0
    for part in text.split(" "):
        token = _TOKEN.fullmatch(part)
        if token is None:
            return None
        opened, word, closed, mark = token.groups()
        depth += bool(opened) - bool(closed)
        if depth not in (0, 1) or (mark == "." and (depth or name)):
            return None
        if not name and not _cased(word, first=not sentences[-1]):
            return None
        written.append(word)
        sentences[-1].append(word.lower())
        if mark == ".":
            sentences.append([])
        elif mark:
            sentences[-1].append(mark)
    if depth or (name and not _title(written)):
        return None
    sentences = [one for one in sentences if one]
    return sentences if all(len(one) <= _LONGEST_SENTENCE for one in sentences) else None


def _as_written(text: str) -> list[list[str]]:
    """Return the words of each sentence in lower case, numbers and marks left out."""
    words = [[part.strip("(),;:.").lower() for part in one.split(" ")] for one in text.split(". ")]
    return [[word for word in one if word[:1].isalpha()] for one in words]


def _cased(word: str, *, first: bool) -> bool:
    if word in _PLACED or word == "I" or _acronym(word):
        return True
    return word[0].isupper() and (len(word) == 1 or word[1:].islower()) if first else word.islower()


def _acronym(word: str) -> bool:
    """Return whether a word is an acronym or a compound of one: API, IP's, JSON-only."""
    known = vocabulary().acronyms
    word = word.removesuffix("'s")
    parts = word.split("-")
    return word in known or (
        len(parts) > 1 and parts[0] in known and all(p.islower() or p in known for p in parts[1:])
    )


def _title(words: Sequence[str]) -> bool:
    """Return whether a name is written one of two ways: Like This Here, or like a sentence."""
    plain = [w for w in words if w[0] != "@" and not _acronym(w)]
    if any(w != w.lower() and w != w.capitalize() for w in plain):
        return False
    later = plain[1:] if plain and plain[0] == words[0] else plain
    if plain and plain[0] == words[0] and not plain[0][0].isupper():
        return False
    return not any(w[0].isupper() for w in later) or all(
        w[0].isupper() if len(w) > 3 else w.islower() for w in later
    )


def unlisted(text: str, *, now: datetime, own: str = "") -> list[str]:
    """Return the words of one's own text that are not listed, for its author alone to read.

    A refusal never names them. Empty where the text is not written plainly, too.
    """
    shown = re.sub(rf"(?<![\w-]){re.escape(own)}(?![\w-])", "@id", text) if own else text
    sentences = map(_meant, _sentences(_numbered(shown, now)[0], name=False) or ())
    return list(dict.fromkeys(word for one in sentences for word in _unknown(one)))


def _unknown(words: Sequence[str]) -> list[str]:
    """Return the words that are neither of the vocabulary nor of a listed pair.

    A pair may be written with a hyphen (load-balancer), and stand beside another compound
    (reward-model training): it is looked for in the parts of compounds.
    """
    parts = [(at, part) for at, word in enumerate(words) for part in word.split("-")]
    row = [part for _, part in parts]
    paired: set[int] = set()
    for size in (2, 3, 4, 5):
        for at in range(len(row) - size + 1):
            if tuple(row[at : at + size]) in vocabulary().pairs:
                paired.update(range(at, at + size))
    bare = {at for k, (at, part) in enumerate(parts) if k not in paired and not _is_part(part)}
    many = {at for at, word in enumerate(words) if word.count("-") >= _PARTS}
    found = [
        word
        for at, word in enumerate(words)
        if at in bare | many and word not in _PASSED and not _is_known(word)
    ]
    return [] if _mild(found, words) else found


def _mild(unknown: Sequence[str], words: Sequence[str]) -> bool:
    """Return whether all that is not listed is one word that could tell of commerce, of nothing.

    A sentence of prompts, templates or logs that names nobody of the market, no account, no model,
    nothing that is offered, no number and no time cannot tell a price, a plan or a customer by it.
    """
    sets = vocabulary().told
    return (
        len(unknown) == 1
        and unknown[0] in sets["mild"]
        and unknown[0] != words[0]  # where a sentence begins it could be an order
        and all(sets[name].isdisjoint(words) for name in _MARKET)
    )


def _is_part(part: str) -> bool:
    return part in vocabulary().words or part in acronyms()


def _is_known(word: str) -> bool:
    known = vocabulary()
    word = word.removesuffix("'s").removesuffix("s'") if "'" in word else word
    if word in known.words or word in acronyms():
        return True
    turned = re.fullmatch("(?:mis|un)([a-z]+(?:able|ed|en|ing))", word)  # unfilled, mislabelled
    if turned and turned[1] in known.words:
        return True
    before, _, rest = word.partition("-")  # inter-arrival
    return (
        not joins(before, rest)  # re-venue
        and before in known.told["prefixes"]
        and rest.count("-") < _PARTS
        and all(map(_is_part, rest.split("-")))
    )
