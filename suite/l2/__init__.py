"""Layer 2: telling the machines of a LAN which of them owns an address, by ARP (IPv4) and NDP (IPv6).

A protocol library. It knows frames, interfaces and addresses as bytes, and nothing of Services, pools or databases.
Pure: `arp`, `ndp` (frame in, reply or Drop out), `burst`, `probe`, `conflict` (schedules; time is an argument),
`packet_filter`, `rtnetlink` (bytes in, bytes out), `echo`, `checks` (facts in, findings out). Sockets live in `link`, `netlink`,
`bind_address` and `host_facts` only. Scapy appears in `frames` and `describe`, never on the path of an answer.
"""
