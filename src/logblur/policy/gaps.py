"""What the texts that follow from a policy need, and the policy does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logblur.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Gap:
    """A key that is missing, and why it is needed, in words."""

    key: str
    needed: str


def gaps(policy: Policy) -> tuple[Gap, ...]:
    """Return what must be said before notice, record and balance are whole.

    Source:
        GDPR Art. 13(1)(a), (e) and (f), Art. 30(1)(a), (d) and (e); Art. 6(1)(f) with recital 47 for the balancing.
    """
    needed: dict[str, tuple[object, str]] = {
        "controller.name": (policy.controller.name, "who decides on the processing"),
        "controller.contact": (policy.controller.contact, "where people turn to"),
        "recipients": (policy.recipients, "who else receives the data, processors too; [] where nobody does"),
        "transfers": (policy.transfers, "third countries and safeguards; [] where there are none"),
    }
    if "legitimate-interests" in policy.grounds():
        balancing = policy.balancing
        needed |= {
            "balancing.interest": (balancing.interest, "which interest is pursued"),
            "balancing.necessity": (balancing.necessity, "why less would not do"),
            "balancing.impact": (balancing.impact, "what it means for the people concerned"),
        }
    return tuple(Gap(key, why) for key, (value, why) in needed.items() if value is None)
