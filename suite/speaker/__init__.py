"""The speaker: the role that tells the network which node owns which address, over layer 2 and BGP.

Pure: `election` (who should own), `membership` and its `heartbeat` encoding (who is alive), `ownership` (who owns, given
both), `control` (what the two processes tell each other). Loops: `responder`, the time-critical process that owns the
sockets, with `heartbeat_link` for its heartbeats. No database and no cluster here: plans come from snapshots.
"""
