"""An authoritative DNS server as a library: names, zones, answers, transfers, and the sockets that carry them.

Here belongs whatever an RFC says about DNS. What a Service, a lease or a pool is does not: callers hand in RRsets.
`Zone.build` and `with_changes` (zone.py) make immutable zones, `Zones` (catalogue.py) holds many, `respond` (wire.py)
answers octets with octets. `Server` (server.py) runs the workers and is told everything by `publish(updates, revision)`
with the updates of feed.py; it returns once the next query sees them. `parse_rdata` (rdata.py) and zonefile.py read
and write text, notify.py tells secondaries. Names are wire-form octets everywhere (name.py); text stays at the edges.
"""
