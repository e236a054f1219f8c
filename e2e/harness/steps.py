"""A server of ours that gives sessions in two requests of its own making, and an API that takes nothing else.

No server that others wrote is alike: this is for `[steps]`, whose very point is what no standard says. `POST /challenge` with a
user as JSON answers a challenge; `POST /login` with that and the password, as a form, answers a session and how long it lives.
"""

import json
import secrets
import threading
import time
from urllib.parse import parse_qs

from . import secret
from .catch import Quiet, Small

REFUSED = "The password is another"


class Sessions(Small):
    """`user` and `password` open it; sessions live `ttl` seconds. `logins` and `calls` keep what came, oldest first."""

    def __init__(self, ttl=3600):
        self.user, self.password, self.ttl = "ann", secret.made("step's password", "the customer", 32), ttl
        self.challenges, self.sessions, self.asked, self.logins, self.calls = set(), {}, [], [], []
        self.lock = threading.Lock()
        outer = self

        class Handler(Quiet):
            def any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                with outer.lock:
                    status, said = outer.answer(self.command, self.path, self.headers, body)
                text = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = any

        super().__init__(Handler)

    def answer(self, method, path, headers, body):
        if (method, path) == ("POST", "/challenge"):
            one = secret.remember("step's challenge", secrets.token_urlsafe(24), "the server")
            self.challenges.add(one)
            self.asked.append(json.loads(body))
            return 200, {"result": {"challenge": one, "rounds": 3}}
        if (method, path) == ("POST", "/login"):
            form = {k: v[0] for k, v in parse_qs(body).items()}
            good = form.get("challenge") in self.challenges and (form.get("user"), form.get("password")) == (self.user, self.password)
            self.challenges.discard(form.get("challenge"))
            self.logins.append({"good": good, "version": headers.get("X-Version")})
            if not good:
                return 401, {"message": REFUSED}
            session = secret.remember("step's session", secrets.token_urlsafe(24), "the server")
            self.sessions[session] = time.time() + self.ttl
            return 200, {"session": {"id": session, "seconds": self.ttl}}
        session = headers.get("X-Session", "")
        good = self.sessions.get(session, 0) > time.time()
        self.calls.append({"good": good, "path": path})
        return (200, {"user": self.user, "method": method, "body": body}) if good else (401, {"message": "No session"})
