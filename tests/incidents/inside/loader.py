"""Runs inside one environment (Python 3.6+): loads one model file, makes one call, and writes down what happened.

    python loader.py RESULT < JOB

JOB is JSON: {"path", "load", "call"}. RESULT gets one JSON line per phase that was reached, and a last one: {"kind",
"error", "message", "warned", "answer"}. A process that dies in between leaves the phases only.
"""
# mypy: ignore-errors

import json
import os
import re
import sys
import warnings

SIZE = 800  # characters of a message: a dtype dump goes on for pages
# Folders that no message shall name: those of this machine, and the one in which xgboost's wheels are built.
PLACES = [sys.prefix, os.path.dirname(os.path.abspath(__file__)), "/workspace"]


def main(job, tell):
    """Load and call."""
    space = {"path": job["path"]}
    PLACES.append(os.path.dirname(job["path"]))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            tell("load_error")
            exec(job["load"], space)
            tell("predict_error")
            answer = _call(job["call"], space)
        except Exception as error:
            kind = "load_error" if "model" not in space else "predict_error"
            return {"kind": kind, "error": type(error).__name__, "message": _text(error), "warned": _warned(warned)}
    return {"kind": "fine", "answer": plain(answer), "warned": _warned(warned)}


def _call(code, space):
    """The value of the last line, after the lines before it."""
    lines = code.strip().splitlines()
    exec("\n".join(lines[:-1]), space)
    return eval(lines[-1], space) if lines else None


def _warned(caught):
    """The first warning that speaks of versions; empty where there was none."""
    texts = [_text(item.message) for item in caught if "version" in str(item.message)]
    return texts[0][:200] if texts else ""


def _text(error):
    """A message in one line that is the same on every machine."""
    text = str(error)
    for place in PLACES:
        text = text.replace(place, "...")
    text = re.sub("\x1b\\[[0-9;]*m", "", text)
    text = re.sub("at 0x[0-9a-f]+|0x[0-9a-f]{9,}", "at 0x...", text)  # but for checksums
    text = re.sub(r"\[\d\d:\d\d:\d\d\]", "[...]", text)
    return " ".join(text.split())[:SIZE]


def plain(value):
    """An answer as numbers, texts and lists."""
    if hasattr(value, "toarray"):
        value = value.toarray()
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        value = [[key, value[key]] for key in value]
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if isinstance(value, (bool, int, float, str, type(None))) else _text(value)


if __name__ == "__main__":
    with open(sys.argv[1], "w") as result:

        def tell(line):
            """Write a line that stays whatever comes."""
            result.write(json.dumps(line) + "\n")
            result.flush()

        tell(main(json.load(sys.stdin), tell))
