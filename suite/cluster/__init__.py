"""Where Services come from, and where their fate is told: a directory of manifests, a cluster, or memory.

What belongs here: reading Kubernetes objects (``convert``, ``annotations``, ``manifest``), following a source
(``files``, ``kubernetes``, ``memory``), and the status and Events a cluster gets back (``status``).  What does not:
deciding who gets which address (``ipam``, ``controller``), and configuration (``config``).  No Kubernetes dict leaves
this package; everybody else sees values of ``model``.
"""
