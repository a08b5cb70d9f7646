"""Snapshots over HTTP: what a controller's feed sends, and how a follower without a database lives on it.

What belongs here: the lines of the feed and their digest, the answers a controller makes of them, the follower with the
file that it goes on with, and the journal of what speakers report back.  What does not: paths and rights of the HTTP
server (``web``), deciding anything.
"""
