// oidc-provider as the OpenID provider of a story: PKCE required, refresh tokens rotate, a second use of a spent one
// revokes the whole grant. Its development pages are the login and the consent.
//
// PORT, REDIRECTS (comma-separated), SEEN (file), CLIENT_SECRET; FIRST_TTL and LATER_TTL are the lifetimes in seconds
// of the first access token and of the refreshed ones. With MACHINE_SECRET a second client, `machine`, gets tokens by its
// own credentials (RFC 6749 §4.4), which `/machine` takes and nothing else.
import { appendFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const port = Number(process.env.PORT);
const issuer = `http://127.0.0.1:${port}`;
const first = Number(process.env.FIRST_TTL ?? 3600);
const later = Number(process.env.LATER_TTL ?? 3600);
const note = (event) => appendFileSync(process.env.SEEN, `${JSON.stringify(event)}\n`);
const pick = (from, names) => Object.fromEntries(names.filter((n) => from?.[n] !== undefined).map((n) => [n, from[n]]));
const FIELDS = ['code', 'code_verifier', 'refresh_token', 'state', 'code_challenge', 'code_challenge_method', 'redirect_uri'];
const ANSWERS = ['access_token', 'refresh_token', 'id_token', 'error', 'expires_in', 'scope'];

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'basic',
    client_secret: process.env.CLIENT_SECRET,
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: process.env.REDIRECTS.split(','),
    response_types: ['code'],
    scope: 'openid profile email offline_access',
  }, ...(process.env.MACHINE_SECRET ? [{
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
    ClientCredentials: first, RefreshToken: 86400, AuthorizationCode: 60, Interaction: 600, Session: 3600, Grant: 86400, IdToken: 3600,
  },
  cookies: { keys: ['test-only'] },
  // Pages may use what access token they like: the scopes' claims are at userinfo.
  conformIdTokenClaims: false,
  features: {
    devInteractions: { enabled: true }, revocation: { enabled: true }, introspection: { enabled: true },
    clientCredentials: { enabled: true },
  },
});

provider.use(async (ctx, next) => {
  if (ctx.path === '/machine') {
    const token = await provider.ClientCredentials.find(/^Bearer (.+)$/.exec(ctx.get('authorization'))?.[1] ?? '');
    ctx.status = token?.isValid ? 200 : 401;
    ctx.body = token?.isValid ? { client: token.clientId, scope: token.scope } : { error: 'invalid_token' };
    return;
  }
  await next();
  if (ctx.path === '/token') {
    note({
      event: 'token',
      status: ctx.status,
      grant_type: ctx.oidc?.body?.grant_type,
      basic: (ctx.get('authorization') || '').startsWith('Basic '),
      request: pick(ctx.oidc?.body, FIELDS),
      answer: pick(ctx.body, ANSWERS),
    });
  } else if (ctx.path.startsWith('/auth')) {
    note({ event: 'authorize', status: ctx.status, request: pick(ctx.query, FIELDS), location: ctx.response.get('location') });
  }
});
provider.on('server_error', (ctx, err) => console.error('server_error', err));
provider.listen(port, '127.0.0.1', () => console.log('listening', issuer));
