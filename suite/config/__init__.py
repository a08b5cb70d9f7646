"""Configuration: from the operator's documents to one checked, frozen :class:`suite.model.configuration.Configuration`.

What belongs here: reading YAML into trees that remember their lines, the shape of every document we understand (our
own file, the ConfigMap of MetalLB up to 0.12, MetalLB's custom resources), the checks between them, which advertisement
reaches which pool and node, the conversion between the two formats, and the schema for editors.

What does not: watching files or a cluster (``cluster``), keeping the last good configuration (``store``), acting on it.
Everything but :func:`suite.config.document.read_file` is pure; nothing here raises because of what a document says.
"""
