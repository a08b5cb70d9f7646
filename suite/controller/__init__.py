"""The controller: what the sources want, compared with what is leased, becomes one commit per turn.

What belongs here: ``plan`` (pure: batch + snapshot -> Changes) with its parts ``delta``, ``draft`` and ``releases``,
``operator`` (pure: what a person asks for -> Changes), and ``loop`` (read, plan, commit, then tell).  What does not:
choosing an address (``ipam``), SQL (``store``), reading manifests or a cluster (``cluster``).
"""
