// Credentials between circomlibjs and Bauta: EdDSA-Poseidon over the message of docs/spec/relations.md ("possession-native").
//
//   node circomlib-credential.mjs           makes circomlib-credential.json, on standard output: a credential that circomlibjs
//                                           signed, for prover/tests/circomlib.rs; everything in it is hashed here as well
//   node circomlib-credential.mjs FILE...   says "accepted FILE" or "refused FILE: why" of each credential.json that
//                                           `bauta export snarkjs` wrote
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { buildEddsa, buildPoseidon } from "circomlibjs";

const poseidon = await buildPoseidon();
const eddsa = await buildEddsa();
const { F } = eddsa;
const text = (element) => F.toString(element);
const number = (value) => F.e(BigInt(value));
const hash = (...inputs) => poseidon(inputs);

const FORMAT = 1;
const ABSENT = number(1n << 64n);
const origin = (issuer, rule) => hash(number(FORMAT), hash(...issuer), rule);
/** The vector with the commitment in the holder secret's place. */
const message = (slots, commitment) => hash(...slots.map((slot, i) => (i === 1 ? commitment : slot)));

function check({ format, issuer, rule, slots, commitment, signature }) {
  // circomlibjs takes numbers modulo the field's; a second encoding of one is refused here.
  const canonical = (value) => value === text(number(value));
  const all = [...issuer, rule, ...slots.filter((_, i) => i !== 1), commitment, ...signature.R8];
  if (format !== FORMAT || slots.length !== 16 || slots[1] !== null || !all.every(canonical)) return "malformed";
  const key = issuer.map(number);
  if (slots[0] !== text(origin(key, number(rule)))) return "slot 0 is not the origin of this issuer and rule";
  const signed = message(slots.map((slot) => number(slot ?? 0)), number(commitment));
  const theirs = { R8: signature.R8.map(number), S: BigInt(signature.S) };
  return eddsa.verifyPoseidon(signed, theirs, key) ? null : "the signature does not verify";
}

function make() {
  const seeded = (label) => createHash("sha256").update(`circomlib credential: ${label}`).digest();
  const element = (label) => number("0x" + seeded(label).toString("hex"));
  const little = (bytes) => number("0x0" + Buffer.from(bytes).reverse().toString("hex"));
  const pieces = (bytes) => Array.from({ length: Math.ceil(bytes.length / 31) }, (_, i) => little(bytes.subarray(31 * i, 31 * i + 31)));
  const hashText = (value) => {
    const [tag, bytes] = [Buffer.from("bauta/v1/text"), Buffer.from(value)];
    const elements = [number((BigInt(tag.length) << 64n) | BigInt(bytes.length)), ...pieces(tag), ...pieces(bytes)];
    let chain = little(Buffer.from("bauta/v1/bytes"));
    for (let i = 0; i < elements.length; i += 3) {
      chain = hash(chain, ...[0, 1, 2].map((j) => elements[i + j] ?? number(0)));
    }
    return chain;
  };
  const toField = (value) => (value === null ? ABSENT : typeof value === "string" ? hashText(value) : number(value));

  const key = seeded("issuer");
  const issuer = eddsa.prv2pub(key);
  const rule = element("rule");
  const [secret, blinding] = [element("secret"), element("blinding")];
  const commitment = hash(secret, blinding);
  const [notBefore, notAfter, handle] = [1000, 9000, 4711];
  const attributes = ["Research", 7, "", "Università Ca’ Foscari, Dorsoduro 3246, Venezia", null, null, null, null, null, null, 0];
  const slots = [origin(issuer, rule), number(0), ...[notBefore, notAfter, handle].map(number), ...attributes.map(toField)];
  const signed = message(slots, commitment);
  const signature = eddsa.signPoseidon(key, signed);
  const credential = {
    format: FORMAT,
    issuer: issuer.map(text),
    rule: text(rule),
    slots: slots.map((slot, i) => (i === 1 ? null : text(slot))),
    commitment: text(commitment),
    signature: { R8: signature.R8.map(text), S: signature.S.toString() },
  };
  const refusal = check(credential);
  if (refusal) throw new Error(`circomlibjs refuses its own credential: ${refusal}`);
  return {
    source: "circomlibjs 0.1.7",
    holder: { secret: text(secret), blinding: text(blinding) },
    notBefore,
    notAfter,
    handle,
    attributes,
    message: text(signed),
    signature: Buffer.from(eddsa.packSignature(signature)).toString("hex"),
    credential,
  };
}

const files = process.argv.slice(2);
if (files.length === 0) {
  console.log(JSON.stringify(make(), null, 1));
}
for (const file of files) {
  const refusal = check(JSON.parse(readFileSync(file)));
  console.log(refusal ? `refused ${file}: ${refusal}` : `accepted ${file}`);
}
process.exit(0);
