"""What leaves the console as a file: evidence packs by level, the report, the STIX bundle."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from starlette.responses import Response

from stillwatch.cases import export_case
from stillwatch.console.case import missing
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import refuse, show
from stillwatch.errors import NotPermitted
from stillwatch.schema import OWNERSHIP, REPORT
from stillwatch.seal import new_key, read_private_key

__all__ = ["make_pack", "send_report", "send_stix", "show_packs"]

LEVELS: Final = {
    "internal": "everything, with the texts behind the case's entries of the history, and files",
    "counsel": "the same without remarks of colleagues and assignments",
    "partner": "accused core accounts under pseudonyms, methods, claims, counts by power of ten",
    "public": "months, methods, confidence of the claims, the size by power of ten",
}
# Which right a level asks for: what leaves the house is counsel's.
NEEDS: Final = {"internal": "pack_internal", "counsel": "pack_internal",
                "partner": "pack_outside", "public": "pack_outside"}  # fmt: skip


def show_packs(desk: Desk, visit: Visit) -> Response:
    """Show the levels, and which of them the visitor may hand out."""
    line = desk.line(visit.path["case"])
    if line is None:
        return missing(desk, visit)
    levels = LEVELS
    if line.kind == OWNERSHIP:  # it accuses nobody, and is no finding for others
        levels = {level: sees for level, sees in LEVELS.items() if NEEDS[level] == "pack_internal"}
    return show(desk, visit, "pack.html.jinja", line=line, levels=levels, needs=NEEDS)


def make_pack(desk: Desk, visit: Visit) -> Response:
    """Return the signed pack of a case as a ZIP.

    Raises NotPermitted: the level is not for the visitor's roles.
    """
    level = visit.form.get("level", "")
    if not visit.may(NEEDS.get(level, "pack_outside")):
        raise NotPermitted(f"a pack for {level or 'nobody'} is not for your roles", where="level",
                           hint="counsel hands out what leaves the house")  # fmt: skip
    line = desk.line(visit.path["case"])
    if line is None:
        return missing(desk, visit)
    if not desk.home.signing_key.exists():
        new_key(desk.home.signing_key)
    key = read_private_key(desk.home.signing_key)
    held = line.campaign_id in desk.index.heads
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"{line.case_id}-{level}"
        export_case(desk.book, line.case_id, out, level=level, key=key, now=desk.now(),
                    run=desk.run if held else None)  # fmt: skip
        data = _zipped(out)
    return Response(data, media_type="application/zip", headers={
        "Content-Disposition": f'attachment; filename="{line.case_id}-{level}.zip"'
    })  # fmt: skip


def _zipped(folder: Path) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{folder.name}/{file.relative_to(folder)}")
    return held.getvalue()


def send_report(desk: Desk, visit: Visit) -> Response:
    """Return the run's report as the file that it is."""
    return _send(desk, visit, REPORT, "text/html; charset=utf-8")


def send_stix(desk: Desk, visit: Visit) -> Response:
    """Return the run's STIX bundle, which names no customer."""
    return _send(desk, visit, "stix.json", "application/stix+json;version=2.1")


def _send(desk: Desk, visit: Visit, name: str, kind: str) -> Response:
    file = desk.run.path / name
    if not file.is_file():
        return refuse(desk, visit, 404, "Not in this run", f"The run directory has no {name}.",
                      "Run the scan again.")  # fmt: skip
    return Response(file.read_bytes(), media_type=kind, headers={
        "Content-Disposition": f'attachment; filename="{name}"'
    })  # fmt: skip
