import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { focusSeen, problems } from './access.js';
import { again } from './bus.js';
import { House, browser, far, here, verdict, visit } from './house.js';

let chrome;
before(async () => { chrome = await browser(); });
after(() => chrome?.close());

/** house opens a service for one test. */
async function house(t, options) {
  const h = await House.open(options);
  h.looks = [];
  t.after(async () => {
    const wrong = [];
    for (const { page, expected } of h.looks) {
      wrong.push(...await verdict(page, h.url, expected));
      await page.context().close();
    }
    await h.close();
    assert.deepEqual(wrong, []);
  });
  await h.cli('manager', 'create', '--uid', 'm');
  return h;
}

/** look opens a page, which must have been faultless when its house is closed. */
async function look(h, { expected, path = '', ...options } = {}) {
  const page = await visit(chrome, h.url + path, options);
  h.looks.push({ page, expected });
  return page;
}

const live = (page) => page.locator('[data-link=live]').waitFor();
const count = (page, text) => page.locator('#count', { hasText: new RegExp(`^${text}$`) }).waitFor();
const tile = (page, state) => page.locator(`#states [data-state=${state}]`);
const amount = (page, state, n) => tile(page, state).locator('.number', { hasText: new RegExp(`^${n}$`) }).waitFor();
const row = (page, uid) => page.locator('#body .row', { has: page.locator(`a[href$="/m/${uid}"]`) });
const stands = (page, uid, state) => row(page, uid).locator('.state', { hasText: state }).waitFor();
const rows = (page) => page.locator('#body .row').count();

test('no pilots: it says how to get some, and shows the first', async (t) => {
  const h = await house(t);
  const page = await look(h);
  await live(page);
  await page.getByText('No pilots yet').waitFor();
  assert.deepEqual(await problems(page), []);
  await h.submit([far('first')]);
  await stands(page, 'first', 'PENDING_LAUNCH');
  await count(page, '1 pilot');
});

