"""What `guard explain` and `erase` join: decision logs, runs, and files of citations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from stillwatch.cases import access_notice, owners_of, read_terms
from stillwatch.errors import ConfigError, InputError, why
from stillwatch.policy import Citation, describe_citation, erase_citations, read_citations
from stillwatch.schema import from_micros
from stillwatch.store import open_run

__all__ = ["erase_cited", "explained_decision", "printed_notice"]

_SAID_OF: Final = {
    "member": "the scan accused the account",
    "joined": "no scan accused the account; of what it showed since one kind at least is out of "
    "other people's reach",
    "joining": "no scan accused the account; it is new, and shows the campaign's template from the "
    "campaign's address: look at it before you believe it",
    "touched": "no scan accused the account; what it showed anybody can make true of it",
}


def explained_decision(
    decision_id: str, logs: Sequence[Path], citations: Path | None
) -> list[tuple[str, list[str]]]:
    """Return headings with sentences: the decision, its reasons, and what ownership rests on.

    Raises InputError: a file cannot be read. ConfigError: no log has the decision. EvidenceError: a
    citation was changed.
    """
    line = _line_of(decision_id, logs)
    at = f"{from_micros(line['ts_us']):%Y-%m-%d %H:%M:%S} UTC"
    done = [
        f"at {at} by {line['route']}, about {line['subject']}",
        f"{line['verdict']} was carried out, it would be {line['would']} (mode {line['mode']})",
        f"snapshot {line['snapshot_version']}, from the run {line['snapshot_source']}",
    ]
    sections = [(f"Decision {decision_id}", done), ("Why", list(line["reasons"]))]
    if line["campaign_id"]:
        told = [f"stillwatch explain {line['campaign_id']} --run RUN shows what it rests on"]
        told += [_SAID_OF[line["level"]]] if line["level"] in _SAID_OF else []
        sections.append((f"Campaign {line['campaign_id']}", told))
    if line["verdict"] not in ("allow", "watch"):
        access = " --access" if line["level"] == "access" else ""
        who = f"--account ACCOUNT [--end-user ID]{access}"
        undo = f"stillwatch guard undo {who} --by NAME --orders FILE --key FILE"
        sections.append(("To take it back", [undo]))
    cited = line.get("citation")
    if cited and citations is None:
        sections.append((f"Citation {cited}", ["give --citations to see what it says"]))
    elif cited and citations is not None:
        sections += describe_citation(_citation_of(cited, citations))
    return sections


def printed_notice(
    decision_id: str, logs: Sequence[Path], citations: Path | None, terms: Path | None
) -> str:
    """Return what the account's owner is told of a verdict by ownership. Raises as above, and
    ConfigError: the decision rests on no ownership answer, or refused and asked for nothing."""
    line = _line_of(decision_id, logs)
    if line["level"] != "access" or not line.get("citation"):
        raise ConfigError(
            "rests on no ownership answer that is cited", where=decision_id,
            hint="a decision of its case has one: stillwatch case notice; what the ladder alone "
            "asks has none",
        )  # fmt: skip
    if citations is None:
        raise ConfigError(
            "a notice takes what was cited", where="--citations",
            hint="give the file that `ownership answer --citations` wrote then",
        )  # fmt: skip
    said = _citation_of(line["citation"], citations).said
    at = from_micros(line["ts_us"])
    return access_notice(decision_id, line["verdict"], said, read_terms(terms), at)


def erase_cited(files: Sequence[Path], runs: Sequence[Path], account: str) -> Iterator[str]:
    """Remove the citations of an account's owners, and those that name ``account`` itself.

    Yields what was done. Raises as `owners_of` and `read_citations`.
    """
    if not files:
        return
    names, shared = {account}, set[str]()
    for folder in runs:
        own, others = owners_of(open_run(folder), account)
        names, shared = names | own, shared | others
    for file in files:
        yield f"{erase_citations(file, names - shared):,} citations removed from {file}."
    if shared:
        yield f"{len(shared):,} owners have other accounts: what is cited of them stays."


def _line_of(decision_id: str, logs: Sequence[Path]) -> dict[str, Any]:
    wanted = json.dumps(decision_id)
    for log in logs:
        try:
            with log.open(encoding="utf-8", errors="replace") as lines:
                for text in lines:
                    if wanted not in text:  # most lines need not be parsed
                        continue
                    line = _parsed(text)
                    if line is not None and line.get("decision_id") == decision_id:
                        return line
        except OSError as error:
            raise InputError(f"cannot be read ({why(error)})", where=str(log)) from error
    raise ConfigError(
        "no log has that decision", where=decision_id,
        hint="what was allowed is in no log; give the logs of before a rotation too",
    )  # fmt: skip


def _parsed(text: str) -> dict[str, Any] | None:
    """Return a line of the log; None of one that a full disk or a kill cut."""
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _citation_of(citation_id: str, citations: Path) -> Citation:
    for citation in read_citations(citations):
        if citation.citation_id == citation_id:
            return citation
    raise ConfigError(
        f"has no citation {citation_id}", where=citations.name,
        hint="give the file that `ownership answer --citations` wrote then",
    )  # fmt: skip
