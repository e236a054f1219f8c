// oidc-provider as the OpenID provider of a story: PKCE required, refresh tokens rotate, a second use of a spent one
// revokes the whole grant. Its development pages are the login and the consent.
//
// PORT, REDIRECTS (comma-separated), SEEN (file), CLIENT_SECRET; FIRST_TTL and LATER_TTL are the lifetimes in seconds
// of the first access token and of the refreshed ones. With MACHINE_SECRET a second client, `machine`, gets tokens by its
// own credentials (RFC 6749 §4.4), which `/machine` takes and nothing else.
//
// Further clients come in CLIENTS, as JSON: their metadata as in dynamic registration (RFC 7591), laid over what `basic` has.
// CLOCK: seconds that this server's clock is ahead. DEVICE_TTL: seconds that device codes live; without it there are none.
// ID_TTL: seconds that ID tokens live.
// NONCES=1: each DPoP proof needs a nonce of the server's (RFC 9449 §8). TLS_KEY, TLS_CERT and TLS_CA (files): HTTPS, for
// clients with a certificate of that CA only (RFC 8705). SLOW: a refresh is answered so many milliseconds after it was done,
// at random between two numbers with a comma.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { X509Certificate, createHash, randomBytes } from 'node:crypto';
import Provider from 'oidc-provider';

const port = Number(process.env.PORT);
const tls = process.env.TLS_KEY;
const issuer = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
const deviceTtl = Number(process.env.DEVICE_TTL ?? 0);
const ahead = 1000 * Number(process.env.CLOCK ?? 0);
const clock = Date.now;
Date.now = () => clock() + ahead;
const first = Number(process.env.FIRST_TTL ?? 3600);
const later = Number(process.env.LATER_TTL ?? 3600);
const note = (event) => appendFileSync(process.env.SEEN, `${JSON.stringify(event)}\n`);
const pick = (from, names) => Object.fromEntries(names.filter((n) => from?.[n] !== undefined).map((n) => [n, from[n]]));
const FIELDS = ['code', 'code_verifier', 'refresh_token', 'state', 'code_challenge', 'code_challenge_method', 'redirect_uri',
  'client_assertion', 'device_code', 'request_uri', 'client_secret', 'client_id'];
const ANSWERS = ['access_token', 'refresh_token', 'id_token', 'error', 'error_description', 'expires_in', 'scope', 'token_type',
  'device_code', 'user_code', 'verification_uri', 'verification_uri_complete', 'interval', 'request_uri'];
const basic = {
  client_id: 'basic',
  client_secret: process.env.CLIENT_SECRET,
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: ['authorization_code', 'refresh_token'],
  redirect_uris: process.env.REDIRECTS.split(','),
  response_types: ['code'],
  scope: 'openid profile email offline_access',
};

const provider = new Provider(issuer, {
  clients: [basic, ...JSON.parse(process.env.CLIENTS ?? '[]').map((client) => ({ ...basic, ...client })), ...(process.env.MACHINE_SECRET ? [{
    client_id: 'machine',
    client_secret: process.env.MACHINE_SECRET,
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: 'read',
  }] : [])],
  scopes: ['openid', 'offline_access', 'profile', 'email', 'read'],
  claims: { openid: ['sub'], email: ['email'], profile: ['name'] },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, email: `${id}@example.test`, name: id }),
  }),
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client, code) => code.scopes.has('offline_access'),
  ttl: {
    AccessToken: (ctx) => (ctx.oidc.body?.grant_type === 'refresh_token' ? later : first),
    ClientCredentials: first, DeviceCode: deviceTtl || 600, RefreshToken: 86400, AuthorizationCode: 60, Interaction: 600, Session: 3600, Grant: 86400, IdToken: Number(process.env.ID_TTL ?? 3600),
  },
  cookies: { keys: ['test-only'] },
  ...(tls && { clientAuthMethods: ['client_secret_basic', 'tls_client_auth'] }),
  // Pages may use what access token they like: the scopes' claims are at userinfo.
  conformIdTokenClaims: false,
  features: {
    devInteractions: { enabled: true }, revocation: { enabled: true }, introspection: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: deviceTtl > 0 },
    ...(process.env.NONCES && { dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true } }),
    ...(tls && {
      mTLS: {
        enabled: true, certificateBoundAccessTokens: true, tlsClientAuth: true,
        getCertificate: certificate,
        certificateAuthorized: (ctx) => ctx.socket.authorized,
        certificateSubjectMatches: (ctx, property, expected) => (
          property === 'tls_client_auth_subject_dn' && certificate(ctx).subject === expected),
      },
    }),
  },
  // The library asks no loopback address for a client's keys; the clients of these stories are at no other.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
});

function certificate(ctx) {
  const raw = ctx.socket.getPeerCertificate?.()?.raw;
  return raw && new X509Certificate(raw);
}

const slow = process.env.SLOW?.split(',').map(Number);
const POSTED = { '/token': 'token', '/device/auth': 'device', '/request': 'par' };
provider.use(async (ctx, next) => {
  if (ctx.path === '/machine') {
    const token = await provider.ClientCredentials.find(/^Bearer (.+)$/.exec(ctx.get('authorization'))?.[1] ?? '');
    const bound = token?.['x5t#S256'];
    const good = token?.isValid && (!bound || bound === createHash('sha256').update(certificate(ctx)?.raw ?? '').digest('base64url'));
    note({ event: 'machine', status: good ? 200 : 401, bound: Boolean(bound) });
    ctx.status = good ? 200 : 401;
    ctx.body = good ? { client: token.clientId, scope: token.scope } : { error: 'invalid_token' };
    return;
  }
  await next();
  if (POSTED[ctx.path]) {
    note({
      event: POSTED[ctx.path],
      at: clock() / 1000,
      status: ctx.status,
      grant_type: ctx.oidc?.body?.grant_type,
      basic: (ctx.get('authorization') || '').startsWith('Basic '),
      proof: ctx.get('dpop') || undefined,
      request: pick(ctx.oidc?.body, FIELDS),
      answer: pick(ctx.body, ANSWERS),
    });
    if (slow && ctx.oidc?.body?.grant_type === 'refresh_token') {
      await new Promise((done) => setTimeout(done, slow[0] + Math.random() * (slow[1] - slow[0])));
    }
  } else if (ctx.path === '/me') {
    note({ event: 'me', status: ctx.status, proof: ctx.get('dpop') || undefined, scheme: ctx.get('authorization').split(' ')[0] });
  } else if (ctx.path.startsWith('/auth')) {
    note({ event: 'authorize', status: ctx.status, request: pick(ctx.query, FIELDS), location: ctx.response.get('location') });
  }
});
provider.on('server_error', (ctx, err) => console.error('server_error', err));
const listening = () => console.log('listening', issuer);
if (tls) {
  const [key, cert, ca] = [tls, process.env.TLS_CERT, process.env.TLS_CA].map((file) => readFileSync(file));
  createServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true }, provider.callback()).listen(port, '127.0.0.1', listening);
} else {
  provider.listen(port, '127.0.0.1', listening);
}
