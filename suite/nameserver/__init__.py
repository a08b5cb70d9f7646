"""The nameserver: which names lead where, kept in step with the snapshot.

What belongs here: ``records``, ``reverse`` and ``apex`` (pure: a Service, a static name, a zone -> records), ``plan``
(pure: which claim wins a name, and what changes in which zone), ``versions`` (pure: what a serial stood for), ``why`` and
``zone_import`` (pure: for the command line), ``loop`` (each snapshot -> the DNS server) with
``numbering`` (serials from the database), ``secret_files`` and ``secondaries``.  What does
not: anything an RFC says about messages (``dns``), and who may lease what (``ipam``).
"""
