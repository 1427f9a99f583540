"""Matching without raw identifiers: tokens that no single party can make or undo alone.

In: canonical values of core members of accused campaigns, after release. Out: 32-byte tokens that
are equal where the values are. Promise: hub and witness see blinded values only; a token needs both
keys; whoever corrupts one of them learns no value and cannot try values out (docs/sharing.md).

F(x) = OPRF_witness(OPRF_hub(x)): two evaluations of RFC 9497's verifiable OPRF in turn, by the
package voprf (``pip install stillwatch[share]``).
"""

from stillwatch.share.match.bands import agree, band_values
from stillwatch.share.match.holder import KeyHolder, Quota, epoch_of
from stillwatch.share.match.tokens import Pinned, tokens

__all__ = ["KeyHolder", "Pinned", "Quota", "agree", "band_values", "epoch_of", "tokens"]