test('ten pilots: states, filters, one in full, cancel', async (t) => {
  const h = await house(t);
  const page = await look(h);
  await live(page);
  await h.submit([
    here('runs', ['sh', '-c', `echo line 1; echo '<b>oops</b>' >&2; until [ -e ${join(h.dir, 'more')} ]; do sleep 0.1; done; echo line 2; exec sleep 600`], { labels: { run: '42' } }), here('stays', ['sleep', '600']), here('ends', ['echo', 'it said hello']),
    here('fails', ['sh', '-c', String.raw`printf '\033[31mred\033[0m\n'; echo '<script>globalThis.hacked = 1</script>'; echo oops >&2; exit 7`]),
    here('hostile', ['echo', '<img src=x onerror="globalThis.hacked = 1">', '\u202Egnp.exe', '\u0007\u001b[2J'], { labels: { '<b>bold</b>': '"><i>&amp;' } }),
    far('waits'), far('queued'), far('gone'), far('other', { resource: 'generic.lsf' }), here('last', ['sh', '-c', 'for i in $(seq 0 99); do echo line $i; done']),
  ]);
  await h.cli('cancel', 'gone', '--reason', 'not needed');
  await h.cli('wait', 'ends', 'fails', 'hostile', 'last', '--state', 'final');
  await h.cli('wait', 'runs', 'stays', '--state', 'ACTIVE');

  await t.test('the list follows by itself', async () => {
    await count(page, '10 pilots');
    for (const [state, n] of Object.entries({ ACTIVE: 2, DONE: 3, FAILED: 1, CANCELED: 1, PENDING_LAUNCH: 3 })) await amount(page, state, n);
    await stands(page, 'runs', 'ACTIVE');
    await stands(page, 'fails', 'FAILED');
    await page.locator('.resource', { hasText: 'generic.lsf' }).getByText('1 waiting').waitFor();
    assert.match(await row(page, 'hostile').locator('.what').textContent(), /<img src=x onerror="globalThis\.hacked = 1"> ⟨U\+202E⟩gnp\.exe ⟨U\+0007⟩⟨U\+001B⟩\[2J/);
    assert.match(await row(page, 'ends').locator('.unseen').textContent(), /ACTIVE .*DONE$/);
    assert.deepEqual(await problems(page), []);
  });

  await t.test('filters narrow it, are in the address, and can be cleared', async () => {
    await tile(page, 'ACTIVE').click();
    await count(page, '2 pilots of 10');
    assert.equal(await tile(page, 'ACTIVE').getAttribute('aria-pressed'), 'true');
    await tile(page, 'FAILED').click();
    await count(page, '3 pilots of 10');
    await page.getByRole('searchbox').fill('exit code 7');
    await count(page, '1 pilot of 10');
    await page.reload();
    await count(page, '1 pilot of 10');
    assert.equal(await page.getByRole('searchbox').inputValue(), 'exit code 7');
    await page.getByRole('button', { name: 'Clear' }).click();
    await count(page, '10 pilots');
    assert.equal(new URL(page.url()).search, '');
    await page.getByLabel('Resource', { exact: true }).selectOption('generic.lsf');
    await count(page, '1 pilot of 10');
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByRole('searchbox').fill('run=42');
    await count(page, '1 pilot of 10');
    await page.getByRole('searchbox').fill('no such thing');
    await page.getByText('No pilot matches these filters.').waitFor();
    await page.locator('#news', { hasText: '0 pilots of 10' }).waitFor({ state: 'attached' });
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByLabel('Manager', { exact: true }).selectOption('m');
    await count(page, '10 pilots of 10');
    await page.getByRole('button', { name: 'Clear' }).click();
  });

  await t.test('one pilot in full: cause, description, history, output, script', async () => {
    await row(page, 'fails').getByRole('link').click();
    await page.getByRole('heading', { level: 1, name: 'fails' }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'pilot-title');
    await page.getByRole('region', { name: 'Why it ended' }).getByText('exit code 7').first().waitFor();
    assert.equal(await page.getByRole('region', { name: 'Standard output' }).textContent(), "red\n<script>globalThis.hacked = 1</script>\n");
    assert.equal(await page.getByRole('region', { name: 'Standard error' }).textContent(), 'oops\n');
    const mark = await page.locator('.way .end-mark').boundingBox();
    const bar = await page.locator('.way .seg').last().boundingBox();
    assert.ok(mark.x >= bar.x + bar.width, 'the sign of the end covers the bar');
    for (const kind of ['submit', 'launching', 'active', 'failed']) await page.getByRole('cell', { name: kind, exact: true }).waitFor();
    await page.getByText('Job script').click();
    await page.getByRole('region', { name: 'Script', exact: true }).getByText('Flightlog: pilot fails of manager m').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Cancel…' }).count(), 0);
    assert.deepEqual(await problems(page), []);
    await page.getByRole('link', { name: '← All pilots' }).click();
    await page.waitForFunction(() => document.activeElement?.getAttribute('href') === '/pilots/m/fails'); // where one left
  });

  await t.test('of a long output the end is in sight', async () => {
    await page.goto(`${h.url}pilots/m/last`);
    const out = page.getByRole('region', { name: 'Standard output' });
    await out.getByText('line 99').waitFor();
    const { top, height, all } = await out.evaluate((e) => ({ top: e.scrollTop, height: e.clientHeight, all: e.scrollHeight }));
    assert.ok(all > height && top + height >= all - 1, `${top} + ${height} of ${all}`);
  });

  await t.test('what a pilot prints is shown while it runs', async () => {
    await page.goto(`${h.url}pilots/m/runs`);
    const out = page.getByRole('region', { name: 'Standard output' });
    await out.getByText('line 1', { exact: true }).waitFor();
    assert.equal(await page.getByRole('region', { name: 'Standard error' }).textContent(), '<b>oops</b>\n');
    await page.getByText('Standard output, its end so far').waitFor();
    assert.deepEqual(await problems(page), []);
    await writeFile(join(h.dir, 'more'), '');
    await out.getByText('line 2').waitFor();
    await page.getByRole('link', { name: '← All pilots' }).click();
    await count(page, '10 pilots');
    await page.goto(`${h.url}pilots/m/waits`);
    await page.getByText('The payload has printed nothing yet.').waitFor();
  });

  await t.test('hostile text is text', async () => {
    await page.goto(`${h.url}pilots/m/hostile`);
    const wanted = page.getByRole('region', { name: 'Description' });
    await wanted.getByText('<b>bold</b>=').waitFor();
    assert.match(await wanted.textContent(), /'<img src=x onerror="globalThis\.hacked = 1">' 'U\+202Egnp\.exe' 'U\+0007U\+001B\[2J'.*<b>bold<\/b>="><i>&amp;/s);
    assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
    assert.equal(await page.locator('main b, main img').count(), 0);
  });

  await t.test('cancel asks first, and shows what follows', async () => {
    await page.goto(`${h.url}pilots/m/runs`);
    const button = page.getByRole('button', { name: 'Cancel…' });
    await button.click();
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'cancel-no');
    assert.deepEqual(await problems(page), []);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Cancel…');
    assert.equal((await h.cli('get', 'runs')).state, 'ACTIVE');
    await button.click();
    await page.getByLabel(/Reason/).fill('seen enough <i>');
    await page.getByRole('button', { name: 'Cancel pilot' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await page.locator('.top .state', { hasText: 'CANCELED' }).waitFor();
    await page.getByRole('region', { name: 'Pilot', exact: true }).getByText('seen enough <i>').waitFor();
    const p = await h.cli('get', 'runs');
    assert.equal(p.state, 'CANCELED');
    assert.equal(p.cancel.reason, 'seen enough <i>');
    assert.equal(p.cancel.by, 'live page');
    assert.equal(await button.count(), 0);
    await page.goto(`${h.url}pilots/m/nobody`);
    await page.getByText('There is no such pilot.').waitFor();
    page.wrong = page.wrong.splice(0, page.wrong.length).filter((w) => !/404/.test(w));
  });
});

test('an event that counts for nothing is marked, and why', async (t) => {
  const h = await house(t);
  const page = await look(h);
  await h.submit([here('ended', ['true'])]);
  await h.cli('wait', 'ended', '--state', 'final');
  await again(h.listen, 'pilots.evt.local.localhost.m.ended');
  await stands(page, 'ended', 'DONE');
  await row(page, 'ended').getByRole('link').click();
  const refused = page.locator('.history tr.refused');
  await refused.getByText('refused', { exact: true }).waitFor();
  assert.match(await refused.textContent(), /refused.*counts for nothing: message \d+ expects 0, which was not the last.*done/);
  assert.equal(await refused.count(), 1);
  assert.equal(await page.locator('.history tr:not(.refused)', { has: page.getByRole('cell', { name: 'done', exact: true }) }).count(), 1);
  assert.equal(await refused.locator('[data-state], .state').count(), 0);
  assert.deepEqual(await problems(page), []);
});

test('keys alone are enough, and the focus is seen', async (t) => {
  const h = await house(t);
  await h.submit(Array.from({ length: 60 }, (_, i) => far(`p${i}`)));
  const page = await look(h);
  await count(page, '60 pilots');
  await page.locator('#body .row').first().waitFor();
  const at = () => page.evaluate(() => document.activeElement.id || document.activeElement.getAttribute('href') || document.activeElement.textContent);
  const press = async (key) => {
    await page.keyboard.press(key);
    assert.ok(await focusSeen(page), `after ${key} the focus on ${await at()} is not seen`);
  };
  await press('Tab');
  assert.equal(await at(), '#main');
  const met = new Set();
  for (let i = 0; i < 40 && !(await at()).startsWith('/pilots/'); i++) {
    await press('Tab');
    met.add(await at());
  }
  for (const id of ['text', 'manager', 'resource', 'sort', 'span', 'earlier', 'later', 'now']) assert.ok(met.has(id), `${id} cannot be reached`);
  assert.equal(await at(), '/pilots/m/p59');
  await press('ArrowDown');
  assert.equal(await at(), '/pilots/m/p58');
  await press('End');
  assert.equal(await at(), '/pilots/m/p0');
  await press('PageUp');
  await press('Home');
  assert.equal(await at(), '/pilots/m/p59');
  await press('ArrowDown');
  await press('ArrowLeft');
  assert.equal(await page.getByRole('button', { name: 'Follow' }).getAttribute('aria-pressed'), 'false');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'p58' }).waitFor();
  await page.getByRole('button', { name: 'Cancel…' }).waitFor();
  while (await at() !== 'Cancel…') await press('Tab');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement.id === 'cancel-no');
  await press('Tab');
  assert.equal(await at(), 'cancel-yes');
  await page.keyboard.press('Enter');
  await page.locator('.top .state', { hasText: 'CANCELED' }).waitFor();
  await page.waitForFunction(() => document.activeElement.id === 'pilot-title'); // the button is gone
  await page.goBack();
  await page.waitForFunction(() => document.activeElement.getAttribute('href') === '/pilots/m/p58');
  await page.locator('a:focus').press('Shift+Tab');
  assert.equal(await at(), 'now');
});

