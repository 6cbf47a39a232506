#!/usr/bin/env python3
"""Proofs of small gadgets over BN254's scalar field, by cvc5's theory of finite fields.

    python3 circuits/smt/prove.py            exit status 0 if every question has the answer that is written here

The constraints are those of rows.json, which the crate writes from its own code; none is typed again here. What is written
here is what a gadget is *for*. Three kinds of question:

  unique   two satisfying assignments with equal inputs and different outputs: must be unsatisfiable
  meaning  a satisfying assignment that contradicts the gadget's meaning: must be unsatisfiable
  way in   the same question of a weakened copy, or outside the gadget's stated conditions: must be satisfiable, so that an
           unsatisfiable one says something

and with each of the first two, that the rows can be satisfied at all under the same conditions. No answer within the time
limit is a failure.
"""

import itertools
import json
import pathlib
import sys
import time

import cvc5
from cvc5 import Kind

# All together take 15 s of processor time; this is for a busy machine.
LIMIT_MS = 300_000

ROWS = json.loads((pathlib.Path(__file__).parent / "rows.json").read_text(encoding="utf-8"))
P = int(ROWS["modulus"])
GADGETS = ROWS["gadgets"]
ABSENT = 2**64
# The Montgomery form v² = u³ + A·u² + u, and the twisted Edwards form a·x² + y² = 1 + d·x²·y² (ERC-2494).
A, EDWARDS_A, EDWARDS_D = 168698, 168700, 168696


class Element:
    """A term of the field, with Python's arithmetic."""

    def __init__(self, question, term):
        self.question, self.term = question, term

    def _join(self, kind, other):
        return Element(self.question, self.question.solver.mkTerm(kind, self.term, self.question.element(other).term))

    def __add__(self, other):
        return self._join(Kind.FINITE_FIELD_ADD, other)

    def __mul__(self, other):
        return self._join(Kind.FINITE_FIELD_MULT, other)

    def __sub__(self, other):
        return self + self.question.element(other) * -1

    def __neg__(self):
        return self * -1

    __radd__, __rmul__ = __add__, __mul__

    def is_(self, other):
        return self.question.solver.mkTerm(Kind.EQUAL, self.term, self.question.element(other).term)

    def is_not(self, other):
        return self.question.solver.mkTerm(Kind.NOT, self.is_(other))


class Question:
    """One call of the solver."""

    def __init__(self):
        self.solver = cvc5.Solver()
        self.solver.setLogic("QF_FF")
        self.solver.setOption("tlimit-per", str(LIMIT_MS))
        self.field = self.solver.mkFiniteFieldSort(str(P), 10)

    def element(self, value):
        if isinstance(value, Element):
            return value
        return Element(self, self.solver.mkFiniteFieldElem(str(value % P), self.field, 10))

    def unknown(self, name):
        return Element(self, self.solver.mkConst(self.field, name))

    def say(self, formula):
        self.solver.assertFormula(formula)

    def any(self, *formulas):
        return formulas[0] if len(formulas) == 1 else self.solver.mkTerm(Kind.OR, *formulas)

    def all(self, *formulas):
        return formulas[0] if len(formulas) == 1 else self.solver.mkTerm(Kind.AND, *formulas)

    def no(self, formula):
        return self.solver.mkTerm(Kind.NOT, formula)

    def implies(self, condition, formula):
        return self.solver.mkTerm(Kind.IMPLIES, condition, formula)

    def among(self, element, values):
        return self.any(*[element.is_(value) for value in values])

    def below(self, element, bound):
        """element·(element − 1)·…·(element − bound + 1) = 0, a factor at a time: one equation is easier than as many."""
        product = element
        for value in range(1, bound):
            longer = self.unknown(f"product {value}")
            self.say(longer.is_(product * (element - value)))
            product = longer
        return product.is_(0)

    def rows(self, gadget, tag="", shared=None):
        """Says a gadget's rows, of new unknowns but for those that are shared, and hands out the unknowns."""
        wires = Wires(self, gadget, tag, shared or {})
        for row in GADGETS[gadget]["rows"]:
            a, b, c = (wires.sum(terms) for terms in row)
            self.say((a * b).is_(c))
        return wires

    def answer(self):
        result = self.solver.checkSat()
        return "unsat" if result.isUnsat() else "sat" if result.isSat() else "unknown"


