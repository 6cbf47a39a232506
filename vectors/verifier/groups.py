"""Section 2: BN254, decoding, and sums and products over it. Decoded points are py_ecc's (x, y, 1)."""

import hashlib
import sys
from functools import lru_cache

from py_ecc import optimized_bn128 as bn

from .refused import demand

sys.setrecursionlimit(1000)  # py_ecc makes it 100,000, at which deep JSON ends the interpreter

P, R = bn.field_modulus, bn.curve_order


def le(value, size=32):
    return value.to_bytes(size, "little")


def be(value, size=8):
    return value.to_bytes(size, "big")


def decode_scalar(data, reason="scalar"):
    value = int.from_bytes(data, "little")
    demand(value < R, reason, "not below the group order")
    return value


def take_flags(data):
    """The coordinate's bytes without flags, and whether the greater y is meant."""
    demand(data[-1] & 0xC0 != 0xC0, "point", "both flags are set")
    demand(not data[-1] & 0x40, "point-infinity", "bit 6 is set")
    return data[:-1] + bytes([data[-1] & 0x3F]), bool(data[-1] & 0x80)


def coordinate(data):
    value = int.from_bytes(data, "little")
    demand(value < P, "point", "a coordinate is not below the modulus")
    return value


def sqrt_fp(square):
    root = pow(square, (P + 1) // 4, P)  # P = 3 modulo 4
    return root if root * root % P == square else None


def sqrt_fp2(square):
    """Adj and Rodríguez-Henríquez, ePrint 2012/685, algorithm 9; the last line makes it safe to be wrong."""
    power = square ** ((P - 3) // 4)
    root = power * square
    alpha = power * root
    if alpha == bn.FQ2([P - 1, 0]):
        root = bn.FQ2([0, 1]) * root
    else:
        root = (alpha + bn.FQ2.one()) ** ((P - 1) // 2) * root
    return root if root * root == square else None


@lru_cache(maxsize=None)
def decode_g1(data):
    data, greater = take_flags(data)
    x = coordinate(data)
    y = sqrt_fp((x**3 + 3) % P)
    demand(y is not None, "point", "no y for this x")
    return bn.FQ(x), bn.FQ(y if (y > P - y) == greater else P - y), bn.FQ(1)


@lru_cache(maxsize=None)
def decode_g2(data):
    data, greater = take_flags(data)
    x = bn.FQ2([coordinate(data[:32]), coordinate(data[32:])])
    y = sqrt_fp2(x * x * x + bn.b2)
    demand(y is not None, "point", "no y for this x")
    is_greater = y.coeffs[::-1] > (-y).coeffs[::-1]  # c₁ decides, c₀ where c₁ are equal
    point = x, y if is_greater == greater else -y, bn.FQ2.one()
    demand(bn.is_inf(bn.multiply(point, R)), "point-subgroup")
    return point


def hash_to_g1(tag):
    for counter in range(256):
        rest = be(len(tag)) + tag + be(counter, 4)
        wide = hashlib.sha256(b"\0" + rest).digest() + hashlib.sha256(b"\1" + rest).digest()
        x = int.from_bytes(wide, "little") % P
        y = sqrt_fp((x**3 + 3) % P)
        if y is not None:
            return bn.FQ(x), bn.FQ(min(y, P - y)), bn.FQ(1)
    raise AssertionError("no point for this tag")


H = hash_to_g1(b"bauta/v1/disclosure-value")
K = hash_to_g1(b"bauta/v1/disclosure-blinding")


def combine(terms):
    """Σ kP, with one chain of doublings for all. Compare with `is_inf` alone: py_ecc's `eq` takes (0, 0, 0), one of its
    infinities, for equal to every point."""
    terms = [(scalar % R, point) for scalar, point in terms]
    total = bn.Z1
    for bit in reversed(range(max(scalar.bit_length() for scalar, _ in terms))):
        total = bn.double(total)
        for scalar, point in terms:
            if scalar >> bit & 1:
                total = bn.add(total, point)
    return total


def miller(p, q):
    """A pairing up to the final exponentiation, so that products share one."""
    return bn.pairing(q, p, final_exponentiate=False)


def is_one(product):
    """Whether a product of Miller loops is 1 as a product of pairings."""
    return bn.final_exponentiate(product) == bn.FQ12.one()
