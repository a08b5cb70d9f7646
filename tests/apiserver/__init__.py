"""A Kubernetes API server for tests: small, in memory, strict where a controller's hard parts are.

It speaks HTTP, so the real client runs against it, and ``kubectl`` too.  ``objects`` keeps versions and the journal that
watches read, ``fields`` fills in defaults and refuses what a server refuses, ``patches`` applies the three kinds of
patch, ``app`` is the HTTP side with its faults on request, ``server`` starts it.  What is not here: admission, field
managers, server-side apply, and any kind the suite does not touch.
"""
