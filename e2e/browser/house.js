// A real service and a real browser for the tests.

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const bin = resolve(import.meta.dirname, '../../bin/flightlog');
const run = promisify(execFile);
const patient = ['--request-timeout', '2m']; // a test machine may be busy

/** freePort gives a port that nobody listens at just now. */
async function freePort() {
  const s = createServer();
  await new Promise((done) => s.listen(0, '127.0.0.1', done));
  const { port } = s.address();
  await new Promise((done) => s.close(done));
  return port;
}

/** House is one 'flightlog up' over a directory, at the same addresses whenever it runs. */
export class House {
  #process;

  static async open({ env = {}, flags = [], guarded = false } = {}) {
    const h = new House();
    h.dir = await mkdtemp(join(tmpdir(), 'flightlog-browser-'));
    h.listen = `127.0.0.1:${await freePort()}`;
    h.http = `127.0.0.1:${await freePort()}`;
    h.url = `http://${h.http}/`;
    h.flags = guarded ? flags : ['--open', ...flags]; // else each visitor would need a link of his own
    h.env = { ...process.env, NATS_URL: `nats://${h.listen}`, FLIGHTLOG_MANAGER: 'm', FLIGHTLOG_OUTPUT: 'json', HOME: h.dir, ...env };
    await h.start();
    return h;
  }

  async start() {
    this.#process = spawn(bin, ['up', '--store', join(this.dir, 'store'), '--listen', this.listen, '--http', this.http,
      '--sync', '1s', '--log-level', 'warn', ...this.flags], { env: this.env, stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: this.#process.stdout })) {
      if (!line.startsWith(`page: ${this.url}`)) continue;
      this.link = line.slice('page: '.length); // signs in once
      return;
    }
    throw new Error('flightlog up ended before it was ready');
  }

  /** stop ends it by a signal; pilots keep running. */
  async stop(signal = 'SIGTERM') {
    const p = this.#process;
    if (!p || p.exitCode !== null || p.signalCode !== null) return;
    const ended = new Promise((done) => p.once('exit', done));
    p.kill(signal);
    await ended;
  }

  async close() {
    try {
      await this.cli('cancel', '--all', '--force', '--wait');
    } catch {
      // no manager, or nothing to cancel
    }
    await this.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** cli runs a command and gives the value it prints. */
  async cli(...args) {
    const { stdout } = await run(bin, [...patient, ...args], { env: this.env, maxBuffer: 64 << 20 });
    return stdout.trim() ? JSON.parse(stdout) : undefined;
  }

  /** fed runs a command that reads this as JSON. */
  fed(value, ...args) {
    return new Promise((done, failed) => {
      const p = execFile(bin, [...patient, ...args], { env: this.env, maxBuffer: 64 << 20 }, (err, out, text) => (err ? failed(new Error(`${err.message}: ${text}${out}`)) : done(JSON.parse(out))));
      p.stdin.end(JSON.stringify(value));
    });
  }

  submit(pilots) { return this.fed(pilots, 'submit', '-f', '-'); }
}

/** here describes a pilot of this machine. */
export const here = (uid, command, more = {}) => ({
  uid, resource: 'local.localhost', cores: 1, runtime: '10m', executable: command[0], arguments: command.slice(1), ...more,
});

/** far describes a pilot that waits for ever: nobody launches for that resource. */
export const far = (uid, more = {}) => ({ uid, resource: 'generic.slurm', nodes: 1, runtime: '1h', executable: 'hostname', ...more });

/** browser starts Chromium so that it talks to nobody by itself. */
export function browser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** visit opens a page that must ask nobody else, break no rule, and log no error. */
export async function visit(chrome, url, options = {}) {
  const context = await chrome.newContext({ viewport: { width: 1440, height: 900 }, timezoneId: 'UTC', locale: 'en-GB', ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const wrong = [];
  const asked = [];
  page.on('console', (m) => {
    if (m.type() === 'error' || m.type() === 'warning') wrong.push(`console: ${m.text()}`);
  });
  page.on('pageerror', (e) => wrong.push(`error: ${e.stack}`));
  page.on('request', (r) => asked.push(r.url()));
  await page.addInitScript(() => {
    globalThis.violations = [];
    addEventListener('securitypolicyviolation', (e) => globalThis.violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
  });
  await page.goto(url);
  page.wrong = wrong;
  page.asked = asked;
  return page;
}

/** verdict says what was wrong with a page over its life; expected are console lines that had to come. */
export async function verdict(page, url, expected = /^$/) {
  const violations = await page.evaluate(() => globalThis.violations);
  const own = new URL(url).origin;
  return [
    ...page.wrong.filter((w) => !expected.test(w)),
    ...violations.map((v) => `policy: ${v}`),
    ...page.asked.filter((u) => new URL(u).origin !== own).map((u) => `asked ${u}`),
  ];
}
