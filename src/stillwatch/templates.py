"""The second pass over the input: template skeletons of the campaigns, payload masked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.campaigns import Judgement
from stillwatch.campaigns.frames import Template, templates_of
from stillwatch.kernel.skeleton import skeleton
from stillwatch.runners import LocalRunner
from stillwatch.schema import STAGES
from stillwatch.sources import open_inputs

__all__ = ["write_frames"]


def write_frames(
    runner: LocalRunner, run_dir: Path, judgement: Judgement, inputs: list[str] | None, format: str  # noqa: A002
) -> None:
    """Write stages/frames.jsonl: only words that all sampled organizations sent alike.

    ``inputs`` None: the input cannot be read twice (standard input), so counts stand alone.
    """
    templates = [t for c in judgement.campaigns for t in templates_of(runner, c)]
    wanted = sorted({i for t in templates for i in t.exchange_ids})
    texts = _texts(inputs, format, wanted) if inputs and wanted else {}
    lines = [orjson.dumps(_line(t, texts)) for t in templates]
    path = run_dir / STAGES / "frames.jsonl"
    aside = path.with_suffix(".part")
    aside.write_bytes(b"".join(line + b"\n" for line in lines))
    aside.replace(path)


def _line(template: Template, texts: dict[str, dict[str, str]]) -> dict[str, Any]:
    found = [
        texts[i][template.position] for i in template.exchange_ids if i in texts
    ]
    return {
        "campaign_id": template.campaign_id,
        "position": template.position,
        "skeleton": skeleton(found) if found else [],
        "carriers_inside": template.carriers_inside,
        "carriers_outside": template.carriers_outside,
        "exchanges": template.exchanges,
        "first_seen": template.first_seen,
        "marks": [],
    }


def _texts(inputs: list[str], format: str, wanted: list[str]) -> dict[str, dict[str, str]]:  # noqa: A002
    """Return system, first and last user text of the wanted exchanges."""
    ids = pa.array(wanted)
    found: dict[str, dict[str, str]] = {}
    for batch in open_inputs(inputs, format=format, max_rejects=1.0).batches():
        rows = batch.filter(pc.is_in(batch.column("exchange_id"), value_set=ids))
        for exchange_id, messages in zip(
            rows.column("exchange_id").to_pylist(), rows.column("messages").to_pylist(), strict=True
        ):
            said = [m for m in messages or [] if m and m["content"]]
            user = [m["content"] for m in said if m["role"] == "user"]
            found[exchange_id] = {
                "system": "\n".join(
                    m["content"] for m in said if m["role"] in ("system", "developer")
                ),
                "head": user[0] if user else "",
                "tail": user[-1] if user else "",
            }
    return found
