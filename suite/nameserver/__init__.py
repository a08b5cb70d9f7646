"""The nameserver: which names lead where, kept in step with the snapshot.

What belongs here: ``records`` and ``reverse`` (pure: a Service or a static name -> records), ``plan`` (pure: which claim
wins a name, and what changes in which zone), ``loop`` (each snapshot -> the DNS server).  What does not: anything an
RFC says about messages (``dns``), and who may lease what (``ipam``).
"""
