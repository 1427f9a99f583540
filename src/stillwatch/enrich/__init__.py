"""Side tables: accounts, permits, ownership answers, corrections, shared indicators.

Input: small files that a provider keeps beside its logs. Output: Arrow tables in the schemas of
`schema.arrow`. Promise: what is wrong is named by file, line and field, never by value; a raw
address, number or card where a keyed hash belongs is refused.
"""

from stillwatch.enrich.accounts import Accounts, read_accounts
from stillwatch.enrich.corrections import read_corrections, read_labels
from stillwatch.enrich.indicators import read_corroborated, read_indicators
from stillwatch.enrich.ownership import read_ownership
from stillwatch.enrich.permits import read_permits

__all__ = [
    "Accounts",
    "read_accounts",
    "read_corrections",
    "read_corroborated",
    "read_indicators",
    "read_labels",
    "read_ownership",
    "read_permits",
]
