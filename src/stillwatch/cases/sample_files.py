"""The two files of an audit sample: what goes to whoever labels, and the design, which does not."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from stillwatch.cases.sampling import Design, Stratum, draw_sample
from stillwatch.errors import ConfigError, InputError, SchemaError, why
from stillwatch.seal import digest
from stillwatch.store import Run

__all__ = ["read_design", "read_labels", "sample_run"]

SAMPLE: Final = "sample.csv"
DESIGN: Final = "design.json"


def sample_run(run: Run, size: int, out: Path, *, seed: int) -> Design:
    """Draw accounts of a run and write ``sample.csv`` (account, empty label) and ``design.json``.

    Raises ConfigError: the folder holds a sample already.
    """
    if (out / DESIGN).exists() or (out / SAMPLE).exists():
        raise ConfigError("holds a sample already", where=str(out), hint="name a new folder")
    table = run.table("accounts", ["account_id", "standing"])
    standing = dict(
        zip(table["account_id"].to_pylist(), table["standing"].to_pylist(), strict=True)
    )
    design = draw_sample(standing, size, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("account_id", "distils"))
    writer.writerows((account, "") for account in design.order)
    (out / SAMPLE).write_text(text.getvalue(), encoding="utf-8")
    held = {
        "seed": seed,
        "accounts": digest([[a, standing[a]] for a in sorted(standing)]),
        "order": list(design.order),
        "strata": [
            {"standing": s.standing, "size": s.size, "drawn": list(s.drawn),
             "inclusion_probability": s.inclusion_probability}
            for s in design.strata
        ],
    }  # fmt: skip
    (out / DESIGN).write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
    return design


def read_design(folder: Path) -> Design:
    """Return the design of a sample. Raises InputError: it cannot be read."""
    file = folder / DESIGN
    try:
        held: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        strata = tuple(Stratum(s["standing"], s["size"], tuple(s["drawn"])) for s in held["strata"])
        return Design(held["seed"], strata, tuple(held["order"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"is no design ({type(error).__name__})", where=str(file),
            hint="give the folder that `stillwatch case sample` wrote",
        ) from error  # fmt: skip


def read_labels(file: Path) -> dict[str, str]:
    """Return account → label of a returned ``sample.csv``; rows without a label are left out.

    Raises InputError: it cannot be read. SchemaError: it lacks its columns, or an account is there
    twice.
    """
    try:
        rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read ({why(error)})", where=str(file)) from error
    if any(not {"account_id", "distils"} <= set(row) for row in rows):
        raise SchemaError("expected the columns account_id and distils", where=file.name)
    labels: dict[str, str] = {}
    seen: set[str] = set()
    for number, row in enumerate(rows, 2):
        word = (row["distils"] or "").strip().lower()
        if row["account_id"] in seen:
            raise SchemaError("the same account a second time", where=f"{file.name}:{number}")
        seen.add(row["account_id"])
        if word:
            labels[row["account_id"]] = word
    return labels
