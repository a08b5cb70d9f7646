"""Which interfaces can announce now, out of what the kernel says; links that flap have to settle first. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from suite.l2.rtnetlink import Interface
from suite.speaker.heartbeat import MOST_LINKS, Network, UsableLink

EXCLUDED = re.compile(r"docker|cbr|dummy|virbr|lxcbr|veth|lo$|cali|tunl|flannel|kube-ipvs|cni|nodelocaldns|lxc")
"""Interfaces of containers and tunnels, by the beginning of their names; MetalLB leaves out the same ones."""

SETTLE = 5.0
"""Seconds that a link which lost its carrier must hold before it is preferred to others; doubled by each further loss."""
LONGEST_SETTLE = 300.0
MEMORY = 900.0
"""Seconds after which a loss is forgiven."""


@dataclass(slots=True)
class UsableLinks:
    """The usable links over time; call `update` for every change and at `next_timer`."""

    excluded: re.Pattern[str] = EXCLUDED
    _usable: set[str] = field(default_factory=set)
    _losses: dict[str, list[float]] = field(default_factory=dict)
    _settles: dict[str, float] = field(default_factory=dict)

    def update(self, interfaces: Mapping[str, Interface], now: float) -> tuple[UsableLink, ...]:
        """One link for each network of each usable interface, in a stable order."""
        usable = {name for name, interface in interfaces.items() if self._is_usable(interface)}
        for name in self._usable - usable:
            self._losses[name] = [*(at for at in self._losses.get(name, []) if at > now - MEMORY), now]
        for name in usable - self._usable:
            losses = len(self._losses.get(name, []))
            self._settles[name] = now + min(SETTLE * 2.0 ** (losses - 1), LONGEST_SETTLE) if losses else now
        self._usable = usable
        links = [
            UsableLink(name, network, interfaces[name].mac, is_settled=now >= self._settles[name])
            for name in sorted(usable)
            for network in _networks(interfaces[name])
        ]
        return tuple(links[:MOST_LINKS])

    def next_timer(self, now: float) -> float | None:
        """When a link settles next."""
        return min((at for name, at in self._settles.items() if at > now and name in self._usable), default=None)

    def _is_usable(self, interface: Interface) -> bool:
        return interface.is_usable and not self.excluded.match(interface.name)


def _networks(interface: Interface) -> Iterable[Network]:
    """The networks of an interface that addresses for Services can lie in."""
    networks: set[Network] = {address.network for address in interface.addresses if not address.is_link_local}
    return sorted(
        (network for network in networks if network.prefixlen < network.max_prefixlen),
        key=lambda network: (network.version, int(network.network_address), network.prefixlen),
    )
