// Headless Chromium that does what it is told, one JSON line in and one out, until its input ends.
//
//   {"do": "open", "keep": {"origin": "…", "file": "…"}}  a window of a new browser profile  → its name
//   {"do": "popup", "of": NAME}                            the profile's next window          → its name
//   {"do": "begin", "in": NAME, "script": "…"}             starts an expression of the page's, which may take its time → a number
//   {"do": "outcome", "of": NUMBER}                        {"value": …} or {"thrown": {name, message, type, key, data}}
//   goto, click, fill, see, at, text, url, close (of a window or, without `in`, of its profile), cut (requests that never
//   arrive), before (a script that runs before any page's own, in every later document of the profile), messages
//
// Of what `keep.origin` answers, everything goes into `keep.file` for the canary sweep, but Location, Set-Cookie and the
// bodies of proxied calls; cookies and one-time handles of a profile are answered when it is closed. Nothing leaves the machine.
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const blocking = process.argv[2] === '--block-popups';
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  chromiumSandbox: false,
  timeout: 60000,
  ignoreDefaultArgs: blocking ? ['--disable-popup-blocking'] : [],
  args: ['--headless=new', '--no-sandbox', '--disable-background-networking', '--disable-component-update',
    '--disable-dev-shm-usage', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost'],
});
const pages = new Map(), runs = [];
const PATIENCE = 30000;

function named(page) {
  for (const [name, one] of pages) if (one === page) return name;
  const name = `w${pages.size + 1}`;
  page.setDefaultTimeout(PATIENCE);
  pages.set(name, page);
  return name;
}

async function watched({ origin, file }, context) {
  const seen = context.seen;
  context.on('response', async (answer) => {
    const url = new URL(answer.url());
    if (url.origin !== origin) return;
    const headers = await answer.headersArray().catch(() => []);
    for (const { name, value } of headers) {
      if (name.toLowerCase() === 'set-cookie') seen.cookies.push(/^([^=]+)=([^;]*)/.exec(value).slice(1));
      const handle = name.toLowerCase() === 'location' && new URL(value, url).searchParams.get('handle');
      if (handle) seen.handles.push(handle);
    }
    const proxied = /^\/connections\/[^/]+\/proxy(\/|$)/.test(url.pathname);
    const done = answer.finished().catch(() => {});
    const body = proxied ? '(the upstream\'s)' : await done.then(() => answer.text()).catch(() => '');
    const head = headers.filter((h) => !['location', 'set-cookie'].includes(h.name.toLowerCase())).map((h) => `${h.name}: ${h.value}\n`);
    appendFileSync(file, `${answer.request().method()} ${url.pathname} ${answer.status()}\n${head.join('')}\n${body}\n\n`);
  });
}

const told = (script) => `(async () => { try { return { value: await (${script}) } } catch (e) {
  return { thrown: { name: e?.constructor?.name, message: String(e?.message ?? e), type: e?.type, key: e?.key,
    data: JSON.parse(JSON.stringify(e?.data ?? null)), status: e?.response?.status } } } })()`;

const DO = {
  async open({ keep }) {
    const context = await browser.newContext({ viewport: { width: 1000, height: 760 } });
    context.waiting = [];
    context.seen = { cookies: [], handles: [] };
    context.heard = [];
    if (keep) await watched(keep, context);
    const page = await context.newPage();
    context.on('page', (popup) => context.waiting.push(popup));
    return named(page);
  },
  async popup({ of }) {
    const context = pages.get(of).context();
    for (const end = Date.now() + PATIENCE; !context.waiting.length && Date.now() < end;) await new Promise((r) => setTimeout(r, 20));
    if (!context.waiting.length) throw new Error('no window opened');
    return named(context.waiting.shift());
  },
  async begin({ page, script }) {
    runs.push(page.evaluate(told(script)).catch((e) => ({ thrown: { name: 'Gone', message: String(e) } })));
    return runs.length - 1;
  },
  async outcome({ of, seconds }) {
    let timer;
    const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error(`no outcome after ${seconds} s`)), seconds * 1000); });
    return Promise.race([runs[of], late]).finally(() => clearTimeout(timer));
  },
  async goto({ page, url }) { return (await page.goto(url))?.status(); },
  async click({ page, selector }) { await page.locator(selector).first().click(); },
  async fill({ page, selector, value }) { await page.locator(selector).first().fill(value); },
  async see({ page, selector }) { await page.locator(selector).first().waitFor({ state: 'attached' }); },
  async at({ page, prefix }) { await page.waitForURL((url) => url.href.startsWith(prefix)); return page.url(); },
  async text({ page }) { return page.locator('body').innerText(); },
  async html({ page }) { return page.content(); },
  async url({ page }) { return page.url(); },
  async closed({ page }) { return page.isClosed() || (await page.waitForEvent('close', { timeout: PATIENCE }).then(() => true)); },
  async cut({ page, pattern }) { await page.context().route(pattern, (route) => route.abort()); },
  async before({ page, script }) { await page.context().addInitScript(script); },
  async close({ page }) { await page.close(); },
  async end({ page }) {
    const context = page.context();
    await context.close();
    return context.seen;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: what, in: name, ...given } = JSON.parse(line);
  let answer;
  try {
    if (!DO[what]) throw new Error(`no such thing to do: ${what}`);
    const page = name && pages.get(name);
    if (name && !page) throw new Error(`no window ${name}`);
    answer = { ok: (await DO[what]({ page, ...given })) ?? null };
  } catch (error) {
    const page = name && pages.get(name);
    const text = page && !page.isClosed() ? await page.locator('body').innerText({ timeout: 1000 }).catch(() => '') : '';
    answer = { failed: String(error), url: page?.url(), text };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
