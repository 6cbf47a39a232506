// Lets snarkjs judge what `bauta export snarkjs` wrote.
//
//   node verify.mjs BASE...        reads BASE.vkey.json, BASE.public.json and BASE.proof.json (`snarkjs groth16 verify`)
//   node verify.mjs --witness R1CS WTNS...   checks each witness against a constraint system (`snarkjs wtns check`)
//
// Says "accepted X" or "refused X: why" of each; exit status 1 if a file cannot be read at all.
import { readFileSync } from "node:fs";
import { groth16, wtns } from "snarkjs";

// snarkjs gives false, and the reason to a logger alone.
let reason = "";
const note = (...words) => (reason ||= words.join(" "));
const logger = { debug() {}, info() {}, log() {}, warn: note, error: note };

async function verdict(name, judge) {
  reason = "";
  let good = false;
  try {
    good = await judge();
  } catch (error) {
    reason = error.message;
  }
  console.log(good === true ? `accepted ${name}` : `refused ${name}: ${reason}`);
}

const [first, ...rest] = process.argv.slice(2);
if (first === "--witness") {
  const [r1cs, ...witnesses] = rest;
  for (const file of witnesses) {
    await verdict(file, () => wtns.check(r1cs, file, logger));
  }
} else {
  const read = (path) => JSON.parse(readFileSync(path));
  for (const base of [first, ...rest]) {
    const files = ["vkey", "public", "proof"].map((kind) => read(`${base}.${kind}.json`));
    await verdict(base, () => groth16.verify(...files, logger));
  }
}
process.exit(0);
