"""Provider files of the stories' own, for ways to authenticate of which the catalog's files are about services elsewhere.

`harness/kitchen.py` puts them into a copy of the binary, each in the place of a shipped file, whose key they answer to.
"""

from .kitchen import altered

# A service account's JSON document, an assertion signed with the key in it (RFC 7523 §2.1).
ROBOT = """name = "Robot"
[oauth2]
grant = "jwt_bearer"
client_auth = "none"
[oauth2.endpoints]
source = "integration"
[oauth2.assertion]
key = "private_key"
kid = "{private_key_id}"
issuer = "{client_email}"
subject = "{person}"
%s
[oauth2.fields.account]
title = "Service account"
form = "json"
[oauth2.fields.account.parts]
private_key = { path = "private_key" }
private_key_id = { path = "private_key_id", secret = false, pattern = "^[A-Za-z0-9-]{1,64}$", required = false }
client_email = { path = "client_email", secret = false, pattern = "^[A-Za-z0-9@.-]{1,200}$" }
[oauth2.fields.person]
title = "On behalf of"
secret = false
optional = true
pattern = "^[a-z]{1,32}$"
"""

# A token that somebody has is exchanged (RFC 8693).
EXCHANGE = """name = "Exchange"
[oauth2]
grant = "token_exchange"
client_auth = "basic"
[oauth2.endpoints]
source = "integration"
[oauth2.fields.token_of_yours]
title = "A token of yours"
[oauth2.exchange]
subject_token = "token_of_yours"
requested_token_type = "urn:ietf:params:oauth:token-type:access_token"
"""

# A token that came of a code is exchanged, each time.
TWOFOLD = """name = "Twofold"
[oauth2]
client_auth = "basic"
[oauth2.endpoints]
source = "issuer"
[oauth2.upgrade]
grant_type = "urn:ietf:params:oauth:grant-type:token-exchange"
with = "access_token"
url = "%(exchange)s/token"
each = true
param_names = { refresh_token = "subject_token" }
params = { subject_token_type = "urn:ietf:params:oauth:token-type:access_token" }
"""

# Whoever connects has a certificate, and it is the client's only credential (RFC 8705 §2).
CARRIED = """name = "Carried"
[oauth2]
grant = "client_credentials"
client_auth = "tls_client_auth"
[oauth2.endpoints]
source = "integration"
[oauth2.fields.certificate]
title = "Certificate"
form = "multiline"
[oauth2.fields.certificate_key]
title = "Its private key"
form = "multiline"
[certificate]
of = "connection"
certificate = "certificate"
key = "certificate_key"
"""

# The integration has the certificate, and nobody is asked for anything.
MACHINE = """name = "Machine"
[oauth2]
grant = "client_credentials"
client_auth = "tls_client_auth"
[oauth2.endpoints]
source = "integration"
[certificate]
of = "integration"
"""

# Calls signed as AWS wants it.
SIGNED = """name = "Signed"
[sigv4]
service = "{service}"
region = "{region}"
payload = "{payload}"
raw_paths = ["s3"]
[[inputs]]
key = "service"
title = "Service"
pattern = "^[a-z0-9-]{1,32}$"
[[inputs]]
key = "region"
title = "Region"
pattern = "^[a-z0-9-]{1,32}$"
[[inputs]]
key = "payload"
title = "Payload"
pattern = "^(signed|unsigned)$"
default = "signed"
"""

# Two requests that no standard knows: `harness/steps.py`.
STEPPED = """name = "Stepped"
[steps.fields.user]
title = "User"
secret = false
[steps.fields.password]
title = "Password"
[[steps.request]]
url = "%(steps)s/challenge"
format = "json"
params = { name = "{user}" }
save = { challenge = { path = "result.challenge" } }
[[steps.request]]
url = "%(steps)s/login"
params = { user = "{user}", password = "{password}", challenge = "{challenge}" }
headers = { X-Version = "2" }
[steps.answer]
access_token = "session.id"
expires = { path = "session.seconds" }
error = { code = "message" }
[api]
base_url = "%(steps)s"
place = { header = "X-Session", format = "{token}" }
"""

ROBOT_KEY, LOST_KEY, EXCHANGE_KEY, TWOFOLD_KEY, CARRIED_KEY, SIGNED_KEY, STEPPED_KEY, MACHINE_KEY = \
    "salesforce", "gitlab", "github", "notion", "zendesk", "dropbox", "hubspot", "linear"


def binary(steps, exchange):
    """The binary with all of them. `steps` and `exchange` are the servers' addresses that stand in files."""
    texts = {ROBOT_KEY: ROBOT % "", LOST_KEY: ROBOT % 'audience = "https://elsewhere.invalid"', EXCHANGE_KEY: EXCHANGE,
             TWOFOLD_KEY: TWOFOLD % {"exchange": exchange}, CARRIED_KEY: CARRIED, SIGNED_KEY: SIGNED, STEPPED_KEY: STEPPED % {"steps": steps}, MACHINE_KEY: MACHINE}
    return altered(texts)
