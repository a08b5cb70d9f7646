"""The import contracts of our own kinds find what they are meant to find."""

from grimp import ImportGraph
from import_contracts import Contract, PureContract, ReachContract


def graph(*imports: tuple[str, str]) -> ImportGraph:
    made = ImportGraph()
    for importer, imported in imports:
        for module in (importer, imported):
            if module not in made.modules:
                made.add_module(module, is_squashed=not module.startswith("suite"))
        made.add_import(importer=importer, imported=imported, line_number=7, line_contents="")
    return made


def found(kind: type[Contract], made: ImportGraph, **options: object) -> list[str]:
    contract = kind("rule", {}, {"name": "rule", "type": kind.type_name, **options})
    return list(contract.check(made, verbose=False).metadata["found"])


def test_package_reaching_out_of_its_home_is_found_with_its_line() -> None:
    made = graph(("suite.store.tables", "sqlalchemy"), ("suite.web.api", "sqlalchemy"))

    lines = found(ReachContract, made, packages=["sqlalchemy"], modules=["suite.store"])

    assert lines == ["suite.web.api -> sqlalchemy (line 7)"]


def test_pure_module_must_not_reach_the_clock_through_another() -> None:
    made = graph(("suite.ipam.choice", "suite.model.clock"), ("suite.model.clock", "time"))

    lines = found(PureContract, made, packages=["time"], modules=["suite.ipam"])

    assert lines == ["suite.ipam.choice -> suite.model.clock -> time (line 7)"]


def test_pattern_binds_modules_in_any_package() -> None:
    made = graph(("suite.speaker.plan", "time"), ("suite.speaker.loop", "time"))

    lines = found(PureContract, made, packages=["time"], modules=["suite.*.plan"])

    assert lines == ["suite.speaker.plan -> time (line 7)"]


def test_rule_about_modules_that_do_not_exist_yet_is_kept() -> None:
    assert found(PureContract, graph(("suite.run", "time")), packages=["time"], modules=["suite.bgp.fsm"]) == []
