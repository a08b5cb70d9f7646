"""Who gets which address: pure decisions over frozen values and an index of the open leases.

What belongs here: finding a free address, who may share one, the life cycle bound -> held -> cooling -> free, and the
order of choice.  What does not: comparing a turn's wishes with what is (``controller.plan``), writing (``store``),
clocks.  The rules are those of MetalLB's allocator wherever it has one; docs/ipam.md lists the differences.
"""
