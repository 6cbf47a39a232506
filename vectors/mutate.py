#!/usr/bin/env python3
"""Altered presentations, none of which verify.py may accept.

    python3 vectors/mutate.py [--count N] [--seed N] GOOD…

Of each twenty, eighteen alter one thing in a good vector: in the presentation, the openings, the context, the policy,
the epoch or a key in use. One alters the presentation and keeps the old challenge and weights, so that the equations
alone must refuse it. One is a forgery: vector and masks are the forger's own and all of Schnorr's equations hold, so that
only the pairing can refuse it. A run is a function of its seed. Exit status as verify.py's.
"""

import argparse
import copy
import os
import random
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from py_ecc import optimized_bn128 as bn

import verify
from verifier.groups import H, K, P, R, be, combine, le
from verifier.refused import Refused


def encode_g1(point):
    x, y = (coordinate.n for coordinate in bn.normalize(point))
    return (x | (y > P - y) << 255).to_bytes(32, "little")


def fields(vector):
    """The fields of a presentation after its header: (kind, offset, size)."""
    scoped, count = vector["presentation"][2:4]
    proof = [("G1", 32), ("G2", 64), ("G1", 32), ("G1", 32), ("G1", 32), ("Fr", 32)]
    nullifier = [("Fr", 32)] + proof if scoped else []
    offset = 4
    for kind, size in proof * 2 + nullifier + [("G1", 32), ("G1", 32), ("Fr", 32)] * count + [("Fr", 32)] * 16:
        yield kind, offset, size
        offset += size


def flip(rng, data):
    """One bit, anywhere."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def alter_field(rng, vector, others):
    """One field of the presentation becomes another value, mostly one that decodes."""
    data = vector["presentation"]
    kind, offset, size = rng.choice(list(fields(vector)))
    old = data[offset : offset + size]
    others = [one["presentation"][o : o + s] for one in others for k, o, s in fields(one) if k == kind]
    new = [rng.choice(others), flip(rng, old)]
    if kind == "Fr":
        value = int.from_bytes(old, "little")
        new += [le(other % R) for other in (value + 1, value - 1, -value, 0, rng.randrange(R))] + [le(value + R)]
    else:
        new += [old[:-1] + bytes([old[-1] ^ 0x80]), old[:-1] + bytes([old[-1] | 0x40])]
    if kind == "G1":
        new += [encode_g1(bn.multiply(bn.G1, rng.randrange(1, R))), encode_g1(bn.multiply(verify.decode_g1(old), 2))]
    vector["presentation"] = data[:offset] + rng.choice(new) + data[offset + size :]


def alter_bytes(rng, vector, _):
    """The presentation's header, length or order."""
    data = vector["presentation"]
    at = rng.randrange(4, len(data))
    proof, other = (4 + 224 * number for number in (0, 1))
    vector["presentation"] = rng.choice(
        [
            flip(rng, data[:4]) + data[4:],
            data[: rng.randrange(len(data))],
            data + rng.randbytes(rng.randrange(1, 97)),
            data[:at] + data[at + 1 :] + b"\0",
            data[:at] + b"\0" + data[at:-1],
            data[:proof] + data[other : other + 224] + data[proof:other] + data[other + 224 :],
        ]
    )


def alter_openings(rng, vector, _):
    data = vector["openings"]
    vector["openings"] = rng.choice([flip(rng, data), data[: rng.randrange(len(data))], data + rng.randbytes(1)])


def alter_context(rng, vector, _):
    context = vector["context"]
    name = rng.choice(sorted(context))
    value = context[name]
    if type(value) is bytes:
        context[name] = flip(rng, value)
    elif type(value) is int:
        context[name] = value + rng.choice([-1, 1, 256])
    else:
        context[name] = rng.choice([value + "a", value[:-1], value + "\0", value.upper()])


def alter_value(rng, value):
    if type(value) is list:
        at = rng.randrange(len(value))
        return value[:at] + [alter_value(rng, value[at])] + value[at + 1 :]
    if type(value) is int:
        return value + rng.choice([-1, 1])
    return rng.choice([value + " ", value[:-1], value.swapcase(), value + "\0"])


