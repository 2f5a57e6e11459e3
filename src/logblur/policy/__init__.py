"""The policy file: what it says (`Policy`), what it comes to (`plan.Plan`), and why it may be refused.

``load_policy`` reads, ``resolve.resolve`` turns a policy into a Plan, ``explain.explain`` says both in words.
"""

from logblur.policy.load import load_policy
from logblur.policy.model import Policy

__all__ = ["Policy", "load_policy"]
