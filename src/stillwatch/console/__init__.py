"""Cases and decisions in a browser, for the people who must decide.

Input: a run directory, the case database and the console's own folder. Output: pages on loopback,
or behind TLS. Promise: no rule about cases stands here, all of them are `cases`'s; whoever acts is
the person of the session; every page asks for a right that one table gives (`pages.PAGES`,
`rights.RIGHTS`); what was read is written down; no script or style stands in a page, and every text
from data is escaped and made visible; no page reads a whole run (`store.index`).

Needs ``pip install stillwatch[console]``.
"""

from stillwatch.console.app import create_app
from stillwatch.console.desk import Desk
from stillwatch.console.entry import make_administrator, read_people
from stillwatch.console.home import Home, open_home
from stillwatch.console.rights import roles_named
from stillwatch.console.serving import Listen, serve
from stillwatch.console.telling import read_post, send, told_of_administrator

__all__ = [
    "Desk",
    "Home",
    "Listen",
    "create_app",
    "make_administrator",
    "open_home",
    "read_people",
    "read_post",
    "roles_named",
    "send",
    "serve",
    "told_of_administrator",
]
