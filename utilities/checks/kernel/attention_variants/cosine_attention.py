"""Make layers of cosine attention and return what they make of tokens."""

from typing import Any

from utilities.checks.kernel.attention_variants.self_attention import Seen, observed
from utilities.checks.kernel.case import Case


def observe(implementation: Any, case: Case) -> Seen:
    """Return what a layer of cosine attention that holds the case's weights makes of tokens."""
    return observed(implementation, "CosineAttention", case, ("W_q", "W_v", "W_o"))
