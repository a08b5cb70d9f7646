"""Classic BPF programs: the kernel throws away what is not about our addresses before Python wakes up. Pure.

A program sees each ARP or IPv6 frame of one interface. It keeps what this machine may have to answer or to notice, and
drops everything else, so that a flood of requests for foreign addresses costs no system call.

Matching is by ranges of 32-bit words: the IPv4 address, or the last four bytes of the IPv6 target. Owned addresses become
sorted ranges, and a binary search over their borders, unrolled into jumps, costs about ten instructions for a
thousand addresses. When there are too many ranges, the smallest gaps are closed: the filter then lets a few foreign
frames pass, which the exact lookup behind it drops. It never keeps back one of ours.

Instructions are (code, jump if true, jump if false, constant), as in <linux/filter.h>.
"""

import struct
from collections.abc import Iterable, Sequence

Instruction = tuple[int, int, int, int]
Program = list[Instruction]
Range = tuple[int, int]

LOAD_WORD, LOAD_HALF, LOAD_BYTE = 0x20, 0x28, 0x30
JUMP, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, JUMP_IF_ABOVE = 0x05, 0x15, 0x35, 0x25
RETURN = 0x06

ANCILLARY = 0xFFFFF000
PACKET_TYPE = ANCILLARY + 4
BROADEST_TYPE_FOR_US = 2
"""Packet types 0 to 2 are for this host, broadcast and multicast; 3 is for others (also a VLAN without a device), 4 outgoing."""

WHOLE_FRAME = 0x40000
ACCEPT: Instruction = (RETURN, 0, 0, WHOLE_FRAME)
REJECT: Instruction = (RETURN, 0, 0, 0)

MOST_RANGES = 256
"""Two searches over 512 borders take 2,050 instructions of the 4,096 that the kernel allows."""

LONGEST_JUMP = 255


def arp(addresses: Iterable[bytes], most_ranges: int = MOST_RANGES) -> Program:
    """Keep ARP frames whose target (offset 38) or sender (offset 28) is one of the IPv4 addresses."""
    ranges = close_gaps(to_ranges(addresses), most_ranges)
    if not ranges:
        return [REJECT]
    senders = [(LOAD_WORD, 0, 0, 28), *search(ranges, [REJECT])]
    return [*_for_this_host(), (LOAD_WORD, 0, 0, 38), *search(ranges, senders)]


def discovery(addresses: Iterable[bytes], most_ranges: int = MOST_RANGES) -> Program:
    """Keep Neighbor Solicitations and Advertisements (ICMPv6 135, 136) whose target ends like one of the addresses.

    Messages behind IPv6 extension headers are dropped; none of the neighbour discovery of this world has them.
    """
    ranges = close_gaps(to_ranges(address[12:] for address in addresses), most_ranges)
    if not ranges:
        return [REJECT]
    return [
        *_for_this_host(),
        (LOAD_BYTE, 0, 0, 20),
        (JUMP_IF_EQUAL, 1, 0, 58),
        REJECT,
        (LOAD_BYTE, 0, 0, 54),
        (JUMP_IF_EQUAL, 2, 0, 135),
        (JUMP_IF_EQUAL, 1, 0, 136),
        REJECT,
        (LOAD_WORD, 0, 0, 74),
        *search(ranges, [REJECT]),
    ]


def echo4(addresses: Iterable[bytes], most_ranges: int = MOST_RANGES) -> Program:
    """Keep ICMP echo requests to the IPv4 addresses."""
    return _echo(to_ranges(addresses), most_ranges, protocol=(23, 1), kind=(34, 8), target=30)


def echo6(addresses: Iterable[bytes], most_ranges: int = MOST_RANGES) -> Program:
    """Keep ICMPv6 echo requests to addresses that end like one of these."""
    ranges = to_ranges(address[12:] for address in addresses)
    return _echo(ranges, most_ranges, protocol=(20, 58), kind=(54, 128), target=50)


def dhcp() -> Program:
    """Keep DHCP messages to servers and clients (UDP ports 67, 68) in IPv4 packets without options."""
    program = _for_this_host()
    for offset, value in ((14, 0x45), (23, 17)):
        program += [(LOAD_BYTE, 0, 0, offset), (JUMP_IF_EQUAL, 1, 0, value), REJECT]
    return [*program, (LOAD_HALF, 0, 0, 36), (JUMP_IF_EQUAL, 1, 0, 67), (JUMP_IF_EQUAL, 0, 1, 68), ACCEPT, REJECT]