class Wires:
    """The columns of a gadget as unknowns: by number, or by a name that is one column's."""

    def __init__(self, question, gadget, tag, shared):
        self.question = question
        # A weakened copy has the columns of the whole gadget.
        self.columns = GADGETS[gadget.split(" with")[0] if gadget.split(" with")[0] in GADGETS else gadget]["columns"]
        self.unknowns = {
            column: shared.get(column) or question.unknown(f"{name} {tag}{column}") for column, name in self.columns.items()
        }

    def __getitem__(self, name):
        if isinstance(name, int):
            return self.unknowns[str(name)]
        (column,) = [column for column, called in self.columns.items() if called == name]
        return self.unknowns[column]

    def inputs(self):
        return {column: self.unknowns[column] for column, name in self.columns.items() if name.startswith("input ")}

    def witnesses(self):
        return [self.unknowns[column] for column, name in self.columns.items() if not name.startswith("input ")]

    def sum(self, terms):
        total = self.question.element(int(terms.get("0", "0")))
        for column, factor in terms.items():
            if column != "0":
                total = total + self.unknowns[column] * int(factor)
        return total


TALLY = {"failed": 0, "unsat": 0, "sat": 0}


def check(what, question, expected):
    start = time.monotonic()
    answer = question.answer()
    ok = answer == expected
    TALLY["failed"] += not ok
    TALLY[expected] += 1
    took = time.monotonic() - start
    if not ok or took > 2 or "-v" in sys.argv:
        print(f"{'ok  ' if ok else 'FAIL'} {answer:7} {took:6.2f} s  {what}", flush=True)


def unique(gadget, conditions=lambda q, w: [], given=(), expected="unsat"):
    """Inputs, and the columns that are given, determine every other column."""
    question = Question()
    first = question.rows(gadget, "first ")
    shared = first.inputs() | {str(column): first[column] for column in given}
    second = question.rows(gadget, "second ", shared)
    for wires in (first, second):
        for condition in conditions(question, wires):
            question.say(condition)
    question.say(question.any(*[a.is_not(b) for a, b in zip(first.witnesses(), second.witnesses()) if a is not b]))
    check(f"unique: {gadget}", question, expected)


def meaning(gadget, claim, conditions=lambda q, w: [], expected="unsat", possible=True):
    """Whatever satisfies the rows under the conditions satisfies the claim."""
    question = Question()
    wires = question.rows(gadget)
    for condition in conditions(question, wires):
        question.say(condition)
    question.say(question.no(claim(question, wires)))
    check(f"meaning: {gadget}", question, expected)
    if expected == "unsat" and possible:
        question = Question()
        wires = question.rows(gadget)
        for condition in conditions(question, wires):
            question.say(condition)
        check(f"possible: {gadget}", question, "sat")


def nothing(gadget, conditions, what):
    """No assignment satisfies the rows under these conditions."""
    question = Question()
    wires = question.rows(gadget)
    for condition in conditions(question, wires):
        question.say(condition)
    check(f"nothing: {gadget}, {what}", question, "unsat")


def booleans():
    meaning("boolean", lambda q, w: q.among(w["bit"], [0, 1]))


def ranges():
    for bits in range(1, 9):
        name, claim = f"range {bits}", lambda q, w: q.below(w["input 0"], 2**bits)
        meaning(name, claim, possible=False)
        for value in (0, 2**bits - 1):
            question = Question()
            question.say(question.rows(name)["input 0"].is_(value))
            check(f"possible: {name}, {value}", question, "sat")
        if bits > 1:
            unique(name)
        # The first value beyond.
        beyond = lambda q, w: [w["input 0"].is_(2**bits)]
        nothing(name, beyond, "the first value beyond")
        if bits > 1:
            meaning(f"{name} without its last row", claim, beyond, expected="sat")
    meaning("range 4", lambda q, w: q.below(w["input 0"], 8), expected="sat")
    meaning("range 4 with a bit that is none", lambda q, w: q.below(w["input 0"], 16), expected="sat")


