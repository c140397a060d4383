"""The runner: the one script that really loads a model file, in the target and inside of a sandbox.

It is sent to ``python -B -`` on standard input with one call of ``_main`` appended; envaudit itself never imports it.
Rules of this file, each held by a test: standard library only (the loader is the target's own, imported by name), it
runs on Python 3.6 and newer, and the reply stands between two random tokens. The work is done in a forked child, so
that a crash, a time-out or an out-of-memory kill is something to report and not the end of the report. It may be other
work than to load a file: finder.py, sent behind this one, looks up names.

Request and reply are JSON; their keys are documented in docs/run.md.
"""
# ruff: noqa: PERF203, SIM105, UP006, UP035, UP045
# (it has to run on Python 3.6; and no exception of a model may end the report)

import sys

if sys.path and sys.path[0] == "":  # the working directory must not answer the imports below
    del sys.path[0]

import binascii
import io
import json
import os
import select
import signal
import time
from contextlib import suppress
from typing import Any, Callable, Dict, List, Optional

METHODS = ("predict", "predict_proba", "decision_function", "transform")
NAMES = ("feature_names_in_", "feature_name_", "feature_names_", "feature_names", "_df_columns")
CELLS = 200000  # numbers of one answer that are told; the rows beyond are cut
TOLD_CAP = 64 * 1024 * 1024  # bytes that the child may tell
TAIL = 16384  # bytes of its standard error that are kept
LISTED = 20  # warnings and stack frames that are told
TEXT_CAP = 4000  # characters of one message
BLOCK = 65536


def described(error: Any) -> Any:
    """An exception as Python would print it, and where in the target's files it was raised; else what repr says."""
    import traceback

    if not isinstance(error, BaseException):
        return repr(error)
    try:
        lines = traceback.format_exception_only(type(error), error)
    except BaseException:
        lines = [type(error).__name__]
    frames = []
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename != "<stdin>":  # this script
            frames.append(f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line or ''}")
    return {
        "type": type(error).__name__,
        "text": "".join(lines).strip()[:TEXT_CAP],
        "memory": isinstance(error, MemoryError),
        "frames": [frame[:TEXT_CAP] for frame in frames[-LISTED:]],
    }


def loader_of(name: str) -> Callable[[str], Any]:
    """The target's own loading function, to be called with a path."""
    import importlib

    module, _, function = name.partition("(")[0].rpartition(".")
    load = getattr(importlib.import_module(module), function)
    if name == "pickle.load":

        def load_stream(path: str) -> Any:
            with open(path, "rb") as stream:
                return load(stream)

        return load_stream
    if module == "torch" or module == "torch.jit":
        told = {"weights_only": False} if name.endswith("(weights_only=False)") else {}

        def load_tensors(path: str) -> Any:
            return load(path, map_location="cpu", **told)  # a sandbox has no GPU

        return load_tensors
    if name == "numpy.load":

        def load_arrays(path: str) -> Any:
            found = load(path, allow_pickle=True)
            return dict(found) if hasattr(found, "files") else found  # an .npz reads its members only when asked

        return load_arrays
    return load  # type: ignore[no-any-return]


def names_of(model: Any) -> List[Any]:
    """The names of the columns that a model was fitted with, as far as it tells; libraries differ in the attribute."""
    candidates = [model, getattr(model, "best_estimator_", None)]
    for outer in list(candidates):
        steps = getattr(outer, "steps", None)
        if isinstance(steps, list) and steps:
            candidates.append(steps[0][-1])
    for candidate in candidates:
        for attribute in NAMES:
            with suppress(Exception):
                found = getattr(candidate, attribute)
                return [] if found is None or callable(found) else list(found)
    return []


