"""``open_tree(source, wanted) -> Tree``: every layer indexed, one tree out of them, and the way to the contents."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from envaudit.evidence import Request
from envaudit.images import union
from envaudit.images._cache import Indexes
from envaudit.images._unpack import Way
from envaudit.images._wanted import Wanted
from envaudit.images.contents import AT_ONCE, LayerContents
from envaudit.images.layer import Index, index
from envaudit.images.source import Layer, Source
from envaudit.images.tree import Tree


def open_tree(source: Source, request: Request, progress: Callable[[str], None] = lambda message: None) -> Tree:
    """The file tree of an image. What a request asks for of files is kept while the layers are gone through; anything
    else is read when it is asked for.

    Raises :class:`~envaudit.errors.TargetError` where a layer is damaged or cannot be had.
    """
    wanted = Wanted(request)
    cache = Indexes(wanted.identity)
    ways = {layer: Way(layer) for layer in source.layers}
    done = 0

    def indexed(layer: Layer) -> Index:
        nonlocal done
        found = cache.get(layer)
        if found is None:
            with source.open(layer) as stream:
                found = index(stream, ways[layer], wanted)
            cache.keep(layer, found)
        done += 1
        progress(f"read {done} of {len(ways)} layers")
        return found

    root: union.Union = {}
    contents = LayerContents(source, ways)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for layer, found in zip(source.layers, pool.map(indexed, source.layers), strict=True):
                union.add(root, found)
                contents.know(layer, found)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return Tree(root, contents)
