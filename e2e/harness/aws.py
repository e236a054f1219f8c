"""An API that wants signatures of AWS (SigV4), and has AWS's own signer, botocore, say what they should be.

The server is ours. What it knows of signing is botocore's: canonical request, string to sign and signature are made anew over
what arrived, with the key that the story knows, and compared with what the `Authorization` header says.
"""

import hashlib
import json
import secrets
import ssl
import string
from urllib.parse import unquote

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from . import secret
from .catch import Quiet, Small

UNSIGNED = "UNSIGNED-PAYLOAD"


class Aws(Small):
    """Answers 200 with what arrived where the signature holds, else 403 and why; over TLS with `authority`. `requests` keeps both."""

    def __init__(self, service, region="eu-central-1", token=False, authority=None):
        self.service, self.region, self.requests = service, region, []
        self.id = "AKIA" + "".join(secrets.choice(string.ascii_uppercase) for _ in range(16))
        self.key = secret.made("SigV4 secret key", "the customer", 40)
        self.token = secret.made("SigV4 session token", "the customer", 80) if token else None
        outer = self

        class Handler(Quiet):
            def any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                wrong = outer.judge(self.command, self.path, self.headers, body)
                arrived = {"method": self.command, "path": self.path, "size": len(body), "digest": hashlib.sha256(body).hexdigest(),
                           "payload": self.headers.get("X-Amz-Content-Sha256"), "wrong": wrong}
                outer.requests.append({**arrived, "authorization": self.headers.get("Authorization")})
                said = json.dumps(arrived).encode()
                self.send_response(403 if wrong else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = do_PUT = do_DELETE = any

        super().__init__(Handler)
        if authority:
            key, certificate = authority.server()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.url = self.url.replace("http:", "https:")

    def judge(self, method, path, headers, body):
        """What is wrong with a request as it arrived; None where nothing is."""
        scheme, _, rest = (headers.get("Authorization") or "").partition(" ")
        if scheme != "AWS4-HMAC-SHA256":
            return "not signed"
        said = dict(part.strip().split("=", 1) for part in rest.split(","))
        signed = said["SignedHeaders"].split(";")
        wanted = {"host", "x-amz-date"} | {n.lower() for n in headers if n.lower().startswith("x-amz-")}
        if not wanted <= set(signed) or signed != sorted(signed):
            return f"signed headers: {signed}"
        if headers.get("X-Amz-Security-Token") != self.token:
            return "the session token is another"
        digest = headers.get("X-Amz-Content-Sha256")
        if digest is None and self.service == "s3":
            return "s3 wants x-amz-content-sha256"
        if digest not in (None, UNSIGNED, hashlib.sha256(body).hexdigest()):
            return "the body is another"
        return self._compare(method, path, {n: headers[n] for n in signed}, body, said)

    def _compare(self, method, path, headers, body, said):
        kind = S3SigV4Auth if self.service == "s3" else SigV4Auth
        signer = kind(Credentials(self.id, self.key, self.token), self.service, self.region)
        bare, _, query = path.partition("?")
        # The query as a server reads it: names and values decoded, whatever their order and their spelling were.
        pairs = [tuple(unquote(part) for part in (pair.split("=", 1) + [""])[:2]) for pair in query.split("&") if pair]
        asked = AWSRequest(method, f"http://{headers['host']}{bare}", headers, body, params=pairs)
        asked.context["timestamp"] = headers["x-amz-date"]
        canonical = signer.canonical_request(asked)
        text = signer.string_to_sign(asked, canonical)
        if said["Credential"] != signer.scope(asked):
            return f"credential scope: {said['Credential'].partition('/')[2]}"
        return None if said["Signature"] == signer.signature(text, asked) else f"the signature is another for\n{canonical}"