def orders():
    for bits in (1, 2, 3):
        # Every span, and every leaf that a tree may hold.
        for span in range(2**bits):
            conditions = lambda q, w: [w["input 1"].is_(span)]
            claim = lambda q, w: q.among(w["input 0"], range(span + 1))
            meaning(f"interval {bits}", claim, conditions)
        for half in ("upper", "lower"):
            conditions = lambda q, w: [w["input 1"].is_(0)]
            meaning(f"interval {bits} without its {half} half", lambda q, w: w["input 0"].is_(0), conditions, expected="sat")
        for low, high in itertools.product(range(2**bits), range(1, 2**bits + 1)):
            ends = lambda q, w: [w["input 0"].is_(low), w["input 2"].is_(high)]
            inside = range(low + 1, high)
            if inside:
                meaning(f"between {bits}", lambda q, w: q.among(w["input 1"], inside), ends)
            else:
                nothing(f"between {bits}", ends, f"{low} to {high}")
        # The padding leaf (2^n − 1, 2^n) is among these; the leaf (0, 0) of trees that end with 0 is not allowed, and holds nothing.
        nothing(f"between {bits}", lambda q, w: [w["input 0"].is_(0), w["input 2"].is_(0)], "the leaf (0, 0)")
        for weak in ("without its upper half", "with the low end"):
            conditions = lambda q, w: [w["input 0"].is_(0), w["input 2"].is_(1)]
            meaning(f"between {bits} {weak}", lambda q, w: w["input 1"].is_not(w["input 1"]), conditions, expected="sat")


def members():
    claim = lambda q, w: q.any(*[w["input 0"].is_(w[f"input {child}"]) for child in range(1, 5)])
    meaning("one of four", claim)
    unique("one of four")
    meaning("one of four without its last row", claim, expected="sat")
    meaning("one of four without its first row", claim, expected="sat")
    claim = lambda q, w: q.any(w["input 0"].is_(w["input 1"]), w["input 0"].is_(w["input 2"]))
    meaning("one of four with a path bit that is none", claim, expected="sat")


def not_equal():
    # Columns of the policy relation: operand, low, the flag of ≠, the flag of the group; the pick.
    operand, low, flag, grouped, pick = 5, 16, 19, 20, 5077

    def flags(q, w):
        enforced = [(0, 0), (1, 0), (1, 1)]
        return [
            q.among(w[flag], [0, 1]),
            q.any(*[q.all(w[grouped].is_(a), w[pick].is_(b)) for a, b in enforced]),
        ]

    def on(q, w):
        return q.all(w[flag].is_(1), (w[pick] - w[grouped]).is_(0))

    def claim(q, w):
        return q.implies(on(q, w), q.all(w[operand].is_not(w[low]), w[operand].is_not(ABSENT)))

    hint = "inverse of ≠"
    meaning("not equal", claim, flags)
    meaning("not equal", lambda q, w: q.implies(q.no(on(q, w)), w[hint].is_(0)), flags)
    unique("not equal", flags, given=[pick])
    meaning("not equal without its inverse's row", claim, flags, expected="sat")
    unique("not equal without its last row", flags, given=[pick], expected="sat")


def any_of():
    # Columns: the group's flag; each predicate's flag and pick.
    group, flags, picks = 15, [20, 26, 32, 37], [5077, 6423, 7769, 7902]

    def public(q, w):
        none = q.all(*[w[flag].is_(0) for flag in flags])
        some = q.any(*[w[flag].is_(1) for flag in flags])
        return [q.among(w[flag], [0, 1]) for flag in flags] + [
            q.any(q.all(none, w[group].is_(0)), q.all(some, w[group].is_(1)))
        ]

    def claim(q, w):
        bits = [q.among(w[pick], [0, 1]) for pick in picks]
        inside = [q.implies(w[pick].is_not(0), w[flag].is_(1)) for pick, flag in zip(picks, flags)]
        one = [
            q.implies(w[pick].is_(1), q.all(*[w[other].is_(0) for other in picks if other != pick])) for pick in picks
        ]
        some = q.implies(w[group].is_(1), q.any(*[w[pick].is_(1) for pick in picks]))
        none = q.implies(w[group].is_(0), q.all(*[w[pick].is_(0) for pick in picks]))
        return q.all(*bits, *inside, *one, some, none)

    meaning("any-of", claim, public)
    for weak in ("with a pick that is no bit", "with a pick from outside", "without its sum"):
        meaning(f"any-of {weak}", claim, public, expected="sat")


