"""The command line: the only file that prints, reads argv and chooses exit codes.

Exit codes: 0 clean, 1 a finding as grave as ``--fail-on`` or a model file that will not work, 2 envaudit could not do
the work (or, with ``--strict``, a part was not seen), 130 interrupted.
"""

import os
import sys
from collections.abc import Callable
from typing import Any, Final

from envaudit import options
from envaudit.argv import parse
from envaudit.model import Comparison

OK: Final = 0
DIFFERENT: Final = 1
FAILED: Final = 2
INTERRUPTED: Final = 130


def snapshot(
    target: options.Target = None,
    output: options.Output = None,
    model: options.Kept = (),
    sample: options.RecordedSample = None,
    loader: options.Loader = None,
    unsafe: options.RecordedUnsafe = False,
    python: options.Python = None,
    timeout: options.Timeout = 60.0,
    pull: options.Pull = False,
    static: options.Static = False,
    platform: options.Platform = None,
    pip: options.Pip = False,
    strict: options.AllSeen = False,
) -> int:
    """Write down what an environment consists of, as JSON; with --model and --sample also what models answer in it."""
    from envaudit import api, store
    from envaudit.evidence import Options
    from envaudit.reports import by_reason, counted, of_artifact

    if output is not None and output != "-":
        store.check_writable(output)
    settings = Options(python, timeout, pull, pip, _progress(), static, platform)
    taken = api.snapshot_with(target, settings, list(model), sample, loader, unsafe=unsafe)
    _clear()
    if output is None or output == "-":
        _print(store.dumps(taken))
    else:
        store.write(taken, output)
        _say(f"wrote {output}: {counted(taken)}")
        for artifact in taken.artifacts:
            _say(of_artifact(artifact))
        environment = taken.target.environment
        if environment is not None and environment.others:
            _say(f"looked at {environment.prefix}; also there, not looked at: {', '.join(environment.others)}")
        for reason, gaps in by_reason(taken.gaps).items():
            _say(f"not seen: {', '.join(gaps)}: {reason}")
    return FAILED if strict and taken.gaps else OK


def compare(
    train: options.Train,
    serve: options.Serve,
    format: options.Format = "text",  # noqa: A002
    fail_on: options.Severity = "error",
    strict: options.AllJudged = False,
    drift: options.Drift = False,
    python: options.Python = None,
    train_python: options.TrainPython = None,
    timeout: options.Timeout = 60.0,
    pull: options.Pull = False,
    static: options.Static = False,
    platform: options.Platform = None,
    model: options.Served = (),
    loader: options.Loader = None,
) -> int:
    """Say whether SERVE satisfies what TRAIN used: what will break, why, and the command that mends it."""
    from envaudit.audit import audit
    from envaudit.evidence import Options

    progress = _progress()
    at_home = Options(train_python, timeout, pull, False, progress, static, platform)
    there = Options(python, timeout, pull, False, progress, static, platform)
    result = audit(train, serve, model, loader=loader, at_home=at_home, there=there)
    return _judged(result, format, fail_on, strict=strict, drift=drift)


def _judged(result: Comparison, form: str, fail_on: str, *, strict: bool, drift: bool) -> int:
    """Print a comparison; the exit code."""
    from envaudit import registry
    from envaudit.reports import Report, View, all_seen, failed

    _clear()
    limit: Any = None if fail_on == "never" else fail_on
    report: Report = registry.module("reports", f"as_{form}").REPORT
    _print(report.render(result, View(limit, _colored(), drift)))
    if failed(result, limit):
        return DIFFERENT
    return FAILED if strict and not all_seen(result) else OK


def probe(
    models: options.Models,
    target: options.In = None,
    loader: options.Loader = None,
    find: options.Find = None,
    format: options.Format = "text",  # noqa: A002
    fail_on: options.Question = "same",
    strict: options.AllAnswered = False,
    verbose: options.Verbose = False,
    imports: options.Import = False,
    run: options.Run = False,
    sample: options.Sample = None,
    expect: options.Expect = None,
    unsafe: options.Unsafe = False,
    python: options.Python = None,
    timeout: options.Timeout = 60.0,
    pull: options.Pull = False,
    static: options.Static = False,
    platform: options.Platform = None,
) -> int:
    """Say what model files need, without loading them; and with --in, whether they will load, predict and answer the
    same there."""
    from envaudit import probing, registry, running
    from envaudit.evidence import Options
    from envaudit.model import QUESTIONS
    from envaudit.reports import Report, View, refused, unsure

    settings = Options(python, timeout, pull, False, _progress(), static, platform)
    correct = running.importer(target, settings, imports=imports, run=run, find=find, unsafe=unsafe)
    execute = running.executor(target, settings, list(models), sample, expect, run=run, unsafe=unsafe and not imports)
    result = probing.probe(models, target, loader=loader, correct=correct, execute=execute, options=settings, find=find)
    _clear()
    questions = QUESTIONS[: ("never", *QUESTIONS).index(fail_on)]
    report: Report = registry.module("reports", f"as_{format}").REPORT
    _print(report.probe(result, View(None, _colored(), questions=questions, verbose=verbose)))
    for item in result.files:
        if item.error is not None and format != "text":  # the report tells them on the same terminal
            _say(f"error: {item.error}")
    if any(item.error is not None for item in result.files):
        return FAILED
    if any(refused(verdict, questions) for verdict in result.verdicts):
        return DIFFERENT
    return FAILED if strict and any(unsure(verdict, questions or QUESTIONS) for verdict in result.verdicts) else OK


