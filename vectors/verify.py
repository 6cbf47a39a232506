#!/usr/bin/env python3
"""An independent verifier of Bauta presentations.

Written from docs/spec/presentation.md, docs/spec/policy.md and docs/schema/policy.json alone, without a look at the
code that it is compared with. Curve arithmetic and pairing are py_ecc's; all else is here and in verifier/. Section
numbers are those of presentation.md. It is a judge of other code, for auditors and for continuous integration, and no
part of a service: it is slow, and it remembers what it decoded.

    python3 vectors/verify.py FILE…              each must verify
    python3 vectors/verify.py --vectors FILE…    each must have the verdict that it says itself it has

Exit status: 0 if all do, 1 if some do not, 2 if called wrongly.
"""

import argparse
import hashlib
import json
import os
import re
import sys
from collections import namedtuple
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

try:
    from py_ecc import optimized_bn128 as bn
except ImportError:
    print("verify.py needs py_ecc: pip install -r vectors/requirements.txt", file=sys.stderr)
    sys.exit(2)

from verifier.groups import H, K, R, be, combine, decode_g1, decode_g2, decode_scalar, is_one, le, miller
from verifier.hashing import U64, element, poseidon, revocation_root, scope_element, set_root
from verifier.merlin import Transcript
from verifier.policy import policy_inputs, read_policy
from verifier.refused import Refused, demand

# --- Section 5: verifying keys.

Key = namedtuple("Key", "digest alpha beta delta1 delta2 bases alpha_beta")  # alpha_beta: Miller loop of (−α₁, β₂)
BASES = {"possession": 17, "policy": 38, "nullifier": 5}


@lru_cache(maxsize=None)
def read_key(relation, data):
    """Decodes a key, and checks it as far as a key can be checked alone (1 to 5)."""
    try:
        demand(len(data) == 194 + 32 * int.from_bytes(data[192:194], "big"), "length")
        alpha, beta = decode_g1(data[:32]), decode_g2(data[32:96])
        delta1, delta2 = decode_g1(data[96:128]), decode_g2(data[128:192])
        bases = [decode_g1(data[i : i + 32]) for i in range(194, len(data), 32)]
    except Refused as error:
        raise Refused("key-encoding", f"{relation}: {error}") from None
    # All are affine: an equal x is the same point, or its negative.
    demand(len(bases) == BASES[relation], "key-input-count", relation)
    demand(delta2[0] != bn.G2[0] and delta1[0] != bn.G1[0], "key-gamma-is-delta", relation)
    demand(alpha[0] != bn.G1[0] and beta[0] != bn.G2[0], "key-generator", relation)
    demand(len({base[0].n for base in bases}) == len(bases), "key-repeated-input", relation)
    one_delta = miller(delta1, bn.G2) * miller(bn.neg(bn.G1), delta2)
    demand(is_one(one_delta), "key-delta-mismatch", relation)
    digest = hashlib.sha256(data).digest()
    return Key(digest, alpha, beta, delta1, delta2, bases, miller(bn.neg(alpha), beta))


def read_keys(keys):
    """The parameter set: a possession key for each format, and the other two; checks 6 and 7."""
    possession = {form: read_key("possession", data) for form, data in keys["possession"].items()}
    policy, nullifier = read_key("policy", keys["policy"]), read_key("nullifier", keys["nullifier"])
    every = [*possession.values(), policy, nullifier]
    demand(all(key.alpha == policy.alpha and key.beta == policy.beta for key in every), "key-set", "α or β differ")
    demand(len({key.delta2[0].coeffs for key in every}) == len(every), "key-set", "two keys with one δ")
    return possession, policy, nullifier


# --- Section 7: the presentation.

Proof = namedtuple("Proof", "a b c v t z encoded t_encoded")  # encoded: A', B', C'', V as sent
Disclosure = namedtuple("Disclosure", "d t z d_encoded t_encoded")
Presentation = namedtuple("Presentation", "form proofs nullifier disclosures responses")


