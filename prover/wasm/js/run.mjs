// The holder's whole way through the module, the same in Node (node.mjs) and in a browser's worker (worker.mjs): load keys,
// prove, show, and be refused where one must be. Nothing here is part of the module.

import init, { Holder, Policy, ProvingKeys, ShowingKeys } from './bauta_prover_wasm.js';

/**
 * @param {string} host  its name, for the table
 * @param {BufferSource | URL} module  the module's bytes or address
 * @param {(name: string) => Promise<Uint8Array>} read  a file of the input folder
 * @param {{runs: number, shows: number}} repeat  of which the times are medians
 */
export async function run(host, module, read, repeat) {
  const result = { host };
  const time = (name, call) => {
    const began = performance.now();
    const value = call();
    result[name] = performance.now() - began;
    return value;
  };
  const median = (name, times, call) => {
    const all = Array.from({ length: times }, () => { time(name, call); return result[name]; });
    result[name] = all.sort((a, b) => a - b)[Math.floor(all.length / 2)];
  };

  const began = performance.now();
  const { memory } = await init({ module_or_path: module });
  result.module = performance.now() - began;

  const plan = JSON.parse(new TextDecoder().decode(await read('plan.json')));
  const now = BigInt(plan.now);
  const revoked = BigUint64Array.from(plan.revoked, BigInt);
  const [entry, authority, parameters, text, origins, wallet, challenge, spki] = await Promise.all(
    ['epoch.bin', 'authority.txt', 'parameters.txt', 'policy.txt', 'origins.bin', 'wallet.bin', 'challenge.bin', 'spki.der'].map(read),
  );
  const keys = {};
  for (const relation of plan.relations) {
    const files = ['manifest.json', 'verifying-key.bin', 'proving-key.bin'].map((name) => read(`keys/${relation}/${name}`));
    keys[relation] = await Promise.all(files);
  }

  const policy = new Policy(entry, authority, parameters, text, origins, revoked, now);
  const proving = new ProvingKeys();
  time('keys', () => { for (const relation of plan.relations) proving.add(relation, ...keys[relation]); });
  const holder = new Holder(wallet);
  median('possession', repeat.runs, () => holder.provePossession(proving, policy, now));
  median('policy', repeat.runs, () => holder.provePolicy(proving, policy, now));
  median('nullifier', repeat.runs, () => holder.proveUse(proving, policy, plan.counter, now));

  // Another visit: the proofs are in the wallet's bytes, and no proving key is loaded.
  const verifying = ['possession-native', 'policy', 'nullifier'].map((relation) => keys[relation][1]);
  const later = new Holder(holder.stored());
  const prepare = (tables) => later.ready(new ShowingKeys(...verifying, tables), policy, plan.counter, now);
  const plain = time('ready_plain', () => prepare(false));
  const ready = time('ready_tables', () => prepare(true));
  median('show_plain', repeat.shows, () => plain.show(challenge, spki, now).free());
  median('show_tables', repeat.shows, () => ready.show(challenge, spki, now).free());

  const shown = ready.show(challenge, spki, now);
  result.presentation = base64(shown.presentation);
  result.openings = shown.openings;
  result.presented = ready.nullifier;
  result.memory = memory.buffer.byteLength;

  const again = ready.show(challenge, spki, now);
  if (base64(again.presentation) === result.presentation) throw new Error('two shows are the same: the randomness is not fresh');

  // What must be refused, each with a text that names the culprit.
  const altered = (bytes) => { const copy = bytes.slice(); copy[copy.length >> 1] ^= 1; return copy; };
  const [manifest, key, points] = keys.nullifier;
  const open = (change) => {
    const files = { entry, authority, parameters, text, origins, revoked, now, ...change };
    return new Policy(...Object.values(files));
  };
  const named = async (at) => ({
    entry: await read(`${at}/epoch.bin`),
    authority: await read(`${at}/authority.txt`),
    parameters: await read(`${at}/parameters.txt`),
  });
  const production = await named('production');
  const others = open(await named('other-keys'));
  const late = now + 3600n;
  const forOther = challenge.slice();
  forOther[41] ^= 1; // the policy's digest begins there
  const refusals = [
    [/damaged/, () => proving.add('nullifier', manifest, key, altered(points))],
    [/damaged/, () => proving.add('nullifier', manifest, altered(key), points)],
    [/is for the relation/, () => proving.add('policy', manifest, key, points)],
    [/is no relation/, () => proving.add('age', manifest, key, points)],
    [/authority file is not the one/, () => open({ authority: altered(authority) })],
    [/parameters file is not the one/, () => open({ parameters: altered(parameters) })],
    [/policy file is not the one/, () => open({ text: altered(text) })],
    [/origins given are not those/, () => open({ origins: new Uint8Array(32) })],
    [/handles given are not those/, () => open({ revoked: revoked.slice(1) })],
    [/is not in force at/, () => open({ now: late })],
    [/is not in force at/, () => holder.provePolicy(proving, policy, late)],
    [/of a development set/, () => open(production)],
    [/are not those that the epoch names/, () => holder.provePossession(proving, others, now)],
    [/are not those that the epoch names/, () => later.ready(new ShowingKeys(...verifying, false), others, plan.counter, now)],
    [/were not given/, () => holder.provePossession(new ProvingKeys(), policy, now)],
    [/allows 5 uses/, () => holder.proveUse(proving, policy, 5, now)],
    [/no possession proof/, () => new Holder(wallet).ready(new ShowingKeys(...verifying, false), policy, plan.counter, now)],
    [/give the counter/, () => later.ready(new ShowingKeys(...verifying, false), policy, undefined, now)],
    [/no nullifier proof/, () => later.ready(new ShowingKeys(...verifying, false), policy, plan.counter + 1, now)],
    [/expired/, () => ready.show(challenge, spki, now + 301n)],
    [/later than any may/, () => ready.show(challenge, spki, now - 400n)],
    [/for another policy/, () => ready.show(forOther, spki, now)],
    [/does not decode/, () => ready.show(challenge.slice(1), spki, now)],
    [/key to be certified/, () => ready.show(challenge, spki.slice(1), now)],
    [/signature|malformed|secret/, () => new Holder(altered(wallet))],
    [/there is no randomness/, () => withoutRandomness(() => ready.show(challenge, spki, now))],
    [/there is no randomness/, () => withoutRandomness(() => holder.proveUse(proving, policy, plan.counter, now))],
  ];
  const wrong = refusals.map(([text, call]) => notRefused(text, call)).filter((what) => what !== undefined);
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
  result.refusals = refusals.length;
  return result;
}

/** What is wrong, if the call is not refused with an `Error` of this text. */
function notRefused(text, call) {
  try {
    call();
  } catch (error) {
    const named = error instanceof Error && text.test(error.message);
    return named ? undefined : `refused with another text than ${text}: ${error}`;
  }
  return `not refused: ${text}`;
}

/** Shows that the module's randomness is the platform's: without that, nothing is made. */
function withoutRandomness(call) {
  const original = crypto.getRandomValues;
  crypto.getRandomValues = () => { throw new Error('none'); };
  try {
    return call();
  } finally {
    crypto.getRandomValues = original;
  }
}

function base64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}