def embed(
    model: options.Carrier,
    train: options.Embedded = None,
    sample: options.EmbeddedSample = None,
    loader: options.Loader = None,
    remove: options.Remove = False,
    sidecar: options.Sidecar = False,
    unsafe: options.RecordedUnsafe = False,
    python: options.Python = None,
    timeout: options.Timeout = 60.0,
) -> int:
    """Put the snapshot of training into a model file, which stays loadable as before; or take it out again."""
    from envaudit import embedding
    from envaudit.errors import UsageError

    if remove:
        if train or sample or loader or sidecar or unsafe or python:
            raise UsageError("what is removed needs no snapshot and no options (--remove MODEL)")
        where = embedding.remove(model)
        _say(f"{model}: carried no snapshot" if where is None else f"{model}: removed the snapshot {where}")
        return OK
    from envaudit import carrying
    from envaudit.evidence import Options
    from envaudit.reports import counted
    from envaudit.take import HERE

    settings = Options(python, timeout, progress=_progress())
    record, where = carrying.embed(
        model, train or HERE, settings, sample=sample, loader=loader, sidecar=sidecar, unsafe=unsafe
    )
    _clear()
    _say(f"{model}: carries a snapshot {where}: {counted(record.snapshot)}")
    if record.sample is not None:
        _say(f"{model}: and {record.sample.file}, with what it answered to it")
    return OK


def show(file: options.Shown, format: options.Format = "text") -> int:  # noqa: A002
    """Print what a snapshot holds, or what a model carries: where it was taken, what was there, what was not seen."""
    from envaudit import registry, showing
    from envaudit.reports import Report, View

    report: Report = registry.module("reports", f"as_{format}").REPORT
    _print(report.show(showing.shown(file), View(None, _colored())))
    return OK


def verify(
    model: options.Carrier,
    target: options.VerifiedIn = None,
    format: options.Format = "text",  # noqa: A002
    fail_on: options.Severity = "error",
    strict: options.AllJudged = False,
    drift: options.Drift = False,
    loader: options.Loader = None,
    run: options.Run = False,
    unsafe: options.Unsafe = False,
    python: options.Python = None,
    timeout: options.Timeout = 60.0,
    pull: options.Pull = False,
    static: options.Static = False,
    platform: options.Platform = None,
) -> int:
    """Say, before it is loaded, whether a model fits this environment: by the snapshot of training that it carries."""
    from envaudit import running
    from envaudit.audit import audit
    from envaudit.evidence import Options
    from envaudit.take import HERE

    place = target or HERE
    there = Options(python, timeout, pull, False, _progress(), static, platform)
    execute = running.executor(place, there, [model], None, None, run=run, unsafe=unsafe)
    result = audit(f"model://{model}", place, loader=loader, there=there, execute=execute)
    return _judged(result, format, fail_on, strict=strict, drift=drift)


def explain(code: options.Code) -> int:
    """Print the page of a rule: what it compares, why it breaks, how to fix it, what it cannot see."""
    from envaudit.explain import page

    _print(page(code) + "\n")
    return OK


COMMANDS: Final[dict[str, Callable[..., int]]] = {
    "snapshot": snapshot,
    "compare": compare,
    "probe": probe,
    "embed": embed,
    "show": show,
    "verify": verify,
    "explain": explain,
}


def main(arguments: list[str]) -> int:
    """Run one call and return its exit code."""
    from envaudit.errors import EnvauditError

    if not arguments:
        _run_typer(["--help"])
        return FAILED
    try:
        command = COMMANDS.get(arguments[0])
        if command is not None and "_ENVAUDIT_COMPLETE" not in os.environ:
            values = parse(command, arguments[1:])
            if values is not None:
                return command(**values)
        return _run_typer(arguments)
    except EnvauditError as error:
        _clear()
        _say(f"error: {error}")
        return FAILED
    except KeyboardInterrupt:
        _clear()
        _say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # typer's help, and nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        # Exit code 1 would tell CI that the environments differ; a fault of envaudit must not.
        if "ENVAUDIT_TRACEBACK" in os.environ:
            raise
        _clear()
        where = f"{type(error).__name__}: {error}"
        _say(f"error: a fault of envaudit itself: {where} (ENVAUDIT_TRACEBACK=1 shows where; please report it)")
        return FAILED


def _run_typer(arguments: list[str]) -> int:
    """Help, completion and every mistake in the call: typer, built from the same annotations."""
    from envaudit.typer_app import typer_app

    app = typer_app(COMMANDS)
    try:
        return int(app(arguments, prog_name="envaudit", standalone_mode=False) or OK)
    except Exception as error:
        # typer vendors click from 0.26 on, so that its exceptions are known only by what they can do.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        text = " ".join(str(message()).split())
        if text:
            context = getattr(error, "ctx", None)
            path = getattr(context, "command_path", "envaudit")
            _say(f"error: {text} ({path} --help tells more)")
        return FAILED


def _print(text: str) -> None:
    """The report, to standard output. A reader that stops reading (``| head``) is no error."""
    from envaudit.errors import UsageError

    if sys.stdout is None:
        raise UsageError("standard output is closed")
    try:
        # Unbuffered (PYTHONUNBUFFERED), a write may take only a part and say so; the text layer would lose the rest.
        sys.stdout.flush()
        data = memoryview(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
        while data:
            data = data[sys.stdout.buffer.write(data) :]
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise UsageError(f"standard output cannot be written: {error.strerror or error}") from None


def _say(line: str) -> None:
    from envaudit.reports import plain

    print(f"envaudit: {plain(line)}", file=sys.stderr)


def _colored() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _progress() -> Callable[[str], None]:
    """Shows what is being waited for, on a terminal only. From here on a termination cleans up as Ctrl-C does."""
    import signal

    def terminate(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, terminate)
    if not sys.stderr.isatty():
        return lambda message: None
    from envaudit.reports import plain

    return lambda message: print(f"\r\033[K{plain(message)} ...", end="", file=sys.stderr, flush=True)


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
