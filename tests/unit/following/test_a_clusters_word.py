"""What a TokenReview says of a token."""

from base64 import urlsafe_b64encode

import pytest

from suite.cluster.credentials import ServiceAccountToken, read_review

CLAIMS = urlsafe_b64encode(b'{"exp": 1795400000}').decode().rstrip("=")
TOKEN = f"e30.{CLAIMS}.signature"
USER = {"username": "system:serviceaccount:suite-system:suite-follower"}


def review(**status):
    return {"status": {"authenticated": True, "audiences": ["suite"], "user": USER, **status}}


def test_the_account_and_the_end_of_its_token_are_read():
    assert read_review(review(), TOKEN) == ServiceAccountToken("suite-system/suite-follower", 1795400000.0)


def test_newer_servers_say_on_which_node_it_is():
    user = USER | {"extra": {"authentication.kubernetes.io/node-name": ["compute2"]}}

    assert read_review(review(user=user), TOKEN).node == "compute2"


@pytest.mark.parametrize(
    "status",
    [
        {"authenticated": False},
        {"audiences": ["https://kubernetes.default.svc"]},
        {"audiences": None},
        {"user": {"username": "kubernetes-admin"}},
        {"user": None},
    ],
    ids=str,
)
def test_everybody_else_is_nobody(status):
    assert read_review(review(**status), TOKEN) is None


@pytest.mark.parametrize("token", ["", "x", "a.!!.c", "a.e30.c", "a.bnVsbA.c"])
def test_a_token_that_does_not_say_when_it_ends_counts_once(token):
    assert read_review(review(), token).expires == 0.0
