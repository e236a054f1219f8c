// Headless Chromium that does what it is told, one JSON line in and one out, until its input ends.
//
//   {"do": "open", "keep": {"origin": "…", "file": "…"}, "as": {…}}  a window of a new browser profile → its name; `as`: script
//       (false: none runs), language, scheme (light, dark), width, height, ratio (device pixels in one of the page's)
//   {"do": "popup", "of": NAME}                            the profile's next window          → its name
//   {"do": "begin", "in": NAME, "script": "…"}             starts an expression of the page's, which may take its time → a number
//   {"do": "outcome", "of": NUMBER}                        {"value": …} or {"thrown": {name, message, type, key, data}}
//   goto, back, click, fill, choose, upload, press (keys, one after another), type, see, gone, count, at, text, words (of a
//   selector), frames (the texts of all), html, url, shot, look (scheme, width, height from here on), axe, focused, close (of a
//   window; `end` of its profile), cut (requests that never arrive), before (a script that runs before any page's own, in every
//   later document of the profile), heard
//
// With `frame`, a selector, things are done in that frame of the window. `heard` is what no page should give cause for, in the whole
// profile: violations of a content security policy, errors on the console, dialogs, calls of `__ran` (which every page has, for
// scripts that must not run), and the origins that were asked for anything.
//
// Of what `keep.origin` answers, everything goes into `keep.file` for the canary sweep, but Location, Set-Cookie, a form's hidden
// handle and the bodies of proxied calls; cookies and handles of a profile are answered when it is closed. Nothing leaves the machine.
import { appendFileSync, readFileSync } from 'node:fs';
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
const AXE = new URL('../node_modules/axe-core/axe.min.js', import.meta.url);
const TELL_OF_VIOLATIONS = `addEventListener('securitypolicyviolation', (e) => __told('policy',
  e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample), true)`;
const HANDLE = /(<input[^>]*\bname="handle"[^>]*\bvalue=")([^"]*)(")/g;

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
    const whole = proxied ? '(the upstream\'s)' : await done.then(() => answer.text()).catch(() => '');
    const body = whole.replace(HANDLE, (all, before, handle, after) => { seen.forms.push(handle); return `${before}(shown)${after}`; });
    const head = headers.filter((h) => !['location', 'set-cookie'].includes(h.name.toLowerCase())).map((h) => `${h.name}: ${h.value}\n`);
    appendFileSync(file, `${answer.request().method()} ${url.pathname} ${answer.status()}\n${head.join('')}\n${body}\n\n`);
  });
}

async function overheard(context) {
  const heard = context.heard = { policy: [], console: [], dialog: [], ran: [], origins: [] };
  const note = (kind, what) => { if (!heard[kind].includes(what)) heard[kind].push(what); };
  await context.exposeBinding('__told', ({ frame }, kind, what) => note(kind, `${frame.url().split('?')[0]}: ${what}`));
  await context.exposeBinding('__ran', ({ frame }, what) => note('ran', `${frame.url().split('?')[0]}: ${what}`));
  await context.addInitScript(TELL_OF_VIOLATIONS);
  context.on('dialog', (dialog) => { note('dialog', dialog.message()); dialog.dismiss().catch(() => {}); });
  context.on('console', (said) => { if (said.type() === 'error') note('console', `${said.location().url.split('?')[0]}: ${said.text()}`); });
  context.on('request', (asked) => note('origins', new URL(asked.url()).origin));
}

/** What has the keyboard, through frames: what it is, what it is called, and whether that can be seen. */
async function focused(page) {
  for (let frame = page.mainFrame(); ;) {
    const at = await frame.evaluateHandle(() => document.activeElement);
    const inner = await at.asElement()?.contentFrame();
    if (!inner) {
      return frame.evaluate((e) => {
        if (!e || e === document.body) return null;
        const style = getComputedStyle(e), box = e.getBoundingClientRect();
        const named = e.labels?.[0]?.innerText || e.getAttribute('aria-label') || e.innerText || e.value || '';
        return {
          tag: e.tagName.toLowerCase(), type: e.type ?? null, name: e.name || e.id || null, text: named.trim().slice(0, 80),
          ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0,
          shown: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
        };
      }, at);
    }
    frame = inner;
  }
}