def alter_policy(rng, vector, _):
    policy = vector["policy"]
    predicates, disclose, scope = policy.get("predicates", []), policy.get("disclose", []), policy.get("scope")
    kinds = ["lifetime"] + ["predicate"] * 4 * bool(predicates) + ["disclose"] * bool(disclose)
    kind = rng.choice(kinds + ["scope"] * 2 * bool(scope))
    if kind == "lifetime":
        lifetime = policy.get("certificate", {}).get("lifetime_seconds", 600)
        policy.setdefault("certificate", {})["lifetime_seconds"] = lifetime + rng.choice([-1, 1])
    elif kind == "scope":
        name = rng.choice(["name", "bound"])
        scope[name] = alter_value(rng, scope[name])
    else:
        one = rng.choice(predicates if kind == "predicate" else disclose)
        change = rng.choice(["remove", "slot"] + ["value", "value", "test", "group"] * (kind == "predicate"))
        test = next((name for name in one if name not in ("attribute", "slot", "type", "any_of")), None)
        if change == "remove":
            (predicates if kind == "predicate" else disclose).remove(one)
        elif change == "slot":
            one["slot"] = one["slot"] + rng.choice([-1, 1])
        elif change == "group":
            one["any_of"] = not one.get("any_of", False)
        elif change == "value":
            one[test] = alter_value(rng, one[test])
        else:  # never between v and v for equals v, nor the like: they are one statement
            value = one.pop(test)
            one["equals" if test == "not_equals" else "not_equals"] = value[0] if type(value) is list else value


def alter_epoch(rng, vector, _):
    """Start, end, the two lists, or the time that the scope's period follows from."""
    epoch, scope = vector["epoch"], vector["policy"].get("scope")
    kind = rng.choice(["start", "end", "origins", "revoked"] + ["time"] * bool(scope))
    if kind == "time":
        vector["time"] += rng.choice([-1, 1]) * scope["period_seconds"]
    elif kind in ("start", "end"):
        epoch[kind] += rng.choice([-1, 1])
    else:
        fresh = rng.randrange(1, R).to_bytes(32, "little") if kind == "origins" else rng.randrange(1, 2**64 - 1)
        values = epoch[kind]
        at = rng.randrange(len(values) + 1)
        new = [values[:at] + [fresh] + values[at:], values[:-1] or [fresh], values[:-1] + [fresh]]
        epoch[kind] = rng.choice(new + [values[1:] + values[:1]] * (len(values) > 1))


def alter_key(rng, vector, _):
    """A key that the presentation uses: a bit, a base's sign, two bases in each other's place."""
    keys, form = vector["keys"], vector["presentation"][1]
    place = rng.choice(["possession", "policy"] + ["nullifier"] * vector["presentation"][2])
    holder, name = (keys["possession"], form) if place == "possession" else (keys, place)
    data = holder[name]
    at = rng.randrange(194, len(data) - 32, 32)
    sign = bytes([data[at + 31] ^ 0x80])
    holder[name] = rng.choice(
        [
            flip(rng, data),
            data[: at + 31] + sign + data[at + 32 :],
            data[:at] + data[at + 32 : at + 64] + data[at : at + 32] + data[at + 64 :],
        ]
    )


