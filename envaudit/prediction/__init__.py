"""Prediction: what will happen to an artifact in a target, from its needs and the target's own source code.

The needs are played through the code that the target would run: its reconstructors, ``__setstate__`` methods and
``predict``/``transform`` paths are evaluated *symbolically* (``evaluation``), with the stored state as far as the file
tells it and everything else unknown. What must fail is reported with the error that Python will print.
"""