def module(name: str) -> Any:
    """A module of the target, or None where it is not there."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def shaped(sample: Dict[str, Any], form: Optional[str], model: Any) -> Any:
    """The sample in the form that the model takes, and the name of that form: ``frame``, ``array`` or ``list``."""
    if sample["kind"] == "npy":
        import importlib

        data = io.BytesIO(binascii.a2b_base64(sample["data"]))
        return importlib.import_module("numpy").load(data, allow_pickle=False), "array"
    if sample["kind"] == "list":
        return sample["rows"], "list"
    columns, rows = sample["columns"], sample["rows"]
    texts = any(isinstance(cell, str) for row in rows for cell in row)
    if form is None:
        form = "frame" if columns and (texts or set(names_of(model)) & set(columns)) else "array"
    pandas = module("pandas") if form == "frame" else None
    if pandas is not None:
        return pandas.DataFrame(rows, columns=columns), "frame"
    numpy = module("numpy")
    if numpy is None:
        return rows, "list"
    return numpy.array(rows, dtype=object if texts else None), "array"


def plain(value: Any) -> Any:
    """An answer as nested lists, and whether rows had to be cut."""
    if isinstance(value, (list, tuple)) and value and hasattr(value[0], "shape"):  # one array per output
        parts = [plain(part) for part in value]
        return [part for part, _ in parts], any(cut for _, cut in parts)
    if hasattr(value, "detach"):  # torch
        value = value.detach().cpu().numpy()
    if hasattr(value, "to_numpy"):  # pandas
        value = value.to_numpy()
    shape = getattr(value, "shape", None)
    if shape is None:
        value = list(value)
        return value[:CELLS], len(value) > CELLS
    width = 1
    for length in shape[1:]:
        width *= int(length)
    rows = max(1, CELLS // max(1, width))
    cut = bool(shape) and int(shape[0]) > rows
    if cut:
        value = value[:rows]
    if hasattr(value, "toarray"):  # a sparse matrix
        value = value.toarray()
    return value.tolist(), cut


def callables(model: Any, wanted: Optional[List[str]]) -> List[Any]:
    """``(name, function)`` of what is to be called: the methods that are wanted, else those that are there."""
    kind = type(model)
    if kind.__name__ == "Booster" and kind.__module__.startswith("xgboost"):
        xgboost = sys.modules["xgboost"]
        return [("predict", lambda values: model.predict(xgboost.DMatrix(values)))]
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module) and not hasattr(model, "predict"):

        def forward(values: Any) -> Any:
            model.eval()
            with torch.no_grad():
                return model(torch.as_tensor(values, dtype=torch.float32))

        return [("forward", forward)]
    if wanted is None:
        wanted = [name for name in METHODS if hasattr(model, name)]
    # The method is looked up when it is called: that it is not there is an answer as well.
    return [(name, lambda values, name=name: getattr(model, name)(values)) for name in wanted]


Work = Callable[[Dict[str, Any], Callable[..., None]], None]  # of a request; tells each step


def work(request: Dict[str, Any], tell: Callable[..., None]) -> None:
    """Load the model and call it, telling each step before it is taken."""
    tell(phase="import")
    load = loader_of(request["loader"])
    tell(phase="load")
    model = load(request["model"])
    kind = type(model)
    tell(loaded=kind.__module__ + "." + kind.__name__ if kind.__module__ != "builtins" else kind.__name__)
    if request["sample"] is not None:
        tell(phase="sample")
        functions = callables(model, request["methods"])
        values, form = shaped(request["sample"], request["form"], model)
        tell(form=form)
        for name, function in functions:
            tell(phase="predict", method=name)
            try:
                answer = function(values)
            except Exception as error:
                tell(failed=name, exception=error)
                continue
            try:
                answer, cut = plain(answer)
                tell(answered=name, value=answer, cut=cut)
            except Exception as error:
                tell(answered=name, exception=error)
    tell(phase="done")


def limit(limits: Dict[str, int]) -> None:
    """Set the limits of this process; a limit that is already lower stays."""
    import resource

    for name, value in sorted(limits.items()):
        kind = getattr(resource, "RLIMIT_" + name, None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def child(request: Dict[str, Any], work: Work, told: int, said: int) -> None:
    """What runs in the forked child; never returns."""
    import faulthandler
    import importlib
    import types
    import warnings

    def tell(**message: Any) -> None:
        data = json.dumps(message, default=described).encode("ascii") + b"\n"
        while data:
            data = data[os.write(told, data) :]

    seen = {}  # type: Dict[str, bool]

    def show(text: Any, category: Any, filename: Any, line: Any, file: Any = None, source: Any = None) -> None:
        told_as = f"{category.__name__}: {text}"[:TEXT_CAP]
        if told_as not in seen and len(seen) < LISTED:
            seen[told_as] = True
            tell(warning=told_as)

    status = 70
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.dup2(said, 2)
        with suppress(OSError), open("/proc/self/oom_score_adj", "w") as stream:
            stream.write("1000")  # the kernel is to kill the model, not the report
        importlib.import_module("traceback")  # while there is memory
        faulthandler.enable(2)
        warnings.showwarning = show  # type: ignore[assignment]
        # The names of this script must not pass for those of the script that the model was trained in.
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        sys.modules["__main__"].__loader__ = getattr(main, "__loader__", None)
        sys.argv = [""]
        sys.path[:0] = request["path"]
        limit(request["limits"])
        if request["user"] is not None:
            os.setgroups([])
            os.setgid(request["user"])
            os.setuid(request["user"])
        try:
            work(request, tell)
        except BaseException as error:
            tell(exception=error)
        status = 0
    finally:
        os._exit(status)


def oom_kills() -> int:
    """How many processes the kernel has killed in this control group for want of memory (version 2, then 1)."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path) as stream:
                for line in stream:
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        except (OSError, ValueError):
            pass
    return 0