def forge(rng, vector, _):
    """The Groth16 elements stay; V, T, D, T_D, all responses and openings are made anew, of a vector and masks of ours."""
    shown, statement = verify.read_presentation(vector["presentation"]), vector["statement"]
    values, masks = [rng.randrange(2**64) for _ in range(16)], [rng.randrange(R) for _ in range(16)]
    blindings = [(rng.randrange(R), rng.randrange(R)) for _ in shown.proofs + shown.disclosures]
    slots = [range(16), [0, 2, 3, 4, *statement.operands], [1]]
    proofs, disclosures, openings = [], [], bytes([len(statement.disclosed)])
    for proof, key, hidden, (z, mask) in zip(shown.proofs, statement.keys, slots, blindings):
        bases = [(slot, base) for slot, base in zip(hidden, key.bases[1:]) if slot is not None]
        v = encode_g1(combine([(values[slot], base) for slot, base in bases] + [(z, key.delta1)]))
        t = encode_g1(combine([(masks[slot], base) for slot, base in bases] + [(mask, key.delta1)]))
        proofs.append(b"".join(proof.encoded[:3]) + v + t)
    for slot, (blinding, mask) in zip(statement.disclosed, blindings[len(proofs) :]):
        pairs = [(values[slot], blinding), (masks[slot], mask)]
        disclosures.append(b"".join(encode_g1(combine([(m, H), (b, K)])) for m, b in pairs))
        openings += bytes([slot, 1]) + be(values[slot]) + le(blinding)

    def encode(challenge):
        answers = [le((mask + challenge * blinding) % R) for blinding, mask in blindings]
        parts = [first + answer for first, answer in zip(proofs + disclosures, answers)]
        if shown.nullifier is not None:
            parts.insert(2, le(shown.nullifier))
        responses = [le((mask + challenge * value) % R) for mask, value in zip(masks, values)]
        return vector["presentation"][:4] + b"".join(parts + responses)

    challenge, _ = verify.draw(statement, verify.read_presentation(encode(0)))
    vector["presentation"], vector["openings"] = encode(challenge), openings


ALTERATIONS = [alter_field] * 4 + [alter_policy] * 2
ALTERATIONS += [alter_bytes, alter_openings, alter_context, alter_epoch, alter_key]


def attempt(number, seed, good):
    """One altered presentation: what it is, and why it was refused (None: it was not)."""
    rng = random.Random(f"{seed}/{number}")
    name, original = rng.choice(good)
    kind = {0: "old challenge", 10: "forgery"}.get(number % 20, "altered")
    alter = {"forgery": forge, "old challenge": alter_field}.get(kind) or rng.choice(ALTERATIONS)
    vector = copy.deepcopy(original)
    while all(vector[part] == original[part] for part in verify.SHAPE):
        alter(rng, vector, [one for _, one in good])
    draw = verify.draw
    try:
        if kind == "old challenge":
            verify.draw = lambda statement, shown: original["drawn"]
        verify.verify(vector)
        reason = None
    except Refused as error:
        reason = error.reason
        # A forger whose Schnorr proofs are wrong would test nothing.
        assert kind != "forgery" or "equation (1)" in str(error), error
    finally:
        verify.draw = draw
    return f"{number}: {name}, {kind} ({alter.__name__})", reason


def load(path):
    """A good vector, which must be good, with its statement and its challenge."""
    vector = verify.parse(Path(path).read_bytes())
    draw = verify.draw

    def listen(statement, shown):
        vector["statement"], vector["drawn"] = statement, draw(statement, shown)
        return vector["drawn"]

    try:
        verify.draw = listen
        verify.verify(vector)
    finally:
        verify.draw = draw
    return Path(path).name, vector


def main():
    parser = argparse.ArgumentParser(description="Altered presentations, none of which may verify.")
    parser.add_argument("files", nargs="+", metavar="GOOD", help="vectors that verify")
    parser.add_argument("--count", type=int, default=200, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other alterations")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes (default %(default)s)")
    options = parser.parse_args()
    verify.self_test()
    good = [load(path) for path in options.files]
    with ProcessPoolExecutor(options.jobs) as pool:
        work = partial(attempt, seed=options.seed, good=good)
        results = list(pool.map(work, range(options.count), chunksize=10))
    for what, reason in results:
        if reason is None:
            print(f"accepted: {what}")
    reasons = Counter(reason or "ACCEPTED" for _, reason in results)
    summary = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    print(f"{options.count} altered presentations, seed {options.seed}: {summary}")
    return 1 if reasons["ACCEPTED"] else 0


if __name__ == "__main__":
    sys.exit(main())
