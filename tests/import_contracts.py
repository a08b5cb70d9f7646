"""Two kinds of import contract that this project's rules need and import-linter does not bring along.

`reach` is an allow-list: an outside package may be imported in the listed modules and nowhere else. `pure` is the
opposite: the listed modules reach none of the outside packages, not even through a module of ours that they import.
Both take patterns (`suite.store`, which stands for all below it, or `suite.*.plan`), and a pattern that matches
nothing yet is no error, so that a rule may be written down before the module it binds.

    PYTHONPATH=tests python tests/import_contracts.py      checks all contracts of pyproject.toml
"""

import sys
from fnmatch import fnmatchcase

from grimp import ImportGraph
from importlinter.application import output
from importlinter.cli import lint_imports
from importlinter.domain import fields
from importlinter.domain.contract import Contract, ContractCheck


def matches(module: str, patterns: set[str]) -> bool:
    """Whether a module is one of the patterns or lies below one."""
    return any(fnmatchcase(module, pattern) or fnmatchcase(module, f"{pattern}.*") for pattern in patterns)


def describe(graph: ImportGraph, chain: tuple[str, ...]) -> str:
    """A chain of imports as text; the line is that of its first import."""
    first, second = chain[:2]
    line = graph.get_import_details(importer=first, imported=second)[0]["line_number"]
    return f"{' -> '.join(chain)} (line {line})"


class ReachContract(Contract):
    """Outside packages that only the listed modules import. `packages`: names; `modules`: patterns."""

    type_name = "reach"

    packages = fields.SetField(subfield=fields.StringField())
    modules = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        found = [
            describe(graph, (importer, package))
            for package in sorted(self.packages & graph.modules)
            for importer in sorted(graph.find_modules_that_directly_import(package))
            if not matches(importer, self.modules)
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["found"]:
            output.print_error(line)


class PureContract(Contract):
    """Modules that reach none of `packages`, directly or through others of ours. `modules`, `unless`: patterns."""

    type_name = "pure"

    packages = fields.SetField(subfield=fields.StringField())
    modules = fields.SetField(subfield=fields.StringField())
    unless = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        bound = [m for m in graph.modules if matches(m, self.modules) and not matches(m, self.unless or set())]
        chains = [
            chain
            for module in sorted(bound)
            for package in sorted(self.packages & graph.modules)
            if (chain := graph.find_shortest_chain(importer=module, imported=package))
        ]
        found = [describe(graph, chain) for chain in chains]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["found"]:
            output.print_error(line)


if __name__ == "__main__":
    sys.exit(lint_imports())
