"""Counters and gauges that every layer may touch, and the one list of their names.

What belongs here: what is measured (``names``) and where its values stand until somebody asks (``registry``).
What does not: deciding what a value means, serving it (``web`` does), clocks, sockets.  Touching a metric costs a
dictionary update; the library that writes the exposition format is imported when the first page of it is asked for.
"""
