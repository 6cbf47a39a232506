"""Section 6: what a policy asks, and the policy relation's public inputs."""

import json
import re
from pathlib import Path

from .hashing import U64, element, set_root
from .refused import demand

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs/schema/policy.json").read_text("utf-8"))
JSON_TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
BOUNDS = {
    "minimum": (int, lambda value, limit: value >= limit),
    "maximum": (int, lambda value, limit: value <= limit),
    "minLength": (str, lambda value, limit: len(value) >= limit),
    "maxLength": (str, lambda value, limit: len(value) <= limit),
    "minItems": (list, lambda value, limit: len(value) >= limit),
    "maxItems": (list, lambda value, limit: len(value) <= limit),
    "uniqueItems": (list, lambda value, _: len({json.dumps(item) for item in value}) == len(value)),
    # JSON Schema's $ is the end; Python's would also take a newline before it.
    "pattern": (str, lambda value, pattern: re.search(re.sub(r"\$\Z", r"\\Z", pattern), value)),
    "required": (dict, lambda value, names: all(name in value for name in names)),
}


def fits(value, schema):
    """Whether a value fits a JSON Schema: the keywords that docs/schema/policy.json uses, and no others."""
    for word, rule in schema.items():
        if word in ("$schema", "$id", "$defs", "title", "description", "then", "else"):
            good = True
        elif word == "$ref":
            good = fits(value, SCHEMA["$defs"][rule.removeprefix("#/$defs/")])
        elif word == "type":
            good = type(value) is JSON_TYPES[rule]  # so that true is no integer
        elif word == "const":
            good = type(value) is type(rule) and value == rule
        elif word == "enum":
            good = any(type(value) is type(one) and value == one for one in rule)
        elif word == "not":
            good = not fits(value, rule)
        elif word == "anyOf":
            good = any(fits(value, one) for one in rule)
        elif word == "oneOf":
            good = sum(fits(value, one) for one in rule) == 1
        elif word == "if":
            good = fits(value, schema["then"] if fits(value, rule) else schema["else"])
        elif word == "properties":
            good = type(value) is not dict or all(fits(value[k], rule[k]) for k in rule if k in value)
        elif word == "additionalProperties":
            good = type(value) is not dict or rule or set(value) <= set(schema["properties"])
        elif word == "items":
            good = type(value) is not list or all(fits(item, rule) for item in value)
        else:
            kind, test = BOUNDS[word]
            good = type(value) is not kind or test(value, rule)
        if not good:
            return False
    return True


def compared(predicate):
    """The values that a predicate compares with for equality."""
    return [predicate[test] for test in ("equals", "not_equals") if test in predicate] + predicate.get("one_of", [])


def read_policy(policy):
    """The predicate of each of the four places (or None), and the disclosed slots."""
    demand(fits(policy, SCHEMA), "policy", "does not fit docs/schema/policy.json")
    predicates, disclose = policy.get("predicates", []), policy.get("disclose", [])
    sets = [one for one in predicates if "one_of" in one]
    demand(len(sets) <= 2, "policy", "more than two value sets")
    demand(sum(one.get("any_of", False) for one in predicates) != 1, "policy", "an any-of group of one")
    demand(all(low <= high for low, high in (one.get("between", (0, 0)) for one in predicates)), "policy", "low > high")
    texts = [value for one in predicates for value in compared(one) if type(value) is str]
    demand(all(1 <= len(text.encode()) <= 256 for text in texts), "policy", "a text of more than 256 bytes")
    names = {}
    for one in predicates + disclose:
        demand(names.setdefault(one["slot"], one["attribute"]) == one["attribute"], "policy", "a slot of two attributes")
    disclosed = [one["slot"] for one in disclose]
    demand(len(set(disclosed)) == len(disclosed), "policy", "a slot is disclosed twice")
    places = sets + [one for one in predicates if "one_of" not in one]
    return places + [None] * (4 - len(places)), disclosed


def interval(predicate):
    """low, span, range, not-equal of a predicate."""
    if predicate is None or "one_of" in predicate:
        return [0, 0, 0, 0]
    if "equals" in predicate:
        return [element(predicate["equals"]), 0, 1, 0]
    if "not_equals" in predicate:
        return [element(predicate["not_equals"]), 0, 0, 1]
    low, high = predicate.get("between") or (predicate.get("at_least", 0), predicate.get("at_most", U64 - 1))
    return [low, high - low, 1, 0]


def policy_inputs(policy, places, epoch, roots):
    """The 29 public inputs; roots are the issuer set's and the revoked handles'."""
    lifetime = policy.get("certificate", {}).get("lifetime_seconds", 600)
    value_sets = [
        set_root(4, [element(value) for value in one["one_of"]], "policy") if one and "one_of" in one else 0
        for one in places[:2]
    ]
    any_of = [int(one is not None and one.get("any_of", False)) for one in places]
    inputs = [epoch["start"], min(epoch["end"] + lifetime, U64 - 1), *roots, *value_sets, max(any_of)]
    for number, one in enumerate(places):
        inputs += interval(one) + [any_of[number]]
        if number < 2:
            inputs.append(int(one is not None and "one_of" in one))
    return inputs
