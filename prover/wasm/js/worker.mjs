// run.mjs in a Web Worker; the outcome, or the error, goes to chromium.mjs.

import { run } from './run.mjs';

const read = async (name) => {
  const response = await fetch(`/inputs/${name}`);
  if (!response.ok) throw new Error(`/inputs/${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
};

let outcome;
try {
  const version = /Chrome\/(\d+)/.exec(navigator.userAgent);
  const host = version === null ? 'a browser' : `Chromium ${version[1]}`;
  const repeat = await (await fetch('/repeat')).json();
  outcome = await run(host, new URL('bauta_prover_wasm_bg.wasm', import.meta.url), read, repeat);
} catch (error) {
  outcome = { error: `${error?.stack ?? error}` };
}
await fetch('/outcome', { method: 'POST', body: JSON.stringify(outcome) });