const told = (script) => `(async () => { try { return { value: await (${script}) } } catch (e) {
  return { thrown: { name: e?.constructor?.name, message: String(e?.message ?? e), type: e?.type, key: e?.key,
    data: JSON.parse(JSON.stringify(e?.data ?? null)), status: e?.response?.status } } } })()`;

const DO = {
  async open({ keep, as = {} }) {
    const context = await browser.newContext({
      viewport: { width: as.width ?? 1000, height: as.height ?? 760 }, deviceScaleFactor: as.ratio ?? 1,
      javaScriptEnabled: as.script ?? true, colorScheme: as.scheme ?? 'light', locale: as.language,
    });
    context.waiting = [];
    context.seen = { cookies: [], handles: [], forms: [] };
    await overheard(context);
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
  async begin({ within, script }) {
    runs.push(within.evaluate(told(script)).catch((e) => ({ thrown: { name: 'Gone', message: String(e) } })));
    return runs.length - 1;
  },
  async outcome({ of, seconds }) {
    let timer;
    const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error(`no outcome after ${seconds} s`)), seconds * 1000); });
    return Promise.race([runs[of], late]).finally(() => clearTimeout(timer));
  },
  async goto({ page, url }) { return (await page.goto(url))?.status(); },
  async click({ find, selector }) { await find(selector).click(); },
  async fill({ find, selector, value }) { await find(selector).fill(value); },
  async choose({ find, selector, value }) { await find(selector).selectOption(value); },
  async upload({ find, selector, name, text }) {
    await find(selector).setInputFiles({ name, mimeType: 'application/json', buffer: Buffer.from(text) });
  },
  async press({ page, keys }) { for (const key of keys) await page.keyboard.press(key); },
  async type({ page, text }) { await page.keyboard.type(text); },
  async focused({ page }) { return focused(page); },
  async see({ find, selector }) { await find(selector).waitFor({ state: 'attached' }); },
  async gone({ find, selector }) { await find(selector).waitFor({ state: 'detached' }); },
  async count({ page, frame, selector }) { return (frame ? page.frameLocator(frame) : page).locator(selector).count(); },
  async at({ page, prefix }) { await page.waitForURL((url) => url.href.startsWith(prefix)); return page.url(); },
  async text({ find }) { return find('body').innerText(); },
  async frames({ page }) {
    const texts = page.frames().map((f) => f.locator('body').innerText({ timeout: 1000 }).catch(() => ''));
    return (await Promise.all(texts)).join('\n');
  },
  async words({ find, selector }) { return find(selector).innerText(); },
  async html({ within }) { return within.content(); },
  async shot({ page, path, whole = true }) { await page.screenshot({ path, fullPage: whole, animations: 'disabled', caret: 'hide' }); },
  async axe({ within }) {
    await within.evaluate(readFileSync(AXE, 'utf8') + ';0');
    const { violations, incomplete } = await within.evaluate(() => axe.run(document, { rules: { 'target-size': { enabled: true } } }));
    const brief = (found) => found.map(({ id, help, nodes }) => ({ id, help, at: nodes.map((n) => `${n.target}: ${n.failureSummary}`) }));
    return { violations: brief(violations), incomplete: brief(incomplete) };
  },
  async url({ page }) { return page.url(); },
  async closed({ page }) { return page.isClosed() || (await page.waitForEvent('close', { timeout: PATIENCE }).then(() => true)); },
  async cut({ page, pattern }) { await page.context().route(pattern, (route) => route.abort()); },
  async before({ page, script }) { await page.context().addInitScript(script); },
  async look({ page, scheme = 'light', width = 1000, height = 760 }) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height });
  },
  async heard({ page }) { return page.context().heard; },
  async back({ page }) { await page.goBack(); },
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
    const frame = given.frame;
    const find = (selector) => (frame ? page.frameLocator(frame) : page).locator(selector).first();
    const within = page && (frame ? await (await page.locator(frame).first().elementHandle()).contentFrame() : page);
    answer = { ok: (await DO[what]({ page, find, within, ...given })) ?? null };
  } catch (error) {
    const page = name && pages.get(name);
    const texts = page && !page.isClosed() ? page.frames().map((f) => f.locator('body').innerText({ timeout: 1000 }).catch(() => '')) : [];
    answer = { failed: String(error), url: page?.url(), text: (await Promise.all(texts)).join('\n--- in a frame\n') };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