def hash_box():
    def claim(q, w):
        x = w["input 0"]
        return w[4].is_(x * x * x * x * x)

    meaning("fifth power", claim)
    unique("fifth power")


def bits():
    def given(count):
        return lambda q, w: [q.among(w[f"input {index}"], [0, 1]) for index in range(count)]

    def three(q, w):
        x, y, z = (w[f"input {index}"] for index in range(3))
        pairs, all = x * y + y * z + z * x, x * y * z
        return x + y + z, pairs, all

    def parity(q, w):
        ones, pairs, all = three(q, w)
        return w["parity"].is_(ones - pairs * 2 + all * 4)

    def majority(q, w):
        _, pairs, all = three(q, w)
        return w["majority"].is_(pairs - all * 2)

    def parity_of_two(q, w):
        x, y = w["input 0"], w["input 1"]
        return w["parity"].is_(x + y - x * y * 2)

    for name, output, claim in (("parity", "parity", parity), ("majority", "majority", majority)):
        meaning(name, claim, given(3))
        unique(name, given(3))
        # Why each input must be proven a bit: with one that is none the output is none.
        meaning(name, lambda q, w: q.among(w[output], [0, 1]), given(2), expected="sat")
    meaning("parity of two", parity_of_two, given(2))
    unique("parity of two", given(2))
    meaning("parity of two", lambda q, w: q.among(w["parity"], [0, 1]), given(1), expected="sat")


def edwards(x, y):
    return (x * x * EDWARDS_A + y * y).is_(x * x * y * y * EDWARDS_D + 1)


def montgomery(u, v):
    return (v * v).is_(u * u * u + u * u * A + u)


def key_forms():
    x, y, u, v = "input 0", "input 1", "u of a key", "v of a key"
    on_curve = lambda q, w: edwards(w[x], w[y])
    # y = −1 makes u = v = 0 and leaves x open; "double" has nothing for v = 0.
    meaning("from Edwards", on_curve, lambda q, w: [w[y].is_not(-1)])
    meaning("from Edwards", lambda q, w: q.implies(w[y].is_(-1), w[v].is_(0)))
    meaning("from Edwards", on_curve, expected="sat")
    meaning("from Edwards", lambda q, w: montgomery(w[u], w[v]))
    meaning("from Edwards", lambda q, w: w[y].is_not(1), possible=False)
    meaning("from Edwards", lambda q, w: q.implies(w[x].is_(0), q.all(w[u].is_(0), w[v].is_(0))))
    unique("from Edwards")
    meaning("from Edwards without the curve", on_curve, expected="sat")
    unique("from Edwards without its first row", expected="sat")
    u, v, x, y = "input 0", "input 1", "x of a commitment", "y of a commitment"
    conditions = lambda q, w: [montgomery(w[u], w[v]), w[v].is_not(0)]
    meaning("to Edwards", lambda q, w: edwards(w[x], w[y]), conditions)
    meaning("to Edwards", lambda q, w: w[u].is_not(-1), conditions, possible=False)
    unique("to Edwards", conditions)
    unique("to Edwards without its last row", conditions, expected="sat")
    # Outside the conditions: the point of order two leaves x open.
    unique("to Edwards", lambda q, w: [w[u].is_(0), w[v].is_(0)], expected="sat")