test('after a break it goes on where it was', async (t) => {
  const h = await house(t);
  await h.submit([here('runs', ['sleep', '600']), far('waits')]);
  await h.cli('wait', 'runs', '--state', 'ACTIVE');
  const page = await look(h, { expected: /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|503/ });
  await stands(page, 'runs', 'ACTIVE');
  await page.evaluate(() => { document.querySelector('#body .row').dataset.kept = 'yes'; });
  const hellos = [];
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  session.on('Network.eventSourceMessageReceived', (e) => { if (e.eventName === 'hello') hellos.push(JSON.parse(e.data)); });

  await h.stop('SIGKILL');
  await page.locator('[data-link=again]').waitFor();
  await page.getByText('Connecting again…').first().waitFor();
  assert.equal(await rows(page), 2); // what is known stays in sight
  await h.start();
  await live(page);
  assert.equal(hellos.length, 1);
  assert.equal(hellos[0].fresh, false);
  await h.submit([far('later')]);
  await h.cli('cancel', 'waits');
  await stands(page, 'later', 'PENDING_LAUNCH');
  await stands(page, 'waits', 'CANCELED');
  await count(page, '3 pilots');
  assert.equal(await page.locator('[data-kept]').count(), 1);
});

test('in the dark and on a phone', async (t) => {
  const h = await house(t);
  await h.submit([here('runs', ['sleep', '600']), here('fails', ['false']), here('ends', ['true']), far('waits'), far('gone')]);
  await h.cli('cancel', 'gone');
  await h.cli('wait', 'fails', 'ends', '--state', 'final');
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1440, 360]) {
      const page = await look(h, { colorScheme, viewport: { width, height: 800 } });
      await count(page, '5 pilots');
      await stands(page, 'fails', 'FAILED');
      assert.deepEqual(await problems(page), [], `${colorScheme}, ${width}`);
      const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(back === 'rgb(14, 19, 25)', colorScheme === 'dark');
      await row(page, 'fails').getByRole('link').click();
      await page.getByRole('region', { name: 'History' }).first().waitFor();
      assert.deepEqual(await problems(page), [], `a pilot, ${colorScheme}, ${width}`);
    }
  }
});