class Reader:
    def __init__(self, data):
        self.data, self.position = data, 0

    def take(self, size):
        self.position += size
        return self.data[self.position - size : self.position]

    def proof(self):
        a, b, c, v, t = (self.take(size) for size in (32, 64, 32, 32, 32))
        points = decode_g1(a), decode_g2(b), decode_g1(c), decode_g1(v), decode_g1(t)
        return Proof(*points, decode_scalar(self.take(32)), (a, b, c, v), t)

    def disclosure(self):
        d, t = self.take(32), self.take(32)
        return Disclosure(decode_g1(d), decode_g1(t), decode_scalar(self.take(32)), d, t)


def read_presentation(data):
    demand(len(data) >= 4, "length", "no header")
    version, form, scoped, count = data[:4]
    demand(version == 1, "version")
    demand(1 <= form <= 4 and scoped <= 1 and count <= 11, "header")
    demand(len(data) == 964 + 256 * scoped + 96 * count, "length")
    reader = Reader(data)
    reader.take(4)
    proofs = [reader.proof(), reader.proof()]
    nullifier = None
    if scoped:
        nullifier = decode_scalar(reader.take(32))
        proofs.append(reader.proof())
    disclosures = [reader.disclosure() for _ in range(count)]
    return Presentation(form, proofs, nullifier, disclosures, [decode_scalar(reader.take(32)) for _ in range(16)])


def read_openings(data):
    """A list of (slot, value, blinding)."""
    reader = Reader(data)

    def take(size):
        part = reader.take(size)
        demand(len(part) == size, "opening-encoding", "cut short")
        return part

    count, openings = take(1)[0], []
    demand(count <= 11, "opening-encoding", "more than eleven")
    for _ in range(count):
        slot, kind = take(2)
        demand(kind in (1, 2, 3), "opening-encoding", "unknown kind")
        value = None
        if kind == 1:
            value = int.from_bytes(take(8), "big")
        elif kind == 2:
            size = int.from_bytes(take(2), "big")
            demand(size <= 4096, "opening-encoding", "a text of more than 4,096 bytes")
            try:
                value = take(size).decode()
            except UnicodeDecodeError:
                raise Refused("opening-encoding", "not UTF-8") from None
        openings.append((slot, value, decode_scalar(take(32), "opening-encoding")))
    demand(reader.position == len(data), "opening-encoding", "bytes after the last")
    return openings


# --- Section 8: the transcript.

Statement = namedtuple("Statement", "keys operands disclosed inputs scope bound context")


def draw(statement, shown):
    """The challenge and the weight seed."""
    transcript, context = Transcript(b"bauta/v1/presentation"), statement.context
    transcript.append_u64("version", 1)
    transcript.append_u64("format", shown.form)
    transcript.append_u64("relations", len(statement.keys))
    for key in statement.keys:
        transcript.append("verifying-key", key.digest)
    for slot in statement.operands:
        transcript.append_u64("operand", U64 - 1 if slot is None else slot)
    transcript.append_u64("disclosures", len(statement.disclosed))
    for slot in statement.disclosed:
        transcript.append_u64("disclosed", slot)
    transcript.append_u64("policy-inputs", len(statement.inputs))
    for value in statement.inputs:
        transcript.append("policy-input", le(value))
    transcript.append_u64("scoped", int(statement.scope is not None))
    if statement.scope is not None:
        transcript.append("scope", le(statement.scope))
        transcript.append_u64("bound", statement.bound)
        transcript.append("nullifier", le(shown.nullifier))
    transcript.append("policy-digest", context["policy_digest"])
    transcript.append("nonce", context["nonce"])
    transcript.append("expiry", be(context["expiry"]))
    transcript.append("trust-domain", context["trust_domain"].encode())
    transcript.append("ca-name", context["ca_name"].encode())
    transcript.append("log-origin", context["log_origin"].encode())
    transcript.append("spki-sha256", context["spki_sha256"])
    for proof in shown.proofs:
        for label, data in zip("ABCV", proof.encoded):
            transcript.append(label, data)
    for disclosure in shown.disclosures:
        transcript.append("commitment", disclosure.d_encoded)
    for proof in shown.proofs:
        transcript.append("first-message", proof.t_encoded)
    for disclosure in shown.disclosures:
        transcript.append("commitment-first-message", disclosure.t_encoded)
    challenge = int.from_bytes(transcript.challenge("challenge", 64), "little") % R
    for proof in shown.proofs:
        transcript.append("z-response", le(proof.z))
    for disclosure in shown.disclosures:
        transcript.append("blinding-response", le(disclosure.z))
    for response in shown.responses:
        transcript.append("response", le(response))
    return challenge, transcript.challenge("weight-seed", 32)


