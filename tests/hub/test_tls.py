"""HTTPS (TAXII 2.1, section 8.2.2): TLS 1.2 and 1.3, no weak cipher, clients by certificate."""

from __future__ import annotations

import ssl

import httpx
import pytest
from certificates import certificate, trusting

from stillwatch.errors import ConfigError
from stillwatch.share.hub import Listen, serve


def test_8_2_2_tls(new_hub, tmp_path):
    ca, _ = certificate(tmp_path, "authority")
    pem, key = certificate(tmp_path, "server", "authority")
    server = new_hub()
    server.start("--certificate", str(pem), "--private-key", str(key), trust=trusting(ca))
    login = server.login()
    url = f"https://127.0.0.1:{server.port}/taxii2/"
    headers = {"Authorization": f"Bearer {login.token}"}
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        answer = httpx.get(url, headers=headers, verify=trusting(ca, version))
        assert answer.status_code == 200
    weak = trusting(ca, ssl.TLSVersion.TLSv1_2)
    weak.set_ciphers("AES128-SHA:AES256-SHA:ECDHE-ECDSA-AES128-SHA")  # RFC 7540, appendix A
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, headers=headers, verify=weak)


def test_clients_without_a_certificate_do_not_get_through(new_hub, tmp_path):
    ca, _ = certificate(tmp_path, "authority")
    pem, key = certificate(tmp_path, "server", "authority")
    own, own_key = certificate(tmp_path, "client", "authority")
    known = trusting(ca)
    known.load_cert_chain(own, own_key)
    server = new_hub()
    server.start(
        "--certificate", str(pem), "--private-key", str(key), "--client-ca", str(ca), trust=known
    )  # fmt: skip
    url = f"https://127.0.0.1:{server.port}/health/"
    assert httpx.get(url, verify=known).status_code == 200
    with pytest.raises((httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError)):
        httpx.get(url, verify=trusting(ca))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "hub.example"])
def test_tokens_do_not_travel_in_the_clear(new_hub, host):
    with pytest.raises(ConfigError, match="in the clear"):
        serve(new_hub().home, Listen(host=host))
