// Makes circomlib.json from circomlibjs, the reference that Bauta's native Poseidon, Baby Jubjub and EdDSA are tested
// against. Run once, by hand: npm install --no-save circomlibjs@0.1.7 && node circomlib.mjs > circomlib.json
import { createHash } from "node:crypto";
import { buildEddsa, buildPoseidon } from "circomlibjs";

const poseidon = await buildPoseidon();
const eddsa = await buildEddsa();
const { babyJub, F } = eddsa;
const text = (element) => F.toString(element);
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const seeded = (label) => createHash("sha256").update(label).digest();
const element = (label) => F.e(BigInt("0x" + hex(seeded(label))));

const hashes = [];
for (let n = 1; n <= 16; n++) {
  for (const inputs of [
    Array.from({ length: n }, (_, i) => F.e(BigInt(i + 1))),
    Array.from({ length: n }, (_, i) => element(`poseidon ${n} ${i}`)),
  ]) {
    hashes.push({ inputs: inputs.map(text), output: text(poseidon(inputs)) });
  }
}

const points = [];
for (let i = 1; i <= 8; i++) {
  const point = babyJub.mulPointEscalar(babyJub.Base8, BigInt("0x" + hex(seeded(`point ${i}`))));
  points.push({ x: text(point[0]), y: text(point[1]), packed: hex(babyJub.packPoint(point)) });
}

const signatures = [];
for (let i = 1; i <= 8; i++) {
  const key = seeded(`key ${i}`);
  const public_key = eddsa.prv2pub(key);
  const message = element(`message ${i}`);
  const signature = eddsa.signPoseidon(key, message);
  if (!eddsa.verifyPoseidon(message, signature, public_key)) throw new Error("circomlibjs refuses its own signature");
  signatures.push({
    public_key: public_key.map(text),
    message: text(message),
    r8: signature.R8.map(text),
    s: signature.S.toString(),
    packed: hex(eddsa.packSignature(signature)),
  });
}

console.log(JSON.stringify({ source: "circomlibjs 0.1.7", hashes, points, signatures }, null, 1));
process.exit(0);
