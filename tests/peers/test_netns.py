"""The networks that other tests stand on behave like networks, and vanish."""

import socket
import subprocess
import sys

import pytest
from fix_netns import NetLab, eventually, network, require_tools

CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 1)"

pytestmark = pytest.mark.net


def test_two_hosts_on_a_cable_reach_each_other(netlab: NetLab) -> None:
    require_tools("ping")
    left, right = netlab.namespace("left"), netlab.namespace("right")
    netlab.veth(left, right, left=["10.9.0.1/24", "fd09::1/64"], right=["10.9.0.2/24", "fd09::2/64"])

    replies = [left.run("ping", "-c1", "-W2", target).returncode for target in ("10.9.0.2", "fd09::2")]

    assert replies == [0, 0]


def test_a_cut_cable_takes_the_carrier(netlab: NetLab) -> None:
    lan, host = netlab.bridge("lan"), netlab.namespace("host")
    lan.plug(host, addresses=["10.9.0.1/24"], mac="02:00:00:00:00:01")

    lan.cut(host)

    assert eventually(lambda: "NO-CARRIER" in host.ip("link", "show", "eth0"))


def test_isolated_ports_hear_others_but_not_each_other(netlab: NetLab) -> None:
    require_tools("ping")
    lan = netlab.bridge("lan")
    hosts = [netlab.namespace(name) for name in ("one", "two", "client")]
    for number, host in enumerate(hosts, start=1):
        lan.plug(host, addresses=[f"10.9.0.{number}/24"])
    lan.isolate(hosts[0])
    lan.isolate(hosts[1])

    pings = [hosts[a].run("ping", "-c1", "-W1", f"10.9.0.{b}").returncode for a, b in ((0, 2), (0, 3), (1, 3))]

    assert pings == [1, 0, 0]


def test_a_socket_opened_inside_stays_inside(netlab: NetLab) -> None:
    host = netlab.namespace("host")
    with host.entered():
        listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        port = str(listener.getsockname()[1])

        outside = subprocess.run([sys.executable, "-c", CONNECT, port], check=False, capture_output=True)
        inside = host.python("-c", CONNECT, port)

    assert (outside.returncode, inside.returncode) == (1, 0)


def test_processes_and_namespaces_end_with_the_lab() -> None:
    with network() as lab:
        host = lab.namespace("host")
        process = host.spawn("sleep", "1000")
        name = host.full_name

    assert process.returncode == -9
    assert name not in subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
