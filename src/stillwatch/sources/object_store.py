"""Logs in an S3-compatible object store: an object, a prefix, or a pattern of keys."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.fs as pafs

from stillwatch.errors import ConfigError, InputError
from stillwatch.sources.lakes import refuse_table

__all__ = [
    "S3", "Stored", "list_objects", "object_state", "open_object", "plain_name", "watch_objects",
]  # fmt: skip

S3: Final = "s3://"
_GLOB: Final = frozenset("*[")
_PLAIN: Final = "/=:,+@!$&'()"
_HINT: Final = (
    "check the bucket, the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and the region; "
    "for another store than AWS write s3://BUCKET/PREFIX?endpoint_override=HOST:PORT&region=NAME; "
    "a / in a secret that stands in the address is written %2F"
)


class Stored(NamedTuple):
    """An object: its address, its size in bytes, and when it was written (ns since 1970)."""

    address: str
    size: int
    changed_ns: int


def list_objects(address: str) -> Iterator[tuple[str, int]]:
    """Yield address and size in bytes of each object behind an address.

    ``address``: ``s3://bucket/key``, a prefix (all below it), or a pattern with ``*``, ``**`` the
    same, or ``[…]``; what stands behind ``?`` (endpoint, region, scheme …) is pyarrow's and goes
    with every object. Objects with a part of the key below the prefix that begins with . or _ are
    left out, and so are empty marks of folders.

    Raises InputError where it cannot be listed, nothing is there, or a prefix is a table of Delta
    Lake, Iceberg or Hudi; the message holds no key.
    """
    any_at_all = False
    for found in _listed(address, missing=False):
        any_at_all = True
        yield found.address, found.size
    if not any_at_all:
        raise InputError("there is no object in it", where=plain_name(address), hint=_HINT)


def watch_objects(address: str) -> list[Stored]:
    """Return the objects behind an address of `list_objects`, none where none is there yet.

    An object of an S3 store appears whole. Of one that is replaced by another of the same size
    within a second of it nothing tells: a store keeps times to the second.

    Raises ConfigError: keys stand in the address, which is remembered. InputError: it cannot be
    listed, or there is no such bucket.
    """
    if "@" in address.removeprefix(S3).partition("?")[0].partition("/")[0]:
        raise ConfigError(
            "an address that is watched is written down, and holds keys", where=plain_name(address),
            hint="give the keys by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )  # fmt: skip
    return list(_listed(address, missing=True))


def object_state(address: str) -> tuple[int, int]:
    """Return an object's size and when it was written (ns); −1 and −1 where it is not there.

    Raises OSError where the store cannot be asked.
    """
    system, path = pafs.FileSystem.from_uri(address)
    info = system.get_file_info(path)
    return (info.size, info.mtime_ns) if info.type == pafs.FileType.File else (-1, -1)


def _listed(address: str, *, missing: bool) -> Iterator[Stored]:
    """Yield what is behind an address. ``missing``: a prefix without an object is no error."""
    place, mark, options = address.partition("?")
    name = plain_name(address)
    try:
        system, root = pafs.FileSystem.from_uri(_fixed_part(place) + mark + options)
        if not _GLOB & set(place):
            info = system.get_file_info(root)
            if info.type == pafs.FileType.File:
                yield Stored(address, info.size, info.mtime_ns)
                return
        bucket = root.partition("/")[0]
        if missing and system.get_file_info(bucket).type == pafs.FileType.NotFound:
            raise FileNotFoundError(bucket)
        found = system.get_file_info(
            pafs.FileSelector(root, recursive=True, allow_not_found=missing)
        )
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError("cannot list", where=name, hint=_HINT) from error
    start = place.removesuffix(_path_of(place))  # with keys that stand in the address
    pattern = unquote(_path_of(place)) if _GLOB & set(place) else ""
    for item in found:
        inside = item.path.removeprefix(root)
        if not pattern:
            refuse_table(inside, name)
        below = inside.split("/")
        if item.type != pafs.FileType.File or any(part.startswith((".", "_")) for part in below):
            continue
        if pattern and not fnmatch.fnmatchcase(item.path, pattern):
            continue
        where = start + quote(item.path, safe=_PLAIN) + mark + options
        yield Stored(where, item.size, item.mtime_ns)


def open_object(address: str) -> pa.NativeFile:
    """Open one object for reading at any place. Raises OSError where it cannot be opened."""
    system, path = pafs.FileSystem.from_uri(address)
    return system.open_input_file(path)


def plain_name(address: str) -> str:
    """Return an address without its options and without keys, for messages and results."""
    return S3 + unquote(_path_of(address.partition("?")[0]))


def _path_of(place: str) -> str:
    """Return bucket and key: what stands behind the scheme and the keys of an address.

    No bucket's name has a colon: what has one is an access key, and its secret may have a / that
    should have been written %2F.
    """
    whole = place.removeprefix(S3)
    bucket, slash, key = whole.partition("/")
    if ":" in bucket and "@" not in bucket:
        return whole.rpartition("@")[2]
    return bucket.rpartition("@")[2] + slash + key


def _fixed_part(place: str) -> str:
    """Return the longest prefix, whole folders, that has no pattern in it."""
    if not _GLOB & set(place):
        return place
    kept = []
    for part in place[len(S3) :].split("/"):
        if _GLOB & set(part):
            break
        kept.append(part)
    return S3 + "/".join(kept)
