// Times snarkjs' Groth16 prover on what `bauta export snarkjs --witness` or the bench "peers" wrote.
//
//   node prove.mjs RUNS CACHE BASE...
//
// Reads BASE.r1cs and BASE.wtns, proves RUNS times after one run that does not count, verifies each proof, and prints
// "BASE CONSTRAINTS MEDIAN-MILLISECONDS". snarkjs' workers take all cores that the process may use. Parameters of snarkjs' own
// (one contribution, for timing alone) take minutes to make, and are kept in CACHE.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { curves, groth16, powersOfTau, r1cs, zKey } from "snarkjs";

const [runs, cache, ...bases] = process.argv.slice(2);
const curve = await curves.getCurveFromName("bn128");
mkdirSync(cache, { recursive: true });

/** A file of the cache, made in a folder of its own first so that a half-made one is never taken. */
async function cached(name, make) {
  const path = join(cache, name);
  if (!existsSync(path)) {
    console.error(`making ${path}`);
    const folder = mkdtempSync(join(cache, "new-"));
    const [draft, made] = ["draft", "made"].map((part) => join(folder, part));
    await make(draft, made);
    renameSync(made, path);
    rmSync(folder, { recursive: true });
  }
  return path;
}

const power = 13;
const ptau = await cached(`bn128-${power}.ptau`, async (draft, made) => {
  await powersOfTau.newAccumulator(curve, power, draft);
  await powersOfTau.contribute(draft, `${draft}-1`, "timing", "no secret");
  await powersOfTau.preparePhase2(`${draft}-1`, made);
});

for (const base of bases) {
  const digest = createHash("sha256").update(readFileSync(`${base}.r1cs`)).digest("hex").slice(0, 16);
  const key = await cached(`${digest}.zkey`, async (draft, made) => {
    await zKey.newZKey(`${base}.r1cs`, ptau, draft);
    await zKey.contribute(draft, made, "timing", "no secret");
  });
  const verifyingKey = await zKey.exportVerificationKey(key);
  // From memory: reading the files is not proving.
  const [keyBytes, witness] = [key, `${base}.wtns`].map((path) => ({ type: "mem", data: new Uint8Array(readFileSync(path)) }));
  const times = [];
  for (let run = 0; run <= Number(runs); run++) {
    const start = performance.now();
    const { proof, publicSignals } = await groth16.prove(keyBytes, witness);
    const took = performance.now() - start;
    if (!(await groth16.verify(verifyingKey, publicSignals, proof))) throw new Error(`${base}: snarkjs refuses its own proof`);
    if (run > 0) times.push(took);
  }
  times.sort((a, b) => a - b);
  const { nConstraints } = await r1cs.info(`${base}.r1cs`);
  console.log(`${base} ${nConstraints} ${times[Math.floor(times.length / 2)].toFixed(1)}`);
}
process.exit(0);
