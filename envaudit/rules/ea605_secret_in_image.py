"""Serving's image carries in its environment what looks like a secret.

## What it compares

The names of the image's variables (`ENV`) that look like secrets: by their name, as Docker's own build check
SecretsUsedInArgOrEnv tells it (`DB_PASSWORD`, `API_KEY`, `HF_TOKEN`), or by the form of their value (a URL with a
password such as PIP_INDEX_URL, keys of AWS, GitHub and others, a private key). The values are read where the image
is, and neither stored nor shown. Variables that training's image has as well are left out. It is a note.

## Why it breaks

Whoever can pull the image reads it, in its configuration and its history. And a result depends on it: once the secret
is changed or expires, as it should, the same image cannot fetch its model, its features or its packages any more.

## Example

`ENV PIP_INDEX_URL=https://ci:…@pypi.example/simple` in the Dockerfile: a note.

## How to fix

Take it out of the Dockerfile and give it when the service starts: `docker run --env-file FILE`. What only the build
needs goes with `RUN --mount=type=secret,id=…,env=NAME`. Then revoke the secret: it stays in every copy of the image.

## What it cannot see

Secrets in files of the image, in arguments of its build, and under names and in forms that nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator

from envaudit.model import Finding, Snapshot, Unknown
from envaudit.rules import Rule
from envaudit.rules._helpers import listed
from envaudit.rules._images import config

REFERENCE = "https://docs.docker.com/reference/build-checks/secrets-used-in-arg-or-env/"


def check(train: Snapshot, serve: Snapshot) -> Iterator[Finding | Unknown]:
    """Look at what only serving's image holds."""
    ours = config(train).attributes.get("secrets", ())
    names = [name for name in config(serve).attributes.get("secrets", ()) if name not in ours]
    if names:
        secrets = "looks like a secret" if len(names) == 1 else "look like secrets"
        yield Finding(
            "note",
            "image environment",
            f"{listed(names)} in the image's environment {secrets}: whoever can pull the image can read that, and what "
            "needs it fails on the day that it is revoked.",
            f"Take {listed(names)} out of the Dockerfile, start with docker run --env-file FILE, revoke what was there",
            None,
            listed(names),
            REFERENCE,
            (("image", "config", "secrets"),),
        )


RULE = Rule(check)