# --- Sections 9 and 10: the equations. (2) and (3) one by one, (1) joined by the weights of section 10.

LAMBDA = 21888242871839275217838484774961031246154997185409878258781734729429964517155


def weights(weight_seed, count):
    """Weights of (1) for one presentation of `count` proofs: every second weight is (2)'s; the last completes 1."""
    seed = hashlib.sha256(b"bauta/v1/batch-weights" + be(1) + weight_seed).digest()
    drawn = []
    for number in range(count - 1):
        block = hashlib.sha256(seed + be(number)).digest()
        high, low = int.from_bytes(block[:8], "big"), int.from_bytes(block[8:16], "big")
        drawn.append((high + LAMBDA * low) % R)
    return drawn + [(1 - sum(drawn)) % R]


def check_equations(statement, shown, challenge, weight_seed):
    slots = [range(16), [0, 2, 3, 4, *statement.operands], [1]]
    inputs = [[], statement.inputs, [shown.nullifier, statement.scope, statement.bound]]
    relations = list(zip(("possession", "policy", "nullifier"), statement.keys, shown.proofs, slots, inputs))
    answer = shown.responses
    for name, key, proof, hidden, _ in relations:
        terms = [(answer[slot], base) for slot, base in zip(hidden, key.bases[1:]) if slot is not None]
        terms += [(proof.z, key.delta1), (1, bn.neg(proof.t)), (challenge, bn.neg(proof.v))]
        demand(bn.is_inf(combine(terms)), "unproven", f"equation (2) of {name}")
    for slot, one in zip(statement.disclosed, shown.disclosures):
        terms = [(answer[slot], H), (one.z, K), (1, bn.neg(one.t)), (challenge, bn.neg(one.d))]
        demand(bn.is_inf(combine(terms)), "unproven", f"equation (3) of slot {slot}")
    product, exposed = statement.keys[0].alpha_beta, []
    for weight, (_, key, proof, hidden, public) in zip(weights(weight_seed, len(relations)), relations):
        assert len(key.bases) == 1 + len(hidden) + len(public)
        product *= miller(combine([(weight, proof.a)]), proof.b)
        product *= miller(combine([(-weight, proof.c)]), key.delta2)
        exposed += [(weight, key.bases[0]), (weight, proof.v)]
        exposed += [(weight * value, base) for value, base in zip(public, key.bases[1 + len(hidden) :])]
    product *= miller(bn.neg(combine(exposed)), bn.G2)
    demand(is_one(product), "unproven", "equation (1)")


