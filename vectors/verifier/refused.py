"""How a refusal is said."""


class Refused(Exception):
    """A presentation, or what it is verified against, is refused. `reason` is section 12's word, or "file"."""

    def __init__(self, reason, detail=""):
        super().__init__(f"{reason} ({detail})" if detail else reason)
        self.reason = reason


def demand(condition, reason, detail=""):
    if not condition:
        raise Refused(reason, detail)