def additions():
    pu, pv, qu, qv = (f"input {index}" for index in range(4))
    both = lambda q, w: [montgomery(w[pu], w[pv]), montgomery(w[qu], w[qv])]
    apart = lambda q, w: both(q, w) + [w[pu].is_not(w[qu])]
    # Two points by name, where there must be a way in: B8 and 3·B8.
    named = [int(coordinate) for point in ROWS["odd multiples"][:2] for coordinate in point]
    points = lambda q, w: [w[name].is_(value) for name, value in zip((pu, pv, qu, qv), named)]
    on_curve = lambda q, w: montgomery(w["u of a sum"], w["v of a sum"])
    meaning("sum", on_curve, apart)
    # The third point of the chord, mirrored.
    chord = lambda q, w: (-(w["v of a sum"] + w[pv]) * (w[qu] - w[pu])).is_((w[qv] - w[pv]) * (w["u of a sum"] - w[pu]))
    meaning("sum", chord, apart)
    unique("sum", apart)
    unique("sum without its last row", points, expected="sat")
    # The stated exception: with Q = P the slope is free; with Q = −P ≠ P nothing satisfies.
    twice = lambda q, w: [w[name].is_(value) for name, value in zip((pu, pv, qu, qv), named[:2] * 2)]
    unique("sum", twice, expected="sat")
    nothing("sum", lambda q, w: both(q, w) + [w[pu].is_(w[qu]), w[pv].is_not(w[qv])], "Q = −P")

    u, v = pu, pv
    conditions = lambda q, w: [montgomery(w[u], w[v]), w[v].is_not(0)]
    meaning("double", on_curve, conditions)
    unique("double", conditions)
    nothing("double", lambda q, w: [montgomery(w[u], w[v]), w[v].is_(0)], "a point of order two")
    unique("double without its slope", lambda q, w: [w[u].is_(named[0]), w[v].is_(named[1])], expected="sat")

    conditions = lambda q, w: apart(q, w) + [w[pv].is_not(0)]
    unique("double and add", conditions)
    unique("double and add without its second slope", points, expected="sat")
    nothing(
        "double and add",
        lambda q, w: conditions(q, w) + [w["u of a middle sum"].is_(w[pu])],
        "P + T = ±P",
    )
    # It is P + T by one sum's rows, and that + P by another's.
    question = Question()
    whole = question.rows("double and add")
    inputs = whole.inputs()
    middle = question.rows("sum", "middle ", inputs)
    last = question.rows("sum", "last ", {"1": middle["u of a sum"], "2": middle["v of a sum"], "3": whole[pu], "4": whole[pv]})
    for condition in conditions(question, whole):
        question.say(condition)
    question.say(
        question.any(*[whole[name].is_not(last[name]) for name in ("u of a sum", "v of a sum")])
    )
    check("meaning: double and add is two sums", question, "unsat")


def signs():
    claim = lambda q, w: q.any(w["digit of h"].is_(w["input 1"]), w["digit of h"].is_(-w["input 1"]))
    meaning("digit", claim)
    meaning("digit without its row", claim, expected="sat")


def table():
    points = [(int(u), int(v)) for u, v in ROWS["odd multiples"]]

    def claim(q, w):
        u, v = w["u of a table point"], w["v of a table point"]
        return q.any(*[q.all(u.is_(a), q.among(v, [b, -b])) for a, b in points])

    meaning("window", claim)
    meaning("window without its polynomial", claim, expected="sat")
    meaning("window without the curve", claim, expected="sat")


def main():
    start = time.monotonic()
    parts = [booleans, ranges, orders, members, not_equal, any_of, hash_box, bits, key_forms, additions, signs, table]
    chosen = [part for part in parts if not sys.argv[1:] or part.__name__ in sys.argv or sys.argv[1:] == ["-v"]]
    for part in chosen:
        before = time.monotonic()
        part()
        print(f"   {part.__name__}: {time.monotonic() - before:.1f} s", flush=True)
    print(
        f"   {TALLY['unsat']} questions without a counterexample, {TALLY['sat']} with one where there must be one, "
        f"{TALLY['failed']} wrong answers, {time.monotonic() - start:.0f} s"
    )
    return 1 if TALLY["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