def verify(vector, trace=None):
    """Section 9: gives nullifier and disclosed values, or raises `Refused`. `trace` takes what lies on the way."""
    trace = {} if trace is None else trace
    possession, policy_key, nullifier_key = read_keys(vector["keys"])
    policy, epoch, context = vector["policy"], vector["epoch"], vector["context"]
    places, disclosed = read_policy(policy)
    scope = policy.get("scope")
    formats = [form for form in vector["formats"] if form == 1 or not scope]
    demand(formats and set(formats) <= set(possession), "policy", "a format without a key, or no format")
    origins = [decode_scalar(origin, "epoch") for origin in epoch["origins"]]
    roots = set_root(5, origins, "epoch"), revocation_root(epoch["revoked"])
    inputs = policy_inputs(policy, places, epoch, roots)
    operands = [one and one["slot"] for one in places]
    trace.update(issuer_root=le(roots[0]), revocation_root=le(roots[1]), operands=operands, disclosed=disclosed)
    trace.update(policy_inputs=[le(value) for value in inputs])

    shown = read_presentation(vector["presentation"])
    demand(not scope or shown.form == 1, "format-under-scope")
    demand(shown.form in formats, "format")
    demand(not scope or shown.nullifier is not None, "nullifier-missing")
    demand(scope or shown.nullifier is None, "nullifier-unasked")
    demand(len(shown.disclosures) == len(disclosed), "disclosures")

    keys, scoped, bound = [possession[shown.form], policy_key], None, None
    if scope:
        keys.append(nullifier_key)
        start = vector["time"] - vector["time"] % scope["period_seconds"]
        scoped, bound = scope_element(context["trust_domain"], scope["name"], start), scope["bound"]
        trace.update(scope=le(scoped))
    statement = Statement(keys, operands, disclosed, inputs, scoped, bound, context)
    challenge, weight_seed = draw(statement, shown)
    trace.update(key_digests=[key.digest for key in keys], challenge=le(challenge), weight_seed=weight_seed)
    check_equations(statement, shown, challenge, weight_seed)

    openings = read_openings(vector["openings"])
    demand([slot for slot, _, _ in openings] == disclosed, "opening-slots")
    for (slot, value, blinding), one in zip(openings, shown.disclosures):
        terms = [(element(value), H), (blinding, K), (1, bn.neg(one.d))]
        demand(bn.is_inf(combine(terms)), "opening-mismatch", f"slot {slot}")
    return {
        **({} if shown.nullifier is None else {"nullifier": le(shown.nullifier).hex()}),
        **({"disclosed": [{"slot": slot, "value": value} for slot, value, _ in openings]} if openings else {}),
    }


# --- Section 12: files.

# Within a line the order of checks is free, so a vector's reason means its line.
REASONS = [
    ["key-encoding"],
    ["key-input-count", "key-gamma-is-delta", "key-generator", "key-repeated-input", "key-delta-mismatch"],
    ["key-set"],
    ["policy"],
    ["epoch"],
    ["version", "header", "length"],
    ["scalar", "point", "point-infinity", "point-subgroup"],
    ["format-under-scope", "format", "nullifier-missing", "nullifier-unasked", "disclosures"],
    ["unproven"],
    ["opening-encoding", "opening-slots", "opening-mismatch"],
]


def unique_members(pairs):
    demand(len({name for name, _ in pairs}) == len(pairs), "file", "a JSON member is there twice")
    return dict(pairs)


def no_integer(text):
    raise Refused("file", f"{text}: no integer")


