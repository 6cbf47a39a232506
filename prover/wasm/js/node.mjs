// node node.mjs INPUTS RESULT.json RUNS SHOWS: run.mjs in Node, on the module beside it.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run.mjs';

const [inputs, out, runs, shows] = process.argv.slice(2);
const module = await readFile(new URL('bauta_prover_wasm_bg.wasm', import.meta.url));
// A copy, because Node's Buffer is a window on a larger one.
const read = async (name) => new Uint8Array(await readFile(join(inputs, name)));
const host = `Node ${process.versions.node}`;
const result = await run(host, module, read, { runs: Number(runs), shows: Number(shows) });
await writeFile(out, JSON.stringify(result, null, 2));
