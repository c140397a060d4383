"""Images from their bytes alone: nothing is run, no engine is needed, nothing is unpacked to disk.

    Source (registry, archive, layout, engine) --layers--> index of each --union--> one file tree --gather--> Evidence

Sources of bytes are :mod:`registry <envaudit.images.registry>` and :mod:`layout <envaudit.images.layout>` (OCI layouts
and archives, what ``docker save`` writes); :mod:`open <envaudit.images.open>` makes one :mod:`tree
<envaudit.images.tree>` of their layers, and :mod:`interpreter <envaudit.images.interpreter>` says what the Python in it
would say of itself.
"""
