"""The rules of the rings hold: offline tests reach no network."""

import socket

import pytest

INTERNET = [socket.AF_INET, socket.AF_INET6, socket.AF_PACKET, socket.AF_NETLINK]


@pytest.mark.parametrize("family", INTERNET)
def test_unit_test_cannot_make_a_network_socket(family: socket.AddressFamily) -> None:
    with pytest.raises(RuntimeError, match="no network socket"):
        socket.socket(family, socket.SOCK_RAW)


def test_event_loop_may_wake_itself_over_a_socket_pair() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.send(b"wake")

        assert right.recv(4) == b"wake"