def _echo(
    ranges: list[Range], most_ranges: int, *, protocol: tuple[int, int], kind: tuple[int, int], target: int
) -> Program:
    program = _for_this_host()
    for offset, value in (protocol, kind):
        program += [(LOAD_BYTE, 0, 0, offset), (JUMP_IF_EQUAL, 1, 0, value), REJECT]
    return (
        [*program, (LOAD_WORD, 0, 0, target), *search(close_gaps(ranges, most_ranges), [REJECT])]
        if ranges
        else [REJECT]
    )


def to_ranges(words: Iterable[bytes]) -> list[Range]:
    """Sorted inclusive ranges that hold exactly these 32-bit words."""
    ranges: list[Range] = []
    for number in sorted({int.from_bytes(word, "big") for word in words}):
        if ranges and ranges[-1][1] + 1 == number:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges


def close_gaps(ranges: Sequence[Range], most: int) -> list[Range]:
    """At most `most` ranges that cover all of these: the smallest gaps between them are filled."""
    surplus = len(ranges) - max(most, 1)
    if surplus <= 0:
        return list(ranges)
    by_gap = sorted(range(1, len(ranges)), key=lambda at: ranges[at][0] - ranges[at - 1][1])
    closed = set(by_gap[:surplus])
    merged = [ranges[0]]
    for at in range(1, len(ranges)):
        if at in closed:
            merged[-1] = (merged[-1][0], ranges[at][1])
        else:
            merged.append(ranges[at])
    return merged


def search(ranges: Sequence[Range], otherwise: Program) -> Program:
    """Instructions that accept if the loaded word is in a range and go on with `otherwise` if not.

    The borders cut the 32-bit numbers into pieces that are in turn outside and inside.
    """
    borders = [border for low, high in ranges for border in (low, high + 1) if border < 1 << 32]
    tree = _search(borders, 0, len(borders))
    return [*_linked(tree), *otherwise]


def to_bytes(program: Sequence[Instruction]) -> bytes:
    """The array of struct sock_filter that the kernel reads."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def run(program: Sequence[Instruction], frame: bytes, packet_type: int = 0) -> bool:
    """Whether the program keeps a frame: the kernel's semantics, for tests and for `suite doctor` to explain a filter."""
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, constant = program[at]
        at += 1
        if code == RETURN:
            return constant != 0
        if code == JUMP:
            at += constant
        elif code in {JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, JUMP_IF_ABOVE}:
            holds = {
                JUMP_IF_EQUAL: accumulator == constant,
                JUMP_IF_AT_LEAST: accumulator >= constant,
                JUMP_IF_ABOVE: accumulator > constant,
            }[code]
            at += if_true if holds else if_false
        elif constant == PACKET_TYPE:
            accumulator = packet_type
        else:
            size = {LOAD_WORD: 4, LOAD_HALF: 2, LOAD_BYTE: 1}[code]
            if constant + size > len(frame):
                return False
            accumulator = int.from_bytes(frame[constant : constant + size], "big")


def _for_this_host() -> Program:
    return [(LOAD_WORD, 0, 0, PACKET_TYPE), (JUMP_IF_ABOVE, 0, 1, BROADEST_TYPE_FOR_US), REJECT]


def _search(borders: Sequence[int], low: int, high: int) -> Program:
    """A decision tree over borders[low:high]; the piece behind `high` borders is inside if `high` is odd."""
    if low == high:
        return [ACCEPT if low % 2 else _TO_END]
    middle = (low + high) // 2
    left, right = _search(borders, low, middle), _search(borders, middle + 1, high)
    if len(left) <= LONGEST_JUMP:
        return [(JUMP_IF_AT_LEAST, len(left), 0, borders[middle]), *left, *right]
    return [(JUMP_IF_AT_LEAST, 0, 1, borders[middle]), (JUMP, 0, 0, len(left)), *left, *right]


def _linked(tree: Program) -> Program:
    """The tree with its placeholders turned into jumps behind its end."""
    return [(JUMP, 0, 0, len(tree) - at - 1) if step is _TO_END else step for at, step in enumerate(tree)]


_TO_END: Instruction = (JUMP, 0, 0, 0)
