"""Where the console may listen, and under which names it answers."""

from __future__ import annotations

import gc

import pytest
from ports import free_port

from stillwatch.console.paper import _environment
from stillwatch.console.serving import Listen, _make_ready, hosts_of, serve
from stillwatch.errors import ConfigError


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "console.example.com"])
def test_without_tls_nobody_else_can_listen(desk, host):
    with pytest.raises(ConfigError, match="clear text"):
        serve(desk, Listen(host=host))


def test_names_of_the_host():
    assert hosts_of(Listen()) == {"127.0.0.1", "localhost", "[::1]"}
    assert "console.example.com" in hosts_of(Listen(name="Console.Example.com"))


def test_tls_or_a_proxy_make_it_secure(tmp_path):
    assert not Listen().secure
    assert Listen(behind_proxy=True).secure
    assert Listen(certificate=tmp_path / "c.pem").secure


def test_what_first_pages_wait_for_is_made_before_them(desk):
    made: list[object] = []
    _environment.cache_clear()
    try:
        _make_ready(desk)
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
    assert {"overview.html.jinja", "account-drawer.html.jinja"} <= {
        name for _, name in _environment().cache
    }
    for name in ("overview", "prevalence", "parts", "methods", "standings"):
        desk.once(name, lambda: made.append(1))
    assert not made


def test_older_tls_is_refused(desk, tmp_path, monkeypatch):
    """A real server with a certificate: TLS 1.2 gets an answer, TLS 1.1 none."""
    import datetime
    import socket
    import ssl
    import threading
    import time

    import uvicorn
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    began = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(began - datetime.timedelta(hours=1))
        .not_valid_after(began + datetime.timedelta(hours=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate, private = tmp_path / "c.pem", tmp_path / "k.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))  # fmt: skip
    port = free_port()
    servers = []
    run = uvicorn.Server.run
    monkeypatch.setattr(
        uvicorn.Server, "run", lambda self, sockets: (servers.append(self), run(self, sockets))
    )
    listen = Listen(port=port, certificate=certificate, private_key=private)
    thread = threading.Thread(target=serve, args=(desk, listen))
    thread.start()
    while not (servers and servers[0].started):
        assert thread.is_alive(), "it ended before it listened"
        time.sleep(0.02)
    try:
        for version, works in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True),
                               (ssl.TLSVersion.TLSv1_1, False)):  # fmt: skip
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")
            import warnings

            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = version
            with socket.create_connection(("127.0.0.1", port)) as plain:
                if works:
                    with context.wrap_socket(plain) as safe:
                        assert safe.version() == version.name.replace("_", ".")
                        safe.sendall(b"GET /login HTTP/1.1\r\nHost: testserver\r\n\r\n")
                        head = safe.recv(65_536).partition(b"\r\n\r\n")[0].lower()
                        assert head.startswith(b"http/1.1 ")
                        assert b"\r\nserver:" not in head  # no name, no version
                        assert b"x-powered-by" not in head
                else:
                    with pytest.raises((ssl.SSLError, ConnectionError)):
                        context.wrap_socket(plain)
    finally:
        servers[0].should_exit = True
        thread.join()
