"""HTTPS (TAXII 2.1, section 8.2.2): TLS 1.2 and 1.3, no weak cipher, clients by certificate."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stillwatch.errors import ConfigError
from stillwatch.share.hub import Listen, serve

NOW = datetime.datetime.now(datetime.UTC)


def certificate(folder: Path, name: str, issuer: str | None = None) -> tuple[Path, Path]:
    """Write a certificate of loopback and its key; its own issuer unless one is named."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer, signed_by = key, subject
    if issuer is not None:
        loaded = serialization.load_pem_private_key((folder / f"{issuer}.key").read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signer = loaded
        signed_by = x509.load_pem_x509_certificate((folder / f"{issuer}.pem").read_bytes()).subject
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signed_by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )
    pem, private = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, private


def trusting(ca: Path, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


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
