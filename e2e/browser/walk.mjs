// Opens a page in headless Chromium, takes the steps it is given, and prints where it ended as one JSON line.
//
//   node walk.mjs '{"url": "…", "steps": [{"do": "click", "selector": "…"}, …]}'
//
// Steps: click, fill (value), choose (radio, checkbox or option), see (wait for a selector), at (wait until the URL starts
// with prefix), shot (screenshot to path), save (the page's HTML to path). Nothing leaves the machine.
import { writeFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const plan = JSON.parse(process.argv[2]);
const patience = plan.patience ?? 30000;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  chromiumSandbox: false,
  timeout: 60000,
  args: ['--headless=new', '--no-sandbox', '--disable-background-networking', '--disable-component-update',
    '--disable-dev-shm-usage', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost'],
});
const complaints = [], calls = [];
let result;
try {
  const page = await browser.newPage({ viewport: { width: 1000, height: 760 } });
  page.setDefaultTimeout(patience);
  page.on('console', (m) => { if (m.type() === 'error') complaints.push(`${page.url().split('?')[0]}: ${m.text()} ${m.location().url}`); });
  page.on('pageerror', (e) => complaints.push(String(e)));
  await page.goto(plan.url);
  for (const step of plan.steps ?? []) {
    const found = step.selector && page.locator(step.selector).first();
    if (step.do === 'click') await found.click();
    else if (step.do === 'fill') await found.fill(step.value);
    else if (step.do === 'choose') await found.check();
    else if (step.do === 'see') await found.waitFor({ state: 'attached' });
    else if (step.do === 'at') await page.waitForURL((url) => url.href.startsWith(step.prefix));
    else if (step.do === 'shot') await page.screenshot({ path: step.path, fullPage: true });
    else if (step.do === 'save') writeFileSync(step.path, await page.content());
    else if (step.do === 'go') calls.push({ path: step.url, status: (await page.goto(step.url))?.status() });
    else if (step.do === 'call') calls.push(await page.evaluate(async ({ method, path, body }) => {
      const answer = await fetch(path, {
        method, redirect: 'manual', body: body === undefined ? undefined : JSON.stringify(body),
        headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      });
      return { path, status: answer.status, text: await answer.text() };
    }, step));
    else throw new Error(`no such step: ${step.do}`);
  }
  await page.waitForLoadState('load');
  result = {
    url: page.url(),
    text: await page.locator('body').innerText(),
    code: await page.locator('pre, code').allTextContents(),
    html: await page.content(),
    title: await page.title(),
    calls,
    complaints,
  };
} catch (error) {
  const page = browser.contexts()[0]?.pages()[0];
  const text = await page?.locator('body').innerText({ timeout: 2000 }).catch(() => '');
  result = { failed: String(error), url: page?.url(), text, calls, complaints };
} finally {
  await browser.close();
}
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exitCode = result.failed ? 1 : 0;
