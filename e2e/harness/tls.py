"""A certificate authority of the story's own, and what it certifies: servers on loopback, and clients."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import place
from .ways import remember_key


def pem(key):
    """A private key as PEM (PKCS#8)."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


class Authority:
    """One CA. `file` is its certificate, for whoever is to trust it."""

    def __init__(self, name="The stories' CA"):
        self.folder = place.fresh(place.PRIVATE, "tls")
        self.key, self.name = ec.generate_private_key(ec.SECP256R1()), _name(name)
        self.certificate = self._sign(self.name, self.key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
        self.file = self._write("ca.pem", _text(self.certificate))

    def server(self):
        """Files of a key and a certificate for 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
        certificate = self._sign(_name("127.0.0.1"), key.public_key(), address, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))
        return (self._write("server-key.pem", remember_key("certificate's key", pem(key), "the server")),
                self._write("server.pem", _text(certificate)))

    def client(self, name, days=30, bulk=0):
        """A certificate and its private key for a client, as PEM texts. `bulk` bytes in it say nothing."""
        key = ec.generate_private_key(ec.SECP256R1())
        filler = [x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), bytes(bulk))] if bulk else []
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        certificate = self._sign(_name(name), key.public_key(), usage, *filler, days=days)
        return _text(certificate), remember_key("certificate's key", pem(key), "the customer")

    def certify(self, request):
        """The certificate that somebody's signing request (PEM) asks for."""
        asked = x509.load_pem_x509_csr(request.encode())
        return _text(self._sign(asked.subject, asked.public_key(), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])))

    def _sign(self, subject, public, *extensions, days=30):
        now = datetime.datetime.now(datetime.timezone.utc)
        made = x509.CertificateBuilder(self.name, subject, public, x509.random_serial_number(), now - datetime.timedelta(days=40),
                                       now + datetime.timedelta(days=days))
        for extension in extensions:
            made = made.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return made.sign(self.key, hashes.SHA256())

    def _write(self, name, text):
        (self.folder / name).write_text(text)
        return self.folder / name


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _text(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
