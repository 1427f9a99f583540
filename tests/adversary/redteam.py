"""A second maker of payloads, which shares no trick with `smuggling`.

Where `smuggling` bends objects of ours, this one writes what any STIX 2.1 tool might: every type
of the standard with the properties that hold text, an analyst's own extensions, patterns with
comments, language content, granular markings; and ours with a message where random or derived
values belong.
"""

from __future__ import annotations

import base64
import bz2
import json
import lzma
import random
import urllib.parse
import uuid
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from stillwatch.share import content as make
from stillwatch.share.catalogue import ATLAS, CATALOGUE, IEP, TLP
from stillwatch.share.words import CLEAR_KINDS, EXT, TOKEN_KINDS

Obj = dict[str, Any]
Rng = random.Random

SECRETS = (
    "two dollars and forty cents per thousand tokens", "fourteen per cent below list",
    "our enterprise tier goes to nineteen ninety nine", "Initech moves its workloads in autumn",
    "Umbrella Holdings pays late", "we have forty thousand accelerators in Iowa",
    "pretraining ends in week thirty", "the successor ships on 3 March",
    "we will not bid for Hooli",
    "let us keep to our own accounts", "nobody should onboard them", "we cut them off on Monday",
    "4 217 903 requests a day from Vandelay", "quarterly revenue 1.3 billion",
    "cost of serving fell by a third", "sto euro al mese per utente",
    "novanta centesimi a richiesta",
    "doze dólares por milhão", "o cliente Soylent renovou", "sześćdziesiąt groszy za tysiąc",
    "тридцать рублей за тысячу", "每百万词元十二元", "顧客はワイヤード社", "가격은 십이 달러",
    "السعر اثنا عشر دولارا", "מחיר שנים עשר דולר", "दाम बारह डॉलर", "τιμή δώδεκα ευρώ",
    "giá mười hai đô la", "harga dua belas dolar", "fiyat on iki dolar", "ціна дванадцять гривень",
)  # fmt: skip
_GREEK = str.maketrans("aeikmnoptuvx", "αεικmηορτυνχ")
_CHEROKEE = str.maketrans("ABCDEGHIJKLMPRSTVWZ", "ᎪᏴᏟᎠᎬᏀᎻᎥᎫᏦᏞᎷᏢᏒᏚᎢᏙᎳᏃ")
_ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_WORDS = (
    "alfa", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett",
    "kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango",
    "uniform", "victor", "whiskey", "xray", "yankee", "zulu",
)  # fmt: skip


