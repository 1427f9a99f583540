"""Files attached to a case: taken in, handed out as downloads, removed, and never shown."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from stillwatch.cases import (
    attach,
    name_outside,
    read_attachment,
    remove_attachment,
)
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import go
from stillwatch.errors import ConfigError

__all__ = ["attach_one", "remove", "send"]

# Whatever a browser makes of the file, it is no page of ours: no script, no cookie, no frame.
_NO_PAGE: Final = "default-src 'none'; sandbox"


def attach_one(desk: Desk, visit: Visit) -> Response:
    """Keep a file with a case.

    Raises ConfigError: none was sent, it is empty, there already, or the case holds too much.
    """
    if visit.upload is None:
        raise ConfigError("no file was chosen", where="attachment")
    attach(desk.book, visit.path["case"], name=visit.upload.name, data=visit.upload.data,
           by=visit.by, now=desk.clock(), remark=visit.form.get("remark", "")[:4_000])  # fmt: skip
    return go(f"/cases/{visit.path['case']}#attachments")


def send(desk: Desk, visit: Visit) -> Response:
    """Return a file to be saved, whatever it says that it is.

    Raises ConfigError: there is none, or it is gone. EvidenceError: it is not what was attached.
    """
    held, data = read_attachment(desk.book, visit.path["attachment"])
    name = name_outside(held.name)
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    return Response(data, media_type="application/octet-stream", headers={
        "Content-Disposition":
            f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": _NO_PAGE,
    })  # fmt: skip


def remove(desk: Desk, visit: Visit) -> Response:
    """Remove a file's bytes; its entry stays. Raises ConfigError: no reason, or it is gone."""
    held = remove_attachment(desk.book, visit.path["attachment"], by=visit.by, now=desk.clock(),
                             reason=visit.form.get("reason", "")[:4_000])  # fmt: skip
    return go(f"/cases/{held.case_id}#attachments")
