"""The stages in order: read this first.

exchanges → features (kernel) → exchanges in order, subjects (profiles) → frames, objects, links,
cohorts (links) → findings (signals) → campaigns (campaigns). Each step reads tables and writes
one; `runners` execute them.
"""

from __future__ import annotations

import pyarrow as pa

from stillwatch import kernel, links, profiles, signals
from stillwatch.kernel import DIGEST, ENVELOPE, digest, envelope, method_hints
from stillwatch.schema import Step

__all__ = ["DISCOVERY", "FEATURES", "features"]

FEATURES = pa.schema([*ENVELOPE, *kernel.FEATURES, pa.field("method_hints", pa.uint16()), DIGEST])
DISCOVERY: tuple[Step, ...] = (*profiles.STEPS, *links.STEPS, *signals.STEPS)


def features(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return one fixed-width row per exchange; no text passes this point."""
    text = kernel.batch(batch)
    hints = method_hints(text.column("intents"), text.column("shapes"))
    columns = [*envelope(batch), *text.columns]
    return pa.RecordBatch.from_arrays([*columns, hints, digest(columns)], schema=FEATURES)
