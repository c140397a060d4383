"""Images from their bytes alone: nothing is run, no engine is needed, nothing is unpacked to disk.

    Source (registry, archive, layout, engine) --layers--> index of each --union--> one file tree --gather--> Evidence

``sources`` of bytes: :mod:`registry <envaudit.images.registry>`, :mod:`layout <envaudit.images.layout>` (OCI layouts and
archives, what ``docker save`` writes). What they share is :mod:`source <envaudit.images.source>`.
"""