def _bytes(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _bits(text: str, zero: str, one: str) -> str:
    return "".join(one if bit == "1" else zero for b in text.encode() for bit in f"{b:08b}")


DISGUISES: dict[str, Callable[[str, Rng], str]] = {
    "words": lambda t, r: t,
    "title": lambda t, r: t.title().swapcase(),
    "bz2": lambda t, r: base64.b64encode(bz2.compress(t.encode())).decode(),
    "xz": lambda t, r: base64.b85encode(lzma.compress(t.encode())).decode(),
    "deflate in hex": lambda t, r: zlib.compress(t.encode()).hex(),
    "JSON in Base64": lambda t, r: _bytes(json.dumps({"offer": {"text": t}})),
    "JSON in JSON": lambda t, r: json.dumps(json.dumps({"note": t})),
    "UTF-16": lambda t, r: base64.b64encode(t.encode("utf-16")).decode(),
    "UTF-7": lambda t, r: t.encode("utf-7").decode(),
    "punycode": lambda t, r: "xn--" + t.encode("punycode").decode(),
    "percent twice": lambda t, r: urllib.parse.quote(urllib.parse.quote(t)),
    "octal": lambda t, r: "".join(f"\\{b:03o}" for b in t.encode()),
    "named entities": lambda t, r: "".join(f"&#x{ord(c):x};" for c in t),
    "rot47": lambda t, r: "".join(
        chr(33 + (ord(c) + 14) % 94) if "!" <= c <= "~" else c for c in t
    ),
    "caesar": lambda t, r: "".join(
        chr((ord(c) - 97 + 7) % 26 + 97) if "a" <= c <= "z" else c for c in t.lower()
    ),
    "Vigenère": lambda t, r: "".join(
        chr((ord(c) - 97 + ord("meter"[k % 5]) - 97) % 26 + 97) if "a" <= c <= "z" else c
        for k, c in enumerate(t.lower())
    ),
    "Greek letters": lambda t, r: t.lower().translate(_GREEK),
    "Cherokee letters": lambda t, r: t.upper().translate(_CHEROKEE),
    "small capitals": lambda t, r: "".join(
        "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡxʏᴢ"[ord(c) - 97] if "a" <= c <= "z" else c for c in t.lower()
    ),
    "flags": lambda t, r: "".join(
        chr(0x1F1E6 + ord(c) - 97) if "a" <= c <= "z" else c for c in t.lower()
    ),
    "right to left": lambda t, r: "\u202e" + t[::-1] + "\u202c",
    "isolates": lambda t, r: "\u2066" + "\u2069\u2066".join(t.split()) + "\u2069",
    "variation selectors": lambda t, r: "a" + "".join(chr(0xE0100 + b) for b in t.encode()),
    "zero-width bits": lambda t, r: "relay" + _bits(t, "\u200b", "\u200c"),
    "case bits": lambda t, r: "".join(
        c.upper() if bit == "1" else c
        for c, bit in zip("adversarialdistillation" * 40, _bits(t, "0", "1"), strict=False)
    ),
    "acrostic": lambda t, r: " ".join(
        next((w for w in _WORDS if w[0] == c), "and") for c in t.lower() if "a" <= c <= "z"
    ),
    "every second letter": lambda t, r: "".join(c + r.choice("qxz") for c in t),
    "Roman numerals": lambda t, r: " ".join(
        _ROMAN[int(c)] for c in str(r.randrange(10**6)) if c > "0"
    ),
    "emoji": lambda t, r: "💲📈🏷️ " + " ".join(t.split()[:3]),
    "soft hyphens": lambda t, r: "\u00ad".join(t),
    "line breaks": lambda t, r: "\n".join(t),
    "HTML": lambda t, r: f"<p title='{t}'>relay</p>",
    "Markdown": lambda t, r: f"[relay](https://example.org/?q={urllib.parse.quote(t)})",
    "data URL": lambda t, r: f"data:text/plain;base64,{_bytes(t)}",
    "comment": lambda t, r: f"/* {t} */",
    "as a version": lambda t, r: "v" + ".".join(str(b) for b in t.encode()[:12]),
    "as an address": lambda t, r: ":".join(t.encode().hex()[i : i + 4] for i in range(0, 32, 4)),
    "a number alone": lambda t, r: f"{r.uniform(0.1, 99):.2f}",
}  # fmt: skip


def _id(kind: str, rng: Rng) -> str:
    return f"{kind}--{uuid.UUID(int=rng.getrandbits(128), version=4)}"


def _when(now: datetime, rng: Rng) -> str:
    return (now - timedelta(days=rng.randint(1, 40))).strftime("%Y-%m-%dT%H:%M:%S.000Z")


# Type → properties of the standard that hold text, and how (a text, a list, a table).
TEXTS: dict[str, tuple[str, ...]] = {
    "attack-pattern": ("name", "description", "aliases[]"),
    "campaign": ("name", "description", "aliases[]", "objective"),
    "course-of-action": ("name", "description", "action_bin", "action_reference{}"),
    "grouping": ("name", "description", "context"),
    "identity": ("name", "description", "roles[]", "sectors[]", "contact_information"),
    "incident": ("name", "description"),
    "indicator": ("name", "description", "pattern", "indicator_types[]"),
    "infrastructure": ("name", "description", "aliases[]", "infrastructure_types[]"),
    "intrusion-set": ("name", "description", "aliases[]", "goals[]", "primary_motivation"),
    "location": ("name", "description", "region", "city", "street_address", "postal_code"),
    "malware": ("name", "description", "aliases[]", "capabilities[]"),
    "malware-analysis": ("product", "version", "result_name", "analysis_definition_version"),
    "note": ("abstract", "content", "authors[]"),
    "observed-data": ("objects{}",),
    "opinion": ("explanation", "authors[]", "opinion"),
    "report": ("name", "description", "report_types[]"),
    "threat-actor": ("name", "description", "aliases[]", "roles[]", "goals[]", "sophistication"),
    "tool": ("name", "description", "aliases[]", "tool_version"),
    "vulnerability": ("name", "description"),
    "relationship": ("relationship_type", "description"),
    "sighting": ("description", "summary"),
    "artifact": ("payload_bin", "url", "mime_type", "decryption_key"),
    "autonomous-system": ("name", "rir"),
    "directory": ("path", "path_enc"),
    "domain-name": ("value",),
    "email-addr": ("value", "display_name"),
    "email-message": ("subject", "body", "received_lines[]", "additional_header_fields{}"),
    "file": ("name", "name_enc", "magic_number_hex", "hashes{}"),
    "mutex": ("name",),
    "network-traffic": ("protocols[]", "ipfix{}"),
    "process": ("cwd", "command_line", "environment_variables{}"),
    "software": ("name", "cpe", "swid", "vendor", "version", "languages[]"),
    "url": ("value",),
    "user-account": ("user_id", "credential", "account_login", "display_name"),
    "windows-registry-key": ("key", "values{}"),
    "x509-certificate": ("issuer", "subject", "serial_number", "x509_v3_extensions{}"),
    "extension-definition": ("name", "description", "schema", "version"),
    "x-analyst-remark": ("remark",),
}


def foreign(text: str, now: datetime, rng: Rng) -> Obj:
    """Return an object as any STIX tool writes it, the message in one of its texts."""
    kind = rng.choice(list(TEXTS))
    slot = rng.choice(TEXTS[kind])
    made: Obj = {"type": kind, "spec_version": "2.1", "id": _id(kind, rng),
                 "created": _when(now, rng), "created_by_ref": _id("identity", rng),
                 "object_marking_refs": [TLP["amber"]]}  # fmt: skip
    made["modified"] = made["created"]
    if slot.endswith("[]"):
        made[slot[:-2]] = ["relay", text]
    elif slot.endswith("{}"):
        made[slot[:-2]] = {rng.choice(["0", text[:40]]): rng.choice([text, {"value": text}])}
    else:
        made[slot] = text
    return made


def unmarked(rng: Rng, now: datetime) -> Obj:
    """Return a lawful object without this message."""
    by, then = _id("identity", rng), now - timedelta(hours=rng.randint(2, 90))
    kind = rng.choice(["indicator", "token", "infrastructure", "opinion", "note", "relationship"])
    about = f"campaign--{uuid.uuid5(uuid.NAMESPACE_OID, str(rng.getrandbits(64)))}"
    if kind == "indicator":
        return make.indicator(rng.choice(CLEAR_KINDS), f"{rng.getrandbits(64):016x}", by=by,
                              since=then)  # fmt: skip
    if kind == "token":
        return make.indicator(rng.choice(TOKEN_KINDS), f"{rng.getrandbits(256):064x}", by=by,
                              since=then, epoch=f"{now:%Y-%m}")  # fmt: skip
    if kind == "infrastructure":
        return make.infrastructure("exit_addresses", "hosting", 77, by=by, created=then)
    if kind == "opinion":
        return make.opinion(about, "agree", by=by, created=then)
    if kind == "note":
        return make.note("false_positive", [about], by=by, created=then)
    return make.relationship(about, "uses", make.atlas_id(rng.choice(list(ATLAS)[:3])), by=by,
                             created=then)  # fmt: skip


def added(text: str, now: datetime, rng: Rng) -> Obj:
    """Return one of ours with a property of the standard that we leave out."""
    made = unmarked(rng, now)
    key, value = rng.choice([
        ("labels", [text]), ("lang", text[:60]), ("lang", "en"),
        ("granular_markings", [{"marking_ref": TLP["amber"], "selectors": [text]}]),
        ("granular_markings", [{"lang": text[:20], "selectors": ["name"]}]),
        ("external_references", [{"source_name": "blog",
                                  "url": "https://example.org/?" + urllib.parse.quote(text)}]),
        ("external_references", [{"source_name": "cve", "external_id": "CVE-2026-0001",
                                  "hashes": {"SHA-256": text.encode().hex()}}]),
        ("defanged", True), ("kill_chain_phases", [{"kill_chain_name": text, "phase_name": text}]),
        ("x_" + "".join(c for c in text.lower() if "a" <= c <= "z")[:40], True),
        ("authors", [text]), ("abstract", text), ("explanation", text), ("start_time", text),
        ("where_sighted_refs", [_id("identity", rng)]), ("observed_data_refs", [_id("file", rng)]),
    ])  # fmt: skip
    made[key] = value
    return made


def extended(text: str, now: datetime, rng: Rng) -> Obj:
    """Return one of ours with another extension, or with ours bent."""
    made = unmarked(rng, now)
    kind = rng.choice(["property-extension", "toplevel-property-extension", "new-sdo", "new-sco"])
    inner: Obj = {"extension_type": kind, "terms": {"deep": [{"er": [text]}]}}
    choice = rng.randrange(4)
    extensions = made.setdefault("extensions", {})
    if choice == 0:
        extensions[f"extension-definition--{uuid.uuid4()}"] = inner
    elif choice == 1:
        extensions[text[:60]] = inner
    elif choice == 2:
        extensions[rng.choice([e for e in EXT.values() if e not in extensions])] = inner
    else:
        extensions[f"extension-definition--{uuid.uuid4()}"] = {"extension_type": kind}
        made["rate"] = text
    return made


def patterned(text: str, now: datetime, rng: Rng) -> Obj:
    """Return an indicator whose pattern says more."""
    made = make.indicator("near_text", f"{rng.getrandbits(64):016x}", by=_id("identity", rng),
                          since=now - timedelta(days=2))  # fmt: skip
    own, quoted = made["pattern"], text.replace("'", "")
    made["pattern"] = rng.choice([
        f"{own} /* {quoted} */", f"{own} -- {quoted}", f"{own} // {quoted}",
        f"{own} AND [file:name = '{quoted}']", f"{own} START t'{quoted}' STOP t'{quoted}'",
        f"({own})", own.replace("'", '"'), own.replace(" = ", " MATCHES "),
        own.replace("x-stillwatch-value", f"x-{quoted[:12]}"), own.replace("[", "[ "),
        f"{own} REPEATS {rng.randint(2, 99)} TIMES", f"[software:vendor LIKE '%{quoted}%']",
    ])  # fmt: skip
    made["pattern_type"] = rng.choice(["stix", "stix", "sigma", "yara", "snort"])
    return made


def translated(text: str, now: datetime, rng: Rng) -> Obj:
    """Return a language-content object about one of ours."""
    about = unmarked(rng, now)
    return {"type": "language-content", "spec_version": "2.1", "id": _id("language-content", rng),
            "created": _when(now, rng), "modified": _when(now, rng), "object_ref": about["id"],
            "contents": {rng.choice(["de", "ja", text[:8]]): {"name": text}}}  # fmt: skip


def marked(text: str, now: datetime, rng: Rng) -> Obj:
    """Return a marking definition that speaks."""
    del now
    base: Obj = {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": _id("marking-definition", rng),
        "created": "2026-11-01T00:00:00.000Z",
    }
    choice = rng.randrange(4)
    if choice == 0:
        return base | {"definition_type": "statement", "definition": {"statement": text}}
    if choice == 1:
        return base | {"name": text, "definition_type": "tlp", "definition": {"tlp": "amber"}}
    if choice == 2:
        terms = {"extension_type": "property-extension", "iep_version": "2.0", "terms": text}
        return base | {"extensions": {f"extension-definition--{uuid.uuid4()}": terms}}
    one: Obj = json.loads(json.dumps(CATALOGUE[rng.choice(list(IEP.values()))]))
    one["name"] = text
    return one


def spelled(text: str, now: datetime, rng: Rng) -> Obj:
    """Return one of ours that hides bytes where only random or derived ones belong."""
    raw = (text.encode() + bytes(32))[:32]
    by, then = _id("identity", rng), now - timedelta(days=2)
    choice = rng.randrange(6)
    if choice == 0:
        return make.indicator("near_text", raw[:8].hex(), by=by, since=then)
    if choice == 1:
        return make.indicator("device", raw.hex(), by=by, since=then, epoch=f"{now:%Y-%m}")
    if choice == 2:
        epoch = rng.choice(["2031-07", "2099-12", "2020-01", "2024-02"])
        return make.indicator("device", f"{rng.getrandbits(256):064x}", by=by, since=then,
                              epoch=epoch)  # fmt: skip
    if choice == 3:
        return make.opinion(f"campaign--{uuid.UUID(bytes=raw[:16], version=5)}", "agree", by=by,
                            created=then)  # fmt: skip
    if choice == 4:
        return make.contributor(f"identity--{uuid.UUID(bytes=raw[:16], version=4)}", then)
    one = make.opinion(f"campaign--{uuid.uuid5(uuid.NAMESPACE_OID, 'x')}", "agree", by=by,
                       created=then)  # fmt: skip
    return one | {"id": f"opinion--{uuid.uuid5(uuid.NAMESPACE_URL, text)}"}


WAYS: tuple[Callable[[str, datetime, Rng], Obj], ...] = (
    foreign, foreign, foreign, added, extended, patterned, translated, marked, spelled,
)  # fmt: skip


def payloads(rng: Rng, count: int, now: datetime) -> Iterator[tuple[str, str, Obj]]:
    """Yield (way, disguise, object)."""
    names = list(DISGUISES)
    for number in range(count):
        way = WAYS[number % len(WAYS)]
        disguise = names[number // len(WAYS) % len(names)]
        yield way.__name__, disguise, way(DISGUISES[disguise](rng.choice(SECRETS), rng), now, rng)


NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
