"""The contract as plain functions, for classes inside the package and outside."""

from .contract import check_problem, check_theory
from .rule_contract import check_rule

__all__ = ["check_problem", "check_rule", "check_theory"]
