"""BGP and BFD as protocol libraries: bytes, timers and decisions, without sockets or clocks.

Here belongs what RFC 4271, RFC 5880 and their extensions say: codecs, the state machine, the outgoing routing
table, sessions that are told the time, and two thin asyncio shells (`peer`, `bfd_link`), the only modules with sockets.
Here does not belong which Service is announced by which node: callers hand over prefixes with attributes.
The library announces only; routes it receives are checked, counted and dropped.
"""
