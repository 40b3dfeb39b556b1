import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problems } from './access.js';
import { House, browser, far, here, verdict, visit } from './house.js';

test('2,000 pilots: few rows in the document, every one to be reached', async (t) => {
  const chrome = await browser();
  t.after(() => chrome.close());
  const h = await House.open();
  t.after(() => h.close());
  await h.cli('manager', 'create', '--uid', 'm');
  const page = await visit(chrome, h.url);
  await page.locator('[data-link=live]').waitFor();
  await h.submit(Array.from({ length: 200 }, (_, i) => here(`here-${i}`, [i % 10 ? 'true' : 'false'])));
  await h.submit(Array.from({ length: 1000 }, (_, i) => far(`slurm-${i}`)));
  await h.submit(Array.from({ length: 800 }, (_, i) => far(`lsf-${i}`, { resource: 'generic.lsf' })));
  await h.cli('cancel', ...Array.from({ length: 300 }, (_, i) => `slurm-${i * 2}`));
  const amount = (state, n) => page.locator(`#states [data-state=${state}] .number`, { hasText: new RegExp(`^${n}$`) }).waitFor({ timeout: 120_000 });
  await amount('DONE', 180);
  await amount('FAILED', 20);
  await amount('CANCELED', 300);
  await amount('PENDING_LAUNCH', '1,500');
  await page.locator('#count', { hasText: /^2,000 pilots$/ }).waitFor();

  const rows = await page.locator('#body .row').count();
  assert.ok(rows < 60, `${rows} rows are in the document`);
  assert.equal(await page.locator('#table').getAttribute('aria-rowcount'), '2001');
  assert.equal(await page.locator('a[href="/pilots/m/lsf-799"]').count(), 1);

  await page.locator('#body').evaluate((e) => { e.scrollTop = e.scrollHeight; });
  await page.locator('a[href="/pilots/m/here-0"]').waitFor();
  assert.equal(await page.locator('.row', { has: page.locator('a[href="/pilots/m/here-0"]') }).getAttribute('aria-rowindex'), '2001');
  assert.ok(await page.locator('#body .row').count() < 60);

  // What stands in sight stays there while pilots come above it.
  const before = await page.locator('a[href="/pilots/m/here-0"]').boundingBox();
  await h.submit(Array.from({ length: 50 }, (_, i) => far(`more-${i}`)));
  await page.locator('#count', { hasText: /^2,050 pilots$/ }).waitFor();
  assert.deepEqual(await page.locator('a[href="/pilots/m/here-0"]').boundingBox(), before);

  // A row that has the focus keeps it, however far it is out of sight.
  await page.locator('a[href="/pilots/m/here-0"]').focus();
  await page.locator('#body').evaluate((e) => { e.scrollTop = 0; });
  await page.locator('a[href="/pilots/m/more-49"]').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), '/pilots/m/here-0');

  await page.getByRole('searchbox').fill('slurm-77');
  await page.locator('#count', { hasText: /^11 pilots of 2,050$/ }).waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();
  assert.deepEqual(await problems(page), []);

  await page.setViewportSize({ width: 360, height: 800 });
  await page.locator('#body .row').first().waitFor();
  assert.deepEqual(await problems(page), []);

  // Who comes later is shown the same at once, with the past of what is in sight.
  const other = await visit(chrome, h.url);
  await other.locator('#count', { hasText: /^2,050 pilots$/ }).waitFor();
  await other.getByRole('searchbox').fill('here-');
  await other.locator('.row .unseen', { hasText: /LAUNCHING/ }).first().waitFor({ state: 'attached' });
  for (const p of [page, other]) assert.deepEqual(await verdict(p, h.url), []);
});
