"""Label selectors with the meaning Kubernetes gives them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

Labels = tuple[tuple[str, str], ...]
"""Labels as sorted pairs, so that a value that holds them is frozen."""


def labels_of(mapping: Mapping[str, str] | None) -> Labels:
    """``mapping`` as sorted pairs."""
    return tuple(sorted((mapping or {}).items()))


class Operator(StrEnum):
    """The operators of a selector's expressions."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.key:
            raise ValueError("a selector's expression needs a key")
        needs_values = self.operator in {Operator.IN, Operator.NOT_IN}
        if needs_values and not self.values:
            raise ValueError(f"{self.key}: {self.operator} needs values")
        if not needs_values and self.values:
            raise ValueError(f"{self.key}: {self.operator} takes no values")

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether ``labels`` meet it; a missing label meets NotIn, as in Kubernetes."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values and self.key in labels
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels

    def __str__(self) -> str:
        """The text kubectl takes; one value of In is written ``key in (value)`` as apimachinery writes expressions."""
        values = ",".join(sorted(self.values))
        match self.operator:
            case Operator.IN:
                return f"{self.key} in ({values})"
            case Operator.NOT_IN:
                return f"{self.key} notin ({values})"
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"


@dataclass(frozen=True, slots=True)
class Selector:
    """All conditions must hold; no condition selects everything."""

    labels: Labels = ()
    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Whether an object with ``labels`` is selected."""
        present = dict(labels)
        return all(present.get(key) == value for key, value in self.labels) and all(
            requirement.matches(present) for requirement in self.requirements
        )

    def __str__(self) -> str:
        """Canonical text: conditions sorted by key, as apimachinery prints a selector; empty for everything."""
        parts = [(key, f"{key}={value}") for key, value in self.labels]
        parts += [(requirement.key, str(requirement)) for requirement in self.requirements]
        return ",".join(text for _, text in sorted(parts))


def any_matches(selectors: tuple[Selector, ...], labels: Labels) -> bool:
    """Whether one of ``selectors`` selects; an empty list selects everything (MetalLB's convention)."""
    return not selectors or any(selector.matches(labels) for selector in selectors)