test('a token is asked for', async (t) => {
  const token = 'the token of this test';
  const h = await house(t, { env: { FLIGHTLOG_HTTP_TOKEN: token } });
  await h.submit([far('waits')]);
  const page = await look(h, { expected: /401/ });
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
  assert.deepEqual(await problems(page), []);
  await page.getByLabel('Token').fill('not the token at all');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('This is not the token.').waitFor();
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await stands(page, 'waits', 'PENDING_LAUNCH');
  assert.equal(await page.evaluate(() => document.cookie), '');
  await page.goto(`${h.url}pilots/m/waits`);
  await page.getByRole('button', { name: 'Cancel…' }).click();
  await page.getByRole('button', { name: 'Cancel pilot' }).click();
  await page.locator('.top .state', { hasText: 'CANCELED' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
});

test('a link signs in once', async (t) => {
  const h = await house(t, { guarded: true });
  await h.submit([far('waits')]);
  const { url } = await h.cli('page');
  for (const link of [h.link, `${url}&state=PENDING_LAUNCH`]) {
    const page = await look(h, { path: link.slice(h.url.length) });
    await stands(page, 'waits', 'PENDING_LAUNCH');
    assert.doesNotMatch(page.url(), /token/);
    await page.reload();
    await stands(page, 'waits', 'PENDING_LAUNCH');
    const late = await look(h, { path: link.slice(h.url.length), expected: /401/ });
    await late.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.doesNotMatch(late.url(), /token/);
    assert.deepEqual(await problems(late), []);
  }
});

test('read-only: there is nothing to cancel with', async (t) => {
  const h = await house(t, { flags: ['--http-read-only'] });
  await h.submit([far('waits')]);
  const page = await look(h, { path: 'pilots/m/waits' });
  await page.locator('.top .state', { hasText: 'PENDING_LAUNCH' }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Cancel…' }).count(), 0);
});