def member(value, shape, where="the file"):
    """A member of a vector in its shape: a type, "hex" or a number of bytes (which become bytes), [shape] or a dict."""
    if type(shape) is dict:
        demand(type(value) is dict, "file", f"{where}: no object")
        demand(set(shape) == set(value), "file", f"{where}: a member is missing or unknown")
        return {name: member(value[name], inner, name) for name, inner in shape.items()}
    if type(shape) is list:
        demand(type(value) is list, "file", f"{where}: no list")
        return [member(item, shape[0], where) for item in value]
    if shape == "hex" or type(shape) is int:
        good = type(value) is str and re.fullmatch("([0-9a-f]{2})*", value)
        demand(good and shape in ("hex", len(value) // 2), "file", f"{where}: not its number of bytes in hexadecimal")
        return bytes.fromhex(value)
    demand(type(value) is shape, "file", f"{where}: not its type")
    demand(shape is not int or 0 <= value < U64, "file", f"{where}: not 64 bits")
    return value


SHAPE = {
    "description": str,
    "keys": {"possession": dict, "policy": "hex", "nullifier": "hex"},
    "formats": [int],
    "policy": dict,
    "epoch": {"start": int, "end": int, "origins": [32], "revoked": [int]},
    "time": int,
    "context": {
        **{"policy_digest": 32, "nonce": 32, "spki_sha256": 32, "expiry": int},
        **{"trust_domain": str, "ca_name": str, "log_origin": str},
    },
    "presentation": "hex",
    "openings": "hex",
    "expected": dict,
    "computed": dict,
}


def parse(text):
    """The file as JSON, and as what `verify` takes."""
    try:
        read = json.loads(
            text.decode(), object_pairs_hook=unique_members, parse_float=no_integer, parse_constant=no_integer
        )
        json.dumps(read, ensure_ascii=False).encode()  # fails at half a surrogate pair
    except (ValueError, RecursionError):
        raise Refused("file", "no JSON") from None
    vector = member({"computed": {}, **read} if type(read) is dict else read, SHAPE)
    possession = vector["keys"]["possession"]
    demand(set(possession) <= {"1", "2", "3", "4"}, "file", "a possession key of no format")
    vector["keys"]["possession"] = {int(code): member(key, "hex", "a key") for code, key in possession.items()}
    return vector


def hexadecimal(value):
    if type(value) is list:
        return [hexadecimal(item) for item in value]
    return value.hex() if type(value) is bytes else value


def line_of(reason):
    return next((line for line in REASONS if reason in line), [reason])


def unlike(vector, name, verdict, result, trace):
    """What a vector says about itself and is not so, in words; "" if all is so."""
    expected = dict(vector.get("expected", {}))
    valid = expected.pop("valid", None)
    if name.startswith(("good_", "bad_")) and valid is not name.startswith("good_"):
        return "but the file's name says otherwise"
    if valid is not (result is not None):
        return f"but the vector says {valid}"
    if not valid:
        reason = expected.get("reason")
        return "" if verdict in line_of(reason) else f"but the vector says {reason}"
    if expected != result:
        return "but not to the nullifier or the values that the vector says"
    computed = vector["computed"]
    other = [item for item in computed if item not in trace or hexadecimal(trace[item]) != computed[item]]
    return f"but computes {', '.join(other)} otherwise" if other else ""


def judge(path, vectors, verbose):
    """One file: whether all is well with it, and the line to print."""
    vector, result, trace = {}, None, {}
    try:
        vector = parse(Path(path).read_bytes())
        result = verify(vector, trace)
        verdict, line = "", "verifies"
    except OSError as error:
        return False, f"{path}: cannot be read: {error.strerror}"
    except Refused as error:
        verdict, line = error.reason, f"refused: {error}"
    good = result is not None
    if vectors:
        complaint = unlike(vector, Path(path).name, verdict, result, trace)
        good, line = not complaint, f"{line}, {complaint}" if complaint else line
    if verbose:
        computed = vector.get("computed", {})
        for name, value in trace.items():
            value = hexadecimal(value)
            other = name in computed and value != computed[name]
            line += f"\n    {name} = {value}{f', but the file says {computed[name]}' if other else ''}"
    return good, f"{path}: {line}"


def self_test():
    """The two values that sections 3 and 8 give."""
    known = 7853200120776062878684798364095072458815029376092732009249414926327459813530
    assert poseidon(1, 2) == known, "Poseidon is not Poseidon here"
    transcript = Transcript(b"test protocol")
    transcript.append("some label", b"some data")
    drawn = transcript.challenge("challenge", 32).hex()
    assert drawn == "d5a21972d0d5fe320c0d263fac7fffb8145aa640af6e9bca177c03c7efcf0615", "Merlin is not Merlin here"


def main():
    parser = argparse.ArgumentParser(description="An independent verifier of Bauta presentations.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="a vector as in docs/spec/presentation.md, section 12")
    parser.add_argument("--vectors", action="store_true", help="compare with what each file says its verdict is")
    parser.add_argument("--verbose", action="store_true", help="show what is computed on the way")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes (default %(default)s)")
    options = parser.parse_args()
    self_test()
    work = partial(judge, vectors=options.vectors, verbose=options.verbose)
    if options.jobs > 1 and len(options.files) > 1:
        with ProcessPoolExecutor(options.jobs) as pool:
            verdicts = list(pool.map(work, options.files, chunksize=4))
    else:
        verdicts = [work(path) for path in options.files]
    for _, line in verdicts:
        print(line)
    return 0 if all(good for good, _ in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
