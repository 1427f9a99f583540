"""The hub: a TAXII 2.1 server on which what a member may not see does not exist for it.

*Input*: requests of members, rules that refuse (``accept``), a ledger to tell (``record``).
*Output*: an ASGI application, and a database (SQLite or PostgreSQL) that it alone owns.
*Promise*: every object's markings hold on every path that reads; nothing that was acknowledged is
lost; no answer leaves before its event is in the ledger; paging loses and doubles nothing while
others write; what is deleted leaves a keyed digest and no content.

Needs ``pip install 'stillwatch[hub]'``.
"""

from __future__ import annotations

try:
    import alembic  # noqa: F401
    import httpx  # noqa: F401
    import sqlalchemy  # noqa: F401
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
    import voprf  # noqa: F401
except ImportError as error:  # pragma: no cover
    from stillwatch.errors import ConfigError

    raise ConfigError(
        f"the hub needs the package {error.name}", hint="pip install 'stillwatch[hub]'"
    ) from error

from stillwatch.share.hub.app import create_app, create_witness
from stillwatch.share.hub.calls import PURPOSE_HEADER
from stillwatch.share.hub.custody import checkpoint, transparency
from stillwatch.share.hub.custody import verify as verify_ledger
from stillwatch.share.hub.figures import publish_figures, read_parts
from stillwatch.share.hub.markings import RECIPIENTS_EXTENSION, TIERS, TLP_TIERS
from stillwatch.share.hub.members import ROLES
from stillwatch.share.hub.office import Office
from stillwatch.share.hub.serving import Listen, build, serve
from stillwatch.share.hub.settings import (
    PURPOSES,
    Settings,
    make_home,
    read_key,
    read_settings,
    read_signer,
)
from stillwatch.share.hub.structure import STIX_TYPES, Rules

__all__ = [
    "PURPOSES",
    "PURPOSE_HEADER",
    "RECIPIENTS_EXTENSION",
    "ROLES",
    "STIX_TYPES",
    "TIERS",
    "TLP_TIERS",
    "Listen",
    "Office",
    "Rules",
    "Settings",
    "build",
    "checkpoint",
    "create_app",
    "create_witness",
    "make_home",
    "publish_figures",
    "read_key",
    "read_parts",
    "read_settings",
    "read_signer",
    "serve",
    "transparency",
    "verify_ledger",
]
