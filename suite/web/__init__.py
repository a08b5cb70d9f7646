"""The API, the metrics page and health: what the suite says about itself over HTTP.

What belongs here: documents (what a Pool, Lease, Event looks like to the outside), the application that serves them, and the
loop that lets a server serve it.  What does not: deciding anything, and writing to the database; every answer is
made from a snapshot or read from the store.  The web framework takes a quarter of a second to import, so only
``application`` imports it, and the run loop imports that after everything else answers.
"""