class Watch:
    """Watches the child from its start to its end: what it tells, what it prints, how it ends."""

    def __init__(self, request: Dict[str, Any], work: Work) -> None:
        self.streams = {}  # type: Dict[int, bytearray]
        self.deadline = time.monotonic() + request["seconds"]
        told, tell = os.pipe()
        said, say = os.pipe()
        self.child = os.fork()
        if not self.child:
            os.close(told)
            os.close(said)
            child(request, work, tell, say)
        os.close(tell)
        os.close(say)
        self.told, self.said = told, said
        self.streams = {told: bytearray(), said: bytearray()}

    def drain(self) -> bool:
        """Read what is there; whether there was anything."""
        anything = False
        for end in select.select(list(self.streams), [], [], 0.05)[0]:
            block = os.read(end, BLOCK)
            self.streams[end] += block
            anything = anything or bool(block)
        del self.streams[self.said][:-TAIL]
        return anything

    def end(self) -> Dict[str, Any]:
        """Wait for the end, make it where it does not come, and say which it was."""
        status = None
        while True:
            anything = self.drain()
            too_much = len(self.streams[self.told]) > TOLD_CAP
            late = time.monotonic() > self.deadline
            if status is None:
                pid, found = os.waitpid(self.child, os.WNOHANG)
                if pid:
                    status = found
            if status is not None and (late or too_much or not anything):
                break
            if status is None and (late or too_much):
                self.kill()
                os.waitpid(self.child, 0)
                return {"ended": "time-out" if late else "too-much", "code": 0}
            if not anything:
                time.sleep(0.005)  # both pipes may be closed: select returns at once then
        self.kill()  # what it has left behind
        if os.WIFSIGNALED(status):
            return {"ended": "signal", "code": os.WTERMSIG(status)}
        return {"ended": "exit", "code": os.WEXITSTATUS(status)}

    def kill(self) -> None:
        """End the child and its descendants, as far as they share its session's group."""
        for kill in (os.killpg, os.kill):
            with suppress(OSError):
                kill(self.child, signal.SIGKILL)


def serve(request: Dict[str, Any], work: Work) -> Dict[str, Any]:
    """Run one request (see docs/run.md) and return the reply as JSON-plain values."""
    try:
        size = None
        if request["model"] is not None:
            with open(request["model"], "rb") as stream:
                size = os.fstat(stream.fileno()).st_size
    except OSError as error:
        return {"unreadable": error.strerror or str(error)}
    if size != request["size"]:
        return {"unreadable": f"it is another file there ({size} bytes, not {request['size']})"}
    import resource

    limits = dict(request["limits"])
    limits["CPU"] = int(request["seconds"] * (os.cpu_count() or 1)) + 1
    request = dict(request, limits=limits)
    kills, started = oom_kills(), time.monotonic()
    watch = Watch(request, work)
    reply = watch.end()
    messages = []
    for line in bytes(watch.streams[watch.told]).split(b"\n"):
        try:
            messages.append(json.loads(line.decode("ascii")))
        except (ValueError, RecursionError):
            pass  # the end, a line that was cut, or what a model wrote there itself
    reply.update(
        messages=messages,
        stderr=bytes(watch.streams[watch.said]).decode("utf-8", "replace"),
        out_of_memory=oom_kills() > kills,
        peak=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        seconds=round(time.monotonic() - started, 3),
        python=".".join(str(part) for part in sys.version_info[:3]),
    )
    return reply


def _main(request: str, token: str, work: Work = work) -> None:
    """Entry point: the request as base64 of JSON, the token that frames the reply, and what the child is to do."""
    try:
        reply = serve(json.loads(binascii.a2b_base64(request).decode("utf-8")), work)
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    data = ("\n" + token + "\n" + json.dumps(reply) + "\n" + token + "\n").encode("ascii")
    sys.stdout.flush()
    while data:
        data = data[os.write(1, data) :]
