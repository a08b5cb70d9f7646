"""What a Service's object gets to say: only what differs, in MetalLB's words."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from suite.cluster.status import (
    Note,
    Outcome,
    Standing,
    cut,
    event_again,
    event_body,
    node_assigned,
    plan_writes,
    standing_of,
)
from suite.model.refusal import Reason, Refusal
from suite.model.service import ServiceRef

NOW = datetime(2026, 11, 22, 14, 3, 7, 999, tzinfo=UTC)
COFFEE = ServiceRef("default", "coffee")
FRESH = Standing(COFFEE, uid="u1", resource_version="7")
ADDRESS = ip_address("10.0.42.0")
LEASED = Outcome(COFFEE, (ADDRESS,), "default")
SETTLED = replace(
    FRESH, ingress=("10.0.42.0",), condition=("True", "Assigned", "10.0.42.0 from pool default"), pool="default"
)
EXHAUSTED = Refusal(Reason.POOL_EXHAUSTED, "pool default has no free address")


def test_a_new_lease_is_written_with_version_mode_and_condition():
    writes = plan_writes(FRESH, LEASED, now=NOW)

    assert writes.status == {
        "metadata": {"uid": "u1", "resourceVersion": "7"},
        "status": {
            "loadBalancer": {"ingress": [{"ip": "10.0.42.0", "ipMode": "VIP"}]},
            "conditions": [
                {
                    "type": "suite/AddressAssigned",
                    "status": "True",
                    "reason": "Assigned",
                    "message": "10.0.42.0 from pool default",
                    "lastTransitionTime": "2026-11-22T14:03:07Z",
                }
            ],
        },
    }
    assert writes.metadata == {
        "metadata": {
            "annotations": {"metallb.io/ip-allocated-from-pool": "default"},
            "uid": "u1",
            "resourceVersion": "7",
        }
    }


def test_the_event_of_a_new_lease_is_the_one_people_know():
    assert plan_writes(FRESH, LEASED, now=NOW).notes == (Note("IPAllocated", 'Assigned IP "10.0.42.0"'),)


def test_nothing_is_written_when_the_object_says_it_already():
    assert not plan_writes(SETTLED, LEASED, now=NOW)


def test_an_older_server_gets_no_mode():
    writes = plan_writes(FRESH, LEASED, now=NOW, with_ip_mode=False)

    assert writes.status is not None
    assert writes.status["status"]["loadBalancer"] == {"ingress": [{"ip": "10.0.42.0"}]}


def test_a_missing_mode_in_the_status_is_no_difference():
    document = {
        "metadata": {"name": "coffee"},
        "status": {"loadBalancer": {"ingress": [{"ip": "10.0.42.0"}, {"ip": "10.0.42.1", "ipMode": "Proxy"}]}},
    }

    assert standing_of(document).ingress == ("10.0.42.0", "")


def test_errors_that_somebody_noted_for_ports_are_written_over():
    entry = {"ip": "10.0.42.0", "ports": [{"port": 80, "protocol": "TCP", "error": "example.com/Busy"}]}
    document = {"metadata": {"name": "coffee"}, "status": {"loadBalancer": {"ingress": [entry]}}}

    writes = plan_writes(standing_of(document), LEASED, now=NOW)

    assert writes.status["status"]["loadBalancer"] == {"ingress": [{"ip": "10.0.42.0", "ipMode": "VIP"}]}


def test_a_refusal_is_a_condition_and_a_warning():
    writes = plan_writes(FRESH, Outcome(COFFEE, refusal=EXHAUSTED), now=NOW)

    assert writes.status is not None
    assert writes.status["status"]["conditions"][0]["reason"] == "PoolExhausted"
    assert writes.notes == (
        Note(
            "AllocationFailed",
            'Failed to allocate IP for "default/coffee": pool default has no free address',
            is_warning=True,
        ),
    )


def test_a_refusal_that_stands_there_already_is_not_told_again():
    standing = replace(FRESH, condition=("False", "PoolExhausted", EXHAUSTED.message))

    assert not plan_writes(standing, Outcome(COFFEE, refusal=EXHAUSTED), now=NOW)


def test_an_address_that_is_lost_is_cleared_with_the_cause():
    writes = plan_writes(SETTLED, Outcome(COFFEE, refusal=EXHAUSTED), now=NOW)

    assert writes.status is not None
    assert writes.status["status"]["loadBalancer"] == {"ingress": None}
    assert writes.notes[0] == Note(
        "ClearAssignment", 'Cleared assignment of IP "10.0.42.0": pool default has no free address'
    )


def test_another_address_is_cleared_and_assigned():
    outcome = Outcome(COFFEE, (ip_address("10.0.43.0"),), "second")

    assert [note.reason for note in plan_writes(SETTLED, outcome, now=NOW).notes] == ["ClearAssignment", "IPAllocated"]


def test_the_time_of_a_condition_moves_only_with_its_state():
    outcome = Outcome(COFFEE, (ADDRESS,), "renamed")

    writes = plan_writes(SETTLED, outcome, now=NOW)

    assert writes.status is not None
    assert "lastTransitionTime" not in writes.status["status"]["conditions"][0]


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(COFFEE, wants_address=False),
        Outcome(COFFEE, refusal=Refusal(Reason.OTHER_CLASS, "class example.com/lb is not ours")),
    ],
    ids=["no-load-balancer", "other-class"],
)
def test_a_service_of_somebody_else_is_left_alone(outcome):
    assert not plan_writes(replace(FRESH, ingress=("192.0.2.1",)), outcome, now=NOW)


def test_what_was_ours_is_taken_back():
    writes = plan_writes(SETTLED, Outcome(COFFEE, wants_address=False), now=NOW)

    assert writes.status is not None
    assert writes.metadata is not None
    assert writes.status["status"] == {
        "loadBalancer": {"ingress": None},
        "conditions": [{"$patch": "delete", "type": "suite/AddressAssigned"}],
    }
    assert writes.metadata["metadata"]["annotations"] == {"metallb.io/ip-allocated-from-pool": None}


def test_a_second_family_that_is_not_to_be_had_is_a_normal_event():
    outcome = Outcome(COFFEE, (ADDRESS,), "default", Refusal(Reason.POOL_FAMILY, "pool default has no IPv6"))

    assert plan_writes(FRESH, outcome, now=NOW).notes[1] == Note(
        "AdditionalAssignFailed", 'Failed to add an IP to "default/coffee": pool default has no IPv6'
    )


def test_the_same_event_has_the_same_name():
    first = event_body(node_assigned("compute2", "layer2"), COFFEE, "u1", now=NOW, instance="a")
    again = event_body(node_assigned("compute2", "layer2"), COFFEE, "u1", now=NOW.replace(year=2027), instance="b")
    other = event_body(node_assigned("compute3", "layer2"), COFFEE, "u1", now=NOW, instance="a")

    assert first["metadata"]["name"] == again["metadata"]["name"] != other["metadata"]["name"]


def test_an_event_that_happens_again_counts():
    assert event_again({"count": 2}, now=NOW) == {"count": 3, "lastTimestamp": "2026-11-22T14:03:07Z"}


def test_a_message_is_cut_at_octets():
    assert len(cut("ü" * 2000).encode()) == 1003
