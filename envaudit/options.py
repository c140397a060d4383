"""The parameters of the commands: their flags, their help and their choices, as ``cli.py`` annotates its functions."""

from typing import Annotated, Final

from envaudit.argv import Argument, Option
from envaudit.model import LOADERS

_TARGET: Final = "A path (venv, lockfile, snapshot, image archive, ...), an image, or KIND://REFERENCE."

# What to look at
Target = Annotated[str | None, Argument("TARGET", f"{_TARGET} Default: this environment.")]
Train = Annotated[str, Argument("TRAIN", f"What training used. {_TARGET}")]
Serve = Annotated[str, Argument("SERVE", f"What serving has. {_TARGET}")]
In = Annotated[str | None, Option(("--in",), f"Say what will happen to them there. {_TARGET}", "TARGET")]
Python = Annotated[
    str | None, Option(("--python",), "The interpreter inside of the target, instead of the one that is found.", "PATH")
]
TrainPython = Annotated[
    str | None, Option(("--train-python",), "The same as --python, for TRAIN (--python is for SERVE).", "PATH")
]
Timeout = Annotated[float, Option(("--timeout",), "Seconds until a live target counts as hanging.", "SECONDS")]
Pull = Annotated[bool, Option(("--pull",), "Pull the image if the local engine does not have it.")]
Static = Annotated[
    bool, Option(("--static",), "Read the local engine's image without running it (always so where it cannot run).")
]
Platform = Annotated[
    str | None,
    Option(("--platform",), "Of an image that is there for several platforms: this one.", "OS/ARCH[/VARIANT]"),
]
Pip = Annotated[bool, Option(("--pip",), "Also ask pip in a local environment and note where it disagrees.")]

# Model files
Models = Annotated[tuple[str, ...], Argument("MODEL...", "Model files: pickle, joblib, torch, npy, npz.")]
Served = Annotated[
    tuple[str, ...],
    Option(("--model",), "A model file to be served: is it hit? May be given several times.", "FILE"),
]
Kept = Annotated[
    tuple[str, ...],
    Option(("--model",), "A model file whose digest and needs are to be kept. May be given several times.", "FILE"),
]
Loader = Annotated[
    str | None,
    Option(
        ("--loader",),
        "The call that will read the files, where the file does not tell: pickle.load, joblib.load, ...",
        "CALL",
        LOADERS,
    ),
]
Find = Annotated[
    str | None,
    Option(("--find",), "With --in: which releases of this package would load and predict them?", "PACKAGE"),
]

Carrier = Annotated[str, Argument("MODEL", "A model file, or an MLflow model folder.")]
Embedded = Annotated[
    str | None,
    Argument("SNAPSHOT", "A snapshot file of training, or the place to look at. Default: this environment."),
]
EmbeddedSample = Annotated[
    str | None,
    Option(
        ("--sample",),
        "A few rows of input (.npy, .csv or .json) that ride along with the answers of training: the model is really "
        "loaded there, in a sandbox, unless SNAPSHOT is a file that holds them.",
        "FILE",
    ),
]
Remove = Annotated[bool, Option(("--remove",), "Restore the model as it was, byte for byte.")]
Sidecar = Annotated[bool, Option(("--sidecar",), "Leave the model alone and write MODEL.envaudit.json beside it.")]
Shown = Annotated[str, Argument("FILE", "A snapshot, a model that carries one, or an MLflow model folder.")]
VerifiedIn = Annotated[
    str | None, Option(("--in",), f"Whether it may be loaded there. {_TARGET} Default: this environment.", "TARGET")
]

# Really running them
Run = Annotated[bool, Option(("--run",), "Also really load the files in TARGET, in a sandbox.")]
Import = Annotated[
    bool,
    Option(("--import",), "Also import what the files name in TARGET, in a sandbox; the files are not loaded."),
]
Sample = Annotated[
    str | None, Option(("--sample",), "With --run: input to call them on (.npy, .csv or .json).", "FILE")
]
RecordedSample = Annotated[
    str | None,
    Option(
        ("--sample",),
        "Really load the models in TARGET, in a sandbox, call them on this input (.npy, .csv or .json), and keep their "
        "answers.",
        "FILE",
    ),
]
Expect = Annotated[
    str | None,
    Option(
        ("--expect",),
        "With --run: the answers of training to it (.json or .npy), or the snapshot that recorded them.",
        "FILE",
    ),
]
Unsafe = Annotated[
    bool, Option(("--unsafe",), "With --run, --import: do it where there is no sandbox; it can then do what you can.")
]
RecordedUnsafe = Annotated[
    bool, Option(("--unsafe",), "With --sample: run where there is no sandbox; the file can then do what you can.")
]

# The result
Output = Annotated[
    str | None, Option(("-o", "--output"), "Write to FILE (whole or not at all) instead of standard output.", "FILE")
]
Format = Annotated[str, Option(("--format",), "How to report: text or json.", "FORMAT", ("text", "json"))]
Severity = Annotated[
    str,
    Option(
        ("--fail-on",),
        "Exit 1 from this severity on: error, warning, note or never.",
        "SEVERITY",
        ("error", "warning", "note", "never"),
    ),
]
Question = Annotated[
    str,
    Option(
        ("--fail-on",),
        "Exit 1 if a file will not: load; load and predict; load, predict and answer the same; or never.",
        "ANSWER",
        ("load", "predict", "same", "never"),
    ),
]
AllSeen = Annotated[bool, Option(("--strict",), "Exit 2 if any part was not seen.")]
AllJudged = Annotated[bool, Option(("--strict",), "Exit 2 if a part was not seen, so that a rule could not judge.")]
AllAnswered = Annotated[bool, Option(("--strict",), "Exit 2 if an answer is unknown.")]
Drift = Annotated[bool, Option(("--drift",), "List every difference that no rule judges.")]
Verbose = Annotated[bool, Option(("-v", "--verbose"), "List every name that a file asks for.")]
Code = Annotated[str, Argument("CODE", "The code of a rule, EA201.")]
