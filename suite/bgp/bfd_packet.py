"""The BFD control packet (RFC 5880 section 4.1), and which packets are dropped unread (section 6.8.6)."""

import struct
from dataclasses import dataclass
from enum import IntEnum

SIZE = 24
_FORMAT = struct.Struct("!BBBBIIIII")
_POLL, _FINAL, _INDEPENDENT, _AUTHENTICATED, _DEMAND, _MULTIPOINT = 0x20, 0x10, 0x08, 0x04, 0x02, 0x01


class BfdState(IntEnum):
    """States of a session, with their numbers on the wire."""

    ADMIN_DOWN = 0
    DOWN = 1
    INIT = 2
    UP = 3


class Diagnostic(IntEnum):
    """Why a session last left Up (RFC 5880 section 4.1)."""

    NONE = 0
    DETECTION_TIME_EXPIRED = 1
    ECHO_FAILED = 2
    NEIGHBOR_SIGNALED_DOWN = 3
    FORWARDING_PLANE_RESET = 4
    PATH_DOWN = 5
    CONCATENATED_PATH_DOWN = 6
    ADMINISTRATIVELY_DOWN = 7
    REVERSE_CONCATENATED_PATH_DOWN = 8


@dataclass(frozen=True, slots=True)
class ControlPacket:
    """One control packet; intervals are microseconds, `diagnostic` is a number since only 0 to 8 have names."""

    state: BfdState
    multiplier: int
    my_discriminator: int
    your_discriminator: int
    desired_min_tx: int
    required_min_rx: int
    required_min_echo_rx: int = 0
    diagnostic: int = 0
    poll: bool = False
    final: bool = False
    control_plane_independent: bool = False
    demand: bool = False


def encode_packet(packet: ControlPacket) -> bytes:
    """The packet's 24 octets."""
    flags = packet.state << 6 | packet.poll * _POLL | packet.final * _FINAL | packet.demand * _DEMAND
    flags |= packet.control_plane_independent * _INDEPENDENT
    return _FORMAT.pack(
        1 << 5 | packet.diagnostic,
        flags,
        packet.multiplier,
        SIZE,
        packet.my_discriminator,
        packet.your_discriminator,
        packet.desired_min_tx,
        packet.required_min_rx,
        packet.required_min_echo_rx,
    )


def decode_packet(octets: bytes) -> ControlPacket | str:
    """The packet, or the reason it is dropped (the checks of section 6.8.6 that need no session).

    Authentication is not configurable here, so packets that carry it are dropped, as that section demands.
    """
    if len(octets) < SIZE:
        return "shorter than 24 octets"
    head, flags, multiplier, length, mine, yours, tx, rx, echo = _FORMAT.unpack_from(octets)
    state = BfdState(flags >> 6)
    problems = {
        "version is not 1": head >> 5 != 1,
        "length does not fit": length < SIZE or length > len(octets),
        "multiplier is zero": multiplier == 0,
        "multipoint": bool(flags & _MULTIPOINT),
        "my discriminator is zero": mine == 0,
        "your discriminator is zero": yours == 0 and state in {BfdState.INIT, BfdState.UP},
        "authentication is not in use": bool(flags & _AUTHENTICATED),
    }
    refused = next((reason for reason, applies in problems.items() if applies), None)
    if refused is not None:
        return refused
    return ControlPacket(
        state=state,
        multiplier=multiplier,
        my_discriminator=mine,
        your_discriminator=yours,
        desired_min_tx=tx,
        required_min_rx=rx,
        required_min_echo_rx=echo,
        diagnostic=head & 0x1F,
        poll=bool(flags & _POLL),
        final=bool(flags & _FINAL),
        control_plane_independent=bool(flags & _INDEPENDENT),
        demand=bool(flags & _DEMAND),
    )
