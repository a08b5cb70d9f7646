"""An authoritative DNS server as a library: names, zones, answers, transfers, and the sockets that carry them.

Here belongs whatever an RFC says about DNS. What a Service, a lease or a pool is does not: callers hand in RRsets.

    zone = Zone.build(origin, rrsets)            zone.py      an immutable value; `with_changes(rrsets, serial)` makes the next
    zones = Zones.of([zone])                     catalogue.py many zones; readiness, staleness
    respond(zones, packet, context) -> bytes     wire.py      the pure core of one question
    server = Server(Listen(...), settings)       server.py    workers; `await server.publish(changes, revision)` acks when visible
    parse_rdata(rtype, text, origin) -> bytes    rdata.py     record text; `zonefile.py` reads and writes whole zones

Names are wire-form bytes everywhere (name.py); text stays at the edges.
"""
