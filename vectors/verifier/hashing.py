"""Sections 3 and 4: Poseidon, what is hashed with it, and trees."""

from functools import lru_cache

from .groups import R, be
from .refused import demand

U64 = 2**64
ABSENT = U64  # as a field element: above every integer


@lru_cache(maxsize=None)
def poseidon_parameters(t):
    full, partial_rounds = 8, [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68][t - 2]
    start = "".join(
        f"{number:0{width}b}"
        for number, width in [(1, 2), (0, 4), (254, 12), (t, 12), (full, 10), (partial_rounds, 10), (2**30 - 1, 30)]
    )
    state = [int(bit) for bit in start]

    def step():
        state.append(state[62] ^ state[51] ^ state[38] ^ state[23] ^ state[13] ^ state[0])
        del state[0]
        return state[-1]

    def bit():
        while not step():
            step()
        return step()

    def integer():
        return int("".join(str(bit()) for _ in range(254)), 2)

    for _ in range(160):
        step()
    constants = []
    while len(constants) < t * (full + partial_rounds):
        constants += [value for value in [integer()] if value < R]
    xs = [integer() % R for _ in range(t)]
    ys = [integer() % R for _ in range(t)]
    return partial_rounds, constants, [[pow(x + y, -1, R) for y in ys] for x in xs]


@lru_cache(maxsize=200_000)
def poseidon(*inputs):
    t = len(inputs) + 1
    partial_rounds, constants, matrix = poseidon_parameters(t)
    state = [0, *inputs]
    for n in range(8 + partial_rounds):
        state = [s + c for s, c in zip(state, constants[n * t :])]
        boxes = t if n < 4 or n >= 4 + partial_rounds else 1
        state[:boxes] = [pow(s, 5, R) for s in state[:boxes]]
        state = [sum(m * s for m, s in zip(row, state)) % R for row in matrix]
    return state[0]


def hash_bytes(tag, data):
    def pieces(text):
        return [int.from_bytes(text[i : i + 31], "little") for i in range(0, len(text), 31)]

    sequence = [len(tag) * U64 + len(data), *pieces(tag), *pieces(data)]
    sequence += [0] * (-len(sequence) % 3)
    key = int.from_bytes(b"bauta/v1/bytes", "little")
    for i in range(0, len(sequence), 3):
        key = poseidon(key, *sequence[i : i + 3])
    return key


def element(value):
    """An attribute value as a field element: integer, text, or None for absent."""
    if value is None:
        return ABSENT
    return value if type(value) is int else hash_bytes(b"bauta/v1/text", value.encode())


def scope_element(trust_domain, name, start):
    named = b"".join(be(len(text.encode())) + text.encode() for text in (trust_domain, name))
    return hash_bytes(b"bauta/v1/scope", named + be(start))


# Section 4: trees. Of the equal subtrees of a padding one hash a level is computed.


def tree_root(depth, leaves, padding):
    nodes = list(leaves)
    for _ in range(depth):
        nodes += [padding] * (-len(nodes) % 4)
        nodes = [poseidon(*nodes[i : i + 4]) for i in range(0, len(nodes), 4)]
        padding = poseidon(padding, padding, padding, padding)
    (root,) = nodes
    return root


def set_root(depth, members, reason):
    demand(1 <= len(members) <= 4**depth, reason, f"{len(members)} members")
    demand(ABSENT not in members, reason, "absent is a member")
    return tree_root(depth, members, members[-1])


def revocation_root(handles):
    demand(all(0 < handle < U64 - 1 for handle in handles), "epoch", "a handle of 0 or 2⁶⁴ − 1")
    demand(len(set(handles)) == len(handles), "epoch", "a handle is there twice")
    demand(len(handles) < 4**10, "epoch", "too many handles")
    ordered = sorted(handles) + [U64]
    following = dict(zip([0] + ordered, ordered))
    return tree_root(10, [poseidon(low, following[low]) for low in [0, *handles]], poseidon(U64 - 1, U64))
