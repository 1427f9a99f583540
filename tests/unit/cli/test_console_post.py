"""`console --administrator` tells the others, where the folder names a mail server."""

from __future__ import annotations

from letters import mail_server
from ports import free_port

from stillwatch.console import open_home
from stillwatch.console.entry import add_person, set_email
from stillwatch.schema import EXIT_USAGE


def test_an_administrator_who_is_named_at_the_server_is_told_of(stillwatch, run_dir, tmp_path):
    folder = tmp_path / "home"
    home = open_home(folder)
    set_email(home, add_person(home, "Ad", ("admin",)), "ad@provider.example")
    home.close()
    with mail_server() as (kept, port):
        (folder / "mail.toml").write_text(
            f'host = "127.0.0.1"\nport = {port}\nsecurity = "none"\nfrom = "c@provider.example"\n'
        )
        told = stillwatch(  # it does not come to listening: there is no TLS
            "console", "--run", run_dir, "--book", tmp_path / "cases.db", "--home", folder,
            "--host", "0.0.0.0", "--port", str(free_port()), "--administrator", "Ada",
        )  # fmt: skip
        assert told.code == EXIT_USAGE
        assert "clear text" in told.err
        (secret,) = [w for line in told.out.splitlines() if "logs in with" in line
                     for w in line.split("logs in with ")[1].split()[:1]]  # fmt: skip
        ((receivers, letter),) = kept.read()
    assert receivers == ["ad@provider.example"]
    assert "Ada was named an administrator, with a new first password" in letter.get_content()
    assert secret not in letter.get_content()
