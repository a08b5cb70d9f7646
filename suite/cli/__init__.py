"""The command line: one file per noun or verb, each imported only when it is asked for.

What belongs here: reading options, asking the layers below, showing the answer as a table, JSON, YAML or CSV, and ending
with a documented exit code.  What does not: deciding anything that the API could not tell as well; that stands in
``model``, ``controller.operator`` and ``web.documents``.  At the top of a module here stand click and this package only, so
that ``suite --help`` is instant; everything heavy is imported inside the functions that use it.
"""
