"""Side tables: accounts, organizations, keys, permits, ownership answers, corrections, indicators.

Input: small files that a provider keeps beside its logs. Output: Arrow tables in the schemas of
`schema.arrow`. Promise: what is wrong is named by file, line and field, never by value; a raw
address, number or card where a keyed hash belongs is refused.
"""

from stillwatch.enrich.accounts import Accounts, read_accounts
from stillwatch.enrich.canonical_values import canonical_value
from stillwatch.enrich.corrections import read_corrections, read_labels
from stillwatch.enrich.disposable import disposable_accounts, read_domains
from stillwatch.enrich.indicators import read_corroborated, read_indicators
from stillwatch.enrich.keys import Keys, read_keys
from stillwatch.enrich.networks import Context, Networks, read_networks
from stillwatch.enrich.organizations import Organizations, read_organizations
from stillwatch.enrich.ownership import read_ownership
from stillwatch.enrich.permits import read_permits
from stillwatch.enrich.pseudonymize import (
    SIDE_TABLES,
    pseudonymize_batch,
    pseudonymize_table,
)
from stillwatch.enrich.pseudonyms import KINDS, Pseudonyms, read_key, write_key

__all__ = [
    "KINDS",
    "SIDE_TABLES",
    "Accounts",
    "Context",
    "Keys",
    "Networks",
    "Organizations",
    "Pseudonyms",
    "canonical_value",
    "disposable_accounts",
    "pseudonymize_batch",
    "pseudonymize_table",
    "read_accounts",
    "read_corrections",
    "read_corroborated",
    "read_domains",
    "read_indicators",
    "read_key",
    "read_keys",
    "read_labels",
    "read_networks",
    "read_organizations",
    "read_ownership",
    "read_permits",
    "write_key",
]
