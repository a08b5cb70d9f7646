"""The vocabulary of the whole program: frozen values that check themselves and do nothing.

What belongs here: Service, Pool, Lease, Node, Advertisement, Peer, Refusal, Event, Changes, Snapshot, and
pure questions about them.  What does not: reading or writing anything (``config``, ``cluster``, ``store``),
deciding (``ipam`` and every ``plan``), clocks, sockets, logs.  This package imports nothing else of ``suite``.
"""
