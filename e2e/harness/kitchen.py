"""A copy of the binary whose catalog has provider files of the stories' own.

Provider files are compiled in as text. Stories about pages want every kind of field, and texts that nobody would let into
the catalog; so in a copy of the binary a few shipped files are written over, each by one that is no longer than it was and
is filled up with blank lines. Nothing else differs, and the file's key stays the one that its name says.
"""

import pathlib

from . import place

PROVIDERS = place.ROOT / "crates/catalog/providers"


def altered(files):
    """The binary with other provider files: key of a shipped file → the text in its place. Returns its path."""
    binary = place.BIN.read_bytes()
    for key, text in files.items():
        shipped, other = (PROVIDERS / f"{key}.toml").read_bytes(), f'key = "{key}"\n{text}'.encode()
        assert len(other) <= len(shipped), f"{key}: {len(other)} bytes do not fit into {len(shipped)}"
        assert shipped in binary, f"the binary was built with another {key}.toml"
        binary = binary.replace(shipped, other + b"\n" * (len(shipped) - len(other)))
    made = place.fresh(place.PRIVATE, "altered") / pathlib.Path(place.BIN).name
    made.write_bytes(binary)
    made.chmod(0o755)
    return made


FORMS = """name = "Kitchen"
[[inputs]]
key = "region"
title = "Region"
pattern = "^[a-z]{2}$"
options = [{ value = "eu", title = "Europe" }, { value = "us", title = "United States" }, { value = "ap", title = "Asia and the Pacific" }]
order = 2
[fields.account]
title = "Account name"
secret = false
description = "In lower case. **Not** your e-mail address, see [the guide](https://docs.example/names):\\n\\n- `acme`\\n- `acme-eu`"
placeholder = "acme"
pattern = "^[a-z-]{3,20}$"
help = "https://docs.example/account"
order = 1
[fields.plan]
title = "Plan"
secret = false
options = [{ value = "free", title = "Free" }, { value = "pro" }]
order = 3
[fields.api_key]
title = "API key"
help = "https://docs.example/keys"
order = 4
[fields.certificate]
title = "Certificate"
description = "Begins with `-----BEGIN CERTIFICATE-----`."
form = "multiline"
optional = true
order = 5
[api]
base_url = "https://api.example"
[api.query]
api_key = "{api_key}"
[api.headers]
X-Certificate = "{certificate}"
[identity]
source = "call"
id = "data.email"
call = { url = "/account" }
[[verify.calls]]
url = "/account"
"""
"""A provider that asks for a text, a list's value, a secret and several lines: in the place of `salesforce`."""

DOCUMENT = """name = "Robots"
[oauth2]
grant = "jwt_bearer"
[oauth2.endpoints]
source = "integration"
[oauth2.fields.account]
title = "Service account"
description = "The file that you get when you make a key."
form = "json"
[oauth2.fields.account.parts]
private_key = { path = "private_key" }
client_email = { path = "client_email", secret = false, pattern = "^[^@ ]+@[^@ ]+$" }
[oauth2.assertion]
key = "private_key"
issuer = "{client_email}"
audience = "token_endpoint"
[api]
base_url = "https://api.example"
"""
"""A provider that asks for a JSON document: in the place of `github`."""

DEVICE = """name = "Living room"
[oauth2]
grant = "device_code"
[oauth2.endpoints]
source = "integration"
[api]
base_url = "https://api.example"
"""
"""A provider that gives device codes: in the place of `microsoft`."""


def hostile(where):
    """Markup that calls `__ran`, which every window of harness/chromium.py hears, if any of it is taken for markup."""
    return f"<img src=x onerror=__ran('{where}')><script>__ran('{where}')</script>\"'>"


def markdown(where):
    """The same in everything that Markdown has."""
    ran = f"__ran('{where}')"
    return f"[a](javascript:{ran}) [b](https://x.example/\"onmouseover=\"{ran}) ![c](https://tracker.example/c.png) " \
        f"<b onclick={ran}>d</b> [e](data:text/html,<script>{ran}</script>) **<i onfocus={ran} autofocus tabindex=0>f**\\n\\n" \
        f"`<script>{ran}</script>`\\n\\n- <svg onload={ran}>\\n\\n[g]: javascript:{ran}\\n[g]"


def _toml(text):
    return '"' + text.replace('"', '\\"') + '"'


HOSTILE = f"""name = {_toml(hostile("provider"))}
[[inputs]]
key = "region"
title = {_toml(hostile("input"))}
description = {_toml(markdown("input description"))}
pattern = "^[a-z]{{2}}$"
options = [{{ value = "eu", title = {_toml(hostile("option"))} }}]
[fields.account]
title = {_toml(hostile("title"))}
description = {_toml(markdown("description"))}
placeholder = {_toml(hostile("placeholder"))}
pattern = "^[a-z]{{3,20}}$"
secret = false
[fields.api_key]
title = "K"
[api]
base_url = "https://api.example"
[api.query]
api_key = "{{api_key}}"
[[verify.calls]]
url = "/account"
"""
"""A provider whose every text is hostile: in the place of `zendesk`."""
