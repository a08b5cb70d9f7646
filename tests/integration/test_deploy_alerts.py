"""Prometheus' own tool reads the alert rules, and each rule fires when what it is for happens, and not before."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy_files import MONITORING

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (see tests/apt-packages.txt)"),
]

CASES = {
    "SuiteIsAway": ("up", "1x30", "5m"),
    "SuiteHasNoLeader": ('suite_controller_leader{instance="a"}', "0x30", "2m"),
    "SuiteDatabaseIsAway": ('suite_store_up{instance="a"}', "0x30", "1m"),
    "SuiteRefusesServices": ('suite_refusals{instance="a",reason="PoolExhausted"}', "3x30", "10m"),
    "SuiteConfigurationIsBad": ('metallb_k8s_client_config_stale_bool{instance="a"}', "1x30", "5m"),
    "SuiteWithholdsReleases": ('suite_releases_withheld{instance="a"}', "1x30", "5m"),
    "SuiteAddressIsContested": ('suite_layer2_conflicts_total{instance="a",ip="10.0.42.0"}', "0+1x30", "1m"),
    "SuiteBgpSessionIsDown": ('metallb_bgp_session_up{instance="a",peer="core"}', "0x30", "2m"),
    "SuiteNamesAreStale": ('suite_dns_stale_seconds{instance="a"}', "100+60x30", "1m"),
    "SuitePoolIsNearlyFull": ('metallb_allocator_addresses_in_use_total{instance="a",pool="default"}', "250x30", "15m"),
}
"""For each alert: the series that calls for it, its values a minute apart, and for how long before it fires."""
BESIDE = {
    "SuitePoolIsNearlyFull": [('metallb_allocator_addresses_total{instance="a",pool="default"}', "256x30")],
}


@cache
def groups() -> dict[str, Any]:
    text = (MONITORING / "rules.yaml").read_text(encoding="utf-8")
    return {"groups": yaml.safe_load(text)["spec"]["groups"]}


def promtool(*arguments: object) -> str:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_rules(tmp_path: Path):
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups()), encoding="utf-8")

    assert "10 rules found" in promtool("check", "rules", tmp_path / "rules.yaml")


def test_every_rule_has_a_case():
    assert {rule["alert"] for group in groups()["groups"] for rule in group["rules"]} == CASES.keys()


def test_each_alert_fires_when_its_time_has_come_and_not_before(tmp_path: Path):
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups()), encoding="utf-8")
    tests = [_case(alert) for alert in CASES]
    given = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")

    assert "SUCCESS" in promtool("test", "rules", tmp_path / "tests.yaml")


def _case(alert: str) -> dict[str, Any]:
    series, values, wait = CASES[alert]
    given = [(series, values), *BESIDE.get(alert, [])]
    fired = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    minutes = int(wait.removesuffix("m"))
    return {
        "interval": "1m",
        "input_series": [{"series": each, "values": said} for each, said in given],
        "promql_expr_test": [
            {"expr": fired, "eval_time": f"{max(minutes - 1, 0)}m", "exp_samples": []},
            {"expr": fired, "eval_time": f"{minutes + 3}m", "exp_samples": [{"labels": "{}", "value": 1}]},
        ],
    }


def test_the_dashboard_asks_in_words_that_prometheus_understands(tmp_path: Path):
    panels = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    asked = [target["expr"].replace("$__rate_interval", "5m") for panel in panels for target in panel["targets"]]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(asked)]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    assert f"{len(asked)} rules found" in promtool("check", "rules", tmp_path / "panels.yaml")
