// node chromium.mjs INPUTS RESULT.json RUNS SHOWS: serves this folder and the inputs on loopback, opens page.html in headless
// Chromium, and writes what the page posts.

import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const [inputs, out, runs, shows] = process.argv.slice(2);
const site = fileURLToPath(new URL('.', import.meta.url));
const types = { '.html': 'text/html', '.mjs': 'text/javascript', '.js': 'text/javascript', '.wasm': 'application/wasm' };

let done;
const outcome = new Promise((resolve) => { done = resolve; });
const server = createServer(async (request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
  if (request.method === 'POST' && path === '/outcome') {
    const parts = [];
    for await (const part of request) parts.push(part);
    response.end();
    done(JSON.parse(Buffer.concat(parts).toString()));
    return;
  }
  if (path === '/repeat') {
    response.end(JSON.stringify({ runs: Number(runs), shows: Number(shows) }));
    return;
  }
  const file = path.startsWith('/inputs/') ? join(inputs, path.slice('/inputs/'.length)) : join(site, path);
  try {
    const bytes = await readFile(file);
    response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' });
    response.end(bytes);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });

const profile = await mkdtemp(join(tmpdir(), 'bauta-chromium-'));
// No sandbox: in a container, as root, Chromium cannot make one; the page is ours. The rest keeps it off the network.
const flags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', `--user-data-dir=${profile}`,
];
const chromium = spawn('chromium', [...flags, `http://127.0.0.1:${server.address().port}/page.html`], {
  stdio: ['ignore', 'ignore', 'pipe'],
  detached: true, // a group of its own, so that its helpers end with it
});
let said = '';
chromium.stderr.on('data', (bytes) => { said = `${said}${bytes}`.slice(-4000); });
const ended = new Promise((resolve) => {
  chromium.on('error', (error) => resolve({ error: `cannot start chromium (apt-get install chromium): ${error.message}` }));
  chromium.on('exit', (status) => resolve({ error: `chromium ended with status ${status} before the page was done` }));
});
const seconds = 300;
const waited = new Promise((resolve) => {
  setTimeout(resolve, seconds * 1000, { error: `the page was not done after ${seconds} s` }).unref();
});
const result = await Promise.race([outcome, ended, waited]);

if (chromium.pid !== undefined && chromium.exitCode === null) {
  // It ends its helpers itself; if it does not, the whole group ends.
  const late = setTimeout(() => process.kill(-chromium.pid, 'SIGKILL'), 10_000);
  chromium.kill('SIGTERM');
  await ended;
  clearTimeout(late);
}
server.closeAllConnections();
server.close();
await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
if (result.error !== undefined) {
  console.error(`${result.error}\n${said}`);
  process.exitCode = 1;
} else {
  await writeFile(out, JSON.stringify(result, null, 2));
}
