"""State that must survive a kill: every change appended, at most a second late.

A journal is a folder with files of two sorts, each a line of JSON and fixed records after it:

* ``state-N.log``: what was seen of accounts (evidence, verification), spent of budgets and used of
  permits. When one
  is full, and at every start, what still matters of all of them is folded into one file, so that
  neither restarts nor traffic push anything of it out.
* ``talk-N.log``: who had which conversation, blob or refused prompt. Honest traffic writes most of
  them, so they are apart; the oldest file goes once the others hold the capacity.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError, InputError, why
from stillwatch.guard.decide import Guard
from stillwatch.guard.seen import Record
from stillwatch.schema import locked, write_whole

__all__ = ["Journal", "erase_from_state"]

_KINDS: Final = ("handoff", "blob_replay", "retry", "verified", "spent", "evidence", "permit")
_CODE: Final = {kind: code for code, kind in enumerate(_KINDS)}
_TALK: Final = frozenset({"handoff", "blob_replay", "retry"})
_RECORD: Final = struct.Struct("<BQQiq")
_OF_AN_ORG: Final = frozenset(_CODE[kind] for kind in _TALK)
_OF_A_SUBJECT: Final = frozenset({_CODE["verified"], _CODE["evidence"]})
_SECOND_US: Final = 1_000_000
_MOST_FILES: Final = 1_000  # of one sort: files of starts that saw little


class _Log:
    """The files of one sort: appends to the newest, begins another when it is full."""

    def __init__(self, folder: Path, sort: str, most: int) -> None:
        self._folder, self._sort, self._most = folder, sort, most
        self._waiting: list[Record] = []
        self._written = 0
        self._file: Path | None = None
        self._names: dict[str, int] = {}

    def note(self, record: Record) -> None:
        self._waiting.append(record)

    def flush(self, names: Mapping[str, int]) -> bool:
        """Append what waits; return whether a file was begun. Raises OSError: it waits on."""
        waiting, begun = self._waiting, False
        if not waiting:
            return False
        if self._file is None or self._written >= self._most or names != self._names:
            self._begin(names)
            begun = True
        assert self._file is not None
        data = b"".join(map(_packed, waiting))
        with self._file.open("ab") as out:
            out.write(data)
        self._written += len(waiting)
        self._waiting = []
        return begun

    def forget(self) -> None:
        del self._waiting[: max(0, len(self._waiting) - self._most)]

    def files(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._sort}-*.log"))

    def _begin(self, names: Mapping[str, int]) -> None:
        files = self.files()
        last = _number(files[-1]) if files else 0
        path = self._folder / f"{self._sort}-{last + 1:08d}.log"
        path.write_bytes(_head(names))
        self._file, self._names, self._written = path, dict(names), 0


class Journal:
    """Appends records of a guard to a folder, and gives them back after a restart.

    ``records_per_file``: a file of one sort is full then; of conversations, blobs and prompts the
    newest four times as many are kept at least, and what is folded holds at most as many of each
    kind of state, the newest.
    """

    def __init__(self, folder: Path, records_per_file: int = 500_000) -> None:
        self.folder = folder
        self._most = records_per_file
        self._state = _Log(folder, "state", records_per_file)
        self._talk = _Log(folder, "talk", records_per_file)
        self._foldable = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"no folder can be made there ({why(error)})", where=str(folder)
            ) from error

    def note(self, record: Record) -> None:
        """Keep a record until the next flush."""
        (self._talk if record.kind in _TALK else self._state).note(record)

    def flush(self, numbers: Mapping[str, int]) -> None:
        """Append what waits. Raises OSError; what could not be written waits on, up to a bound."""
        if self._state.flush(numbers):
            self._foldable = True
        if self._talk.flush(numbers):
            self._drop_talk()

    @property
    def foldable(self) -> bool:
        """Whether `fold` has something to do."""
        return self._foldable

    def fold(self) -> None:
        """Fold all files of state but the one that is appended to into one; another thread may.

        Of a verification the last is kept, of a budget the counts by second, of a permit the sum of
        a day, of evidence each kind's newest time. The file replaces the newest of those that are
        folded, in one step, and says that what is before it counts no more. Raises OSError: nothing
        is lost.
        """
        with locked(self.folder / "state"):
            files = self._state.files()[:-1]
            at = _begin_of(files)
            if len(files) - at >= 2 or (len(files) - at == 1 and not _folded(files[at])):
                carried = _carried_on(files[at:])
                held, names = _gathered(files[at:], carried), dict[str, int]()
                data = b"".join(map(_packed, _newest(held, names, self._most)))
                for name, number in list(names.items()):
                    names.update(dict.fromkeys(carried.get(name, ()), number))
                write_whole(files[-1], _head(names, folded=True) + data)
                at = len(files) - 1
            for old in files[:at]:
                old.unlink(missing_ok=True)
        self._foldable = False

    def forget(self) -> None:
        """Drop what waits where it cannot be written, so that memory stays bounded."""
        self._state.forget()
        self._talk.forget()

    def restore(self, guard: Guard) -> int:
        """Apply what earlier runs wrote, oldest first; return how many records.

        A last record that was cut by a kill is left out. Campaigns that the guard has not heard of
        get numbers of their own, so that they keep their sense when a snapshot names them; one that
        has gone on under another name goes on under the name that the snapshot has.
        """
        state = self._state.files()
        count = 0
        files = (*state[_begin_of(state) :], *self._talk.files())
        carried = _carried_on(files)
        for path in files:
            for name, record in _records(path):
                number = record.campaign
                if name is not None:
                    known = (n for n in (name, *carried.get(name, ())) if n in guard.numbers)
                    name = next(known, name)
                    fresh = max(guard.numbers.values(), default=-1) + 1
                    number = guard.numbers.setdefault(name, fresh)
                guard.apply(record._replace(campaign=number))
                count += 1
        for name, number in list(guard.numbers.items()):
            for other in carried.get(name, ()):
                guard.numbers.setdefault(other, number)
        return count

    def _drop_talk(self) -> None:
        """Remove the oldest files of talk where the newer ones hold what is kept."""
        newer = 0
        for place, path in enumerate(reversed(self._talk.files())):
            if newer >= 4 * self._most or place >= _MOST_FILES:
                path.unlink(missing_ok=True)
            elif place:  # the newest was just begun
                newer += path.stat().st_size // _RECORD.size


def erase_from_state(folder: Path, subjects: Collection[int], org: int) -> int:
    """Remove what a journal holds of some subjects; return how many records.

    ``subjects``: their keys; ``org``: the key of the account's organization where it has one of its
    own, whose conversations, blobs and refused prompts go too. A guard that runs keeps in memory
    what it knows until it is started again; it writes of them only what they do anew.

    Raises InputError: a file cannot be read or written; those before it are done.
    """
    gone = 0
    with locked(folder / "state"):  # what is being folded has been read already
        for aside in folder.glob("*.log.part"):
            aside.unlink(missing_ok=True)
        for path in sorted((*folder.glob("state-*.log"), *folder.glob("talk-*.log"))):
            try:
                gone += _erase(path, subjects, org)
            except FileNotFoundError:
                continue  # a guard that runs dropped it meanwhile
            except OSError as error:
                raise InputError(
                    f"cannot be rewritten ({type(error).__name__})", where=str(path)
                ) from error
    return gone


def _erase(path: Path, subjects: Collection[int], org: int) -> int:
    data = path.read_bytes()
    head, _, body = data.partition(b"\n")
    whole = len(body) // _RECORD.size * _RECORD.size
    kept = [
        body[at : at + _RECORD.size]
        for at in range(0, whole, _RECORD.size)
        if not _is_of(_RECORD.unpack_from(body, at), subjects, org)
    ]
    lost = whole // _RECORD.size - len(kept)
    if lost:
        late = path.read_bytes()[len(data) :]  # what a guard appended meanwhile
        write_whole(path, head + b"\n" + b"".join(kept) + body[whole:] + late)
    return lost


def _is_of(record: tuple[int, ...], subjects: Collection[int], org: int) -> bool:
    code, key, owner, _, _ = record
    if code in _OF_A_SUBJECT:
        return key in subjects
    return owner == org and code in _OF_AN_ORG


def _head(names: Mapping[str, int], *, folded: bool = False) -> bytes:
    return json.dumps({"names": dict(names), "folded": folded}).encode() + b"\n"


def _packed(record: Record) -> bytes:
    kind, key, org, campaign, value = record
    return _RECORD.pack(_CODE[kind], key, org, campaign, value)


def _number(path: Path) -> int:
    return int(path.stem.partition("-")[2])


def _read_head(line: bytes) -> tuple[dict[int, str], bool] | None:
    """Return the campaigns by number, and whether a file is folded; None where it is cut."""
    names = _read_names(line)
    if names is None:
        return None
    return {v: k for k, v in names.items()}, bool(json.loads(line).get("folded", False) is True)


def _read_names(line: bytes) -> dict[str, int] | None:
    """Return the numbers of campaigns by name; None where a head is cut."""
    try:
        held: Any = json.loads(line)
        names = held.get("names")
        if not isinstance(names, dict):  # of before there were folded ones
            names = held
        return {str(k): int(v) for k, v in names.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _folded(path: Path) -> bool:
    with path.open("rb") as file:
        head = _read_head(file.readline())
    return head is not None and head[1]


def _begin_of(files: list[Path]) -> int:
    """Return the place of the newest file that is folded: what is before it is in it; else 0."""
    return max((k for k, path in enumerate(files) if _folded(path)), default=0)


def _records(path: Path) -> Iterator[tuple[str | None, Record]]:
    """Yield (name of the campaign, record); nothing of a file that was cut in its first line."""
    line, _, body = path.read_bytes().partition(b"\n")
    head = _read_head(line)
    if head is None:
        return
    for at in range(0, len(body) - _RECORD.size + 1, _RECORD.size):
        code, key, org, campaign, value = _RECORD.unpack_from(body, at)
        yield head[0].get(campaign), Record(_KINDS[code], key, org, campaign, value)


class _Held:
    """What is left of state: the newest last, as a dict keeps its order."""

    def __init__(self) -> None:
        self.verified: dict[int, int] = {}
        self.spent: dict[tuple[str, int], int] = {}
        self.permits: dict[tuple[int, int], int] = {}
        self.evidence: dict[tuple[int, str], _Evidence] = {}


class _Evidence:
    """Kinds → newest time; ``requests`` and ``exclusive`` as in `Suspect`."""

    def __init__(self) -> None:
        self.seen: dict[int, int] = {}
        self.exclusive = 0
        self.requests = 0


def _carried_on(files: Iterable[Path]) -> dict[str, tuple[str, ...]]:
    """Return name → all names that its campaign has had, by the heads of files; of one name none.

    A campaign that grew has another id in the next scan, and a guard goes on under its number.
    Names that any head tells apart are not the same, whatever another says.
    """
    heads = []
    for path in files:
        with path.open("rb") as file:
            heads.append(_read_names(file.readline()) or {})
    group_of: dict[str, set[str]] = {}
    for head in heads:
        by_number: dict[int, set[str]] = {}
        for name, number in head.items():
            by_number.setdefault(number, set()).add(name)
        for names in by_number.values():
            if len(names) > 1:
                whole = names.union(*(group_of.get(name, ()) for name in names))
                group_of.update(dict.fromkeys(whole, whole))
    return {
        name: tuple(sorted(whole))
        for name, whole in group_of.items()
        if all(len({head[n] for n in whole if n in head}) < 2 for head in heads)
    }


def _gathered(files: Iterable[Path], carried: Mapping[str, tuple[str, ...]]) -> _Held:
    held = _Held()
    for path in files:
        for name, (kind, key, org, _, value) in _records(path):
            if name is not None and name in carried:
                name = carried[name][0]
            if kind == "verified":
                held.verified[key] = max(value, held.verified.pop(key, 0))
            elif kind == "spent" and name is not None:
                second = (name, value // _SECOND_US)
                held.spent[second] = held.spent.get(second, 0) + max(1, key)
            elif kind == "permit":
                held.permits[key, org] = held.permits.get((key, org), 0) + value
            elif kind == "evidence" and name is not None:
                one = held.evidence.pop((key, name), None) or _Evidence()
                held.evidence[key, name] = one
                one.requests += 1 + (org >> 32)
                one.exclusive |= org >> 16 & 0xFFFF
                for bit in (1 << k for k in range(16)):
                    if org & bit:
                        one.seen[bit] = max(value, one.seen.get(bit, 0))
    return held


def _newest(held: _Held, names: dict[str, int], most: int) -> Iterator[Record]:
    """Yield the records of what is held, and number campaigns as they come."""
    for subject, until in [*held.verified.items()][-most:]:
        yield Record("verified", subject, 0, 0, until)
    for (permit, day), tokens in [*held.permits.items()][-most:]:
        yield Record("permit", permit, day, -1, tokens)
    for (name, second), count in [*held.spent.items()][-most:]:
        number = names.setdefault(name, len(names))
        yield Record("spent", count, 0, number, second * _SECOND_US)
    for (subject, name), one in [*held.evidence.items()][-most:]:
        number = names.setdefault(name, len(names))
        times = sorted(set(one.seen.values()))
        for place, ts in enumerate(times):
            bits = sum(bit for bit, seen in one.seen.items() if seen == ts)
            last = place == len(times) - 1
            more = max(0, one.requests - len(times)) if last else 0
            exclusive = one.exclusive & bits if not last else one.exclusive
            yield Record("evidence", subject, more << 32 | exclusive << 16 | bits, number, ts)
