"""Section 8's Merlin, over Keccak-f[1600] of FIPS 202, section 3 (lanes by x + 5y)."""

from .groups import le


def keccak_f1600(state):
    def rotate(lane, by):
        return (lane << by | lane >> (64 - by)) & (2**64 - 1)

    lanes = [int.from_bytes(state[i : i + 8], "little") for i in range(0, 200, 8)]
    register = 1  # the round constants' own shift register
    for _ in range(24):
        column = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        lanes = [lane ^ column[(i - 1) % 5] ^ rotate(column[(i + 1) % 5], 1) for i, lane in enumerate(lanes)]
        x, y, moved = 1, 0, lanes[1]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            moved, lanes[x + 5 * y] = lanes[x + 5 * y], rotate(moved, (step + 1) * (step + 2) // 2 % 64)
        lanes = [
            lane ^ ~lanes[i // 5 * 5 + (i + 1) % 5] & lanes[i // 5 * 5 + (i + 2) % 5] for i, lane in enumerate(lanes)
        ]
        for power in range(7):
            lanes[0] ^= (register & 1) << (2**power - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
    return bytearray(b"".join(le(lane, 8) for lane in lanes))


class Transcript:
    def __init__(self, label):
        seed = bytes([1, 168, 1, 0, 1, 96]) + b"STROBEv1.0.2"
        self.state, self.position, self.begin = keccak_f1600(seed.ljust(200, b"\0")), 0, 0
        self.operate(0x12)
        self.absorb(b"Merlin v1.0")
        self.append("dom-sep", label)

    def permute(self):
        self.state[self.position] ^= self.begin
        self.state[self.position + 1] ^= 0x04
        self.state[167] ^= 0x80
        self.state, self.position, self.begin = keccak_f1600(self.state), 0, 0

    def advance(self):
        self.position += 1
        if self.position == 166:
            self.permute()

    def absorb(self, data):
        for byte in data:
            self.state[self.position] ^= byte
            self.advance()

    def operate(self, flags):
        old, self.begin = self.begin, self.position + 1
        self.absorb([old, flags])
        if flags & 0x04 and self.position:
            self.permute()

    def append(self, label, data):
        self.operate(0x12)
        self.absorb(label.encode() + le(len(data), 4))
        self.operate(0x02)
        self.absorb(data)

    def append_u64(self, label, value):
        self.append(label, le(value, 8))

    def challenge(self, label, size):
        self.operate(0x12)
        self.absorb(label.encode() + le(size, 4))
        self.operate(0x07)
        output = bytearray()
        for _ in range(size):
            output.append(self.state[self.position])
            self.state[self.position] = 0
            self.advance()
        return bytes(output)
