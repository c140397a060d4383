"""The inspector: the one script that runs inside a live target and serves a request for evidence.

It is sent to ``python -`` on standard input with one call of ``_main`` appended, or called in process through
``serve``. Rules of this file, each held by a test: standard library only; it parses on Python 2.7 (to refuse it
politely) and runs on 3.6 to 3.14; it writes nothing into the target; whatever the target prints at start-up, the reply
stays readable, because it stands between two random tokens.

Request and reply are JSON; their keys are documented in docs/evidence.md.
"""

import sys

REFUSED = 79  # exit status for "this Python is too old"; paired with the marker, since either alone can collide
MARKER = "envaudit-inspector-refuses"

if sys.version_info < (3, 6):
    sys.stderr.write("%s Python %d.%d.%d\n" % ((MARKER,) + tuple(sys.version_info[:3])))
    sys.exit(REFUSED)

# Only the standard library may answer the imports below: not a json.py in the working directory ('' or PYTHONPATH),
# nor one in site-packages. os is already loaded by the interpreter itself.
import os

_stdlib = os.path.dirname(os.__file__)
STDLIB = [
    entry
    for entry in sys.path
    if entry in (_stdlib, _stdlib + "/lib-dynload")
    or os.path.basename(entry) == "lib_pypy"
    or (os.path.basename(entry).startswith("python") and entry.endswith(".zip"))
]


def standard(name):
    """Import a module of the standard library and of nothing else."""
    path = list(sys.path)
    sys.path[:] = STDLIB
    try:
        return __import__(name)
    finally:
        sys.path[:] = path


_imp = standard("_imp")
binascii = standard("binascii")
functools = standard("functools")
json = standard("json")

INSTALLER_NOTES = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json")
RECORD_CAP = 32 * 1024 * 1024  # bytes; torch's is about one megabyte
LISTED = 20  # modified and missing files named per RECORD
PACKED_CAP = 24 * 1024 * 1024  # bytes of packed contents in one reply; what is over is listed and left out
SLACK = 2.0  # seconds by which a file may be younger than its RECORD without being hashed


def interpreter(path):
    """The interpreter's own answers."""
    flags = sys.flags
    uname = os.uname()
    abiflags = getattr(sys, "abiflags", "")
    suffixes = _imp.extension_suffixes()
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, ValueError, OSError):
        libc = None
    return {
        "version": sys.version.split()[0].rstrip("+"),
        "implementation": sys.implementation.name,
        "implementation_version": ".".join(str(part) for part in sys.implementation.version[:3]),
        "cache_tag": sys.implementation.cache_tag,
        "extension_suffix": suffixes[0] if suffixes else None,
        "abiflags": abiflags,
        "free_threaded": "t" in abiflags,
        "debug": hasattr(sys, "gettotalrefcount"),
        "pointer_bits": 64 if sys.maxsize > 2**32 else 32,
        "byteorder": sys.byteorder,
        "build": " ".join(sys.version.split("[")[-1].rstrip("]").split()) if "[" in sys.version else "",
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": getattr(sys, "base_prefix", sys.prefix),
        "path": path,
        "builtin_modules": sorted(sys.builtin_module_names),
        "flags": {
            "optimize": flags.optimize,
            "no_user_site": flags.no_user_site,
            "ignore_environment": flags.ignore_environment,
            "hash_randomization": flags.hash_randomization,
            "utf8_mode": getattr(flags, "utf8_mode", 0),
        },
        "os_name": os.name,
        "sys_platform": sys.platform,
        "sysname": uname[0],
        "release": uname[2],
        "kernel_version": uname[3],
        "machine": uname[4],
        "libc": libc,
        "filesystem_encoding": sys.getfilesystemencoding(),
    }


@functools.lru_cache(maxsize=1024)  # a process that looks twice parses once
def recorded(data, own):
    """What a RECORD says of the build, and ``(name, expected, size)`` of each file to be looked at on disk."""
    apart = ("../", "/", '"../', '"/') + tuple(own + name + "," for name in INSTALLER_NOTES)
    lines = data.decode("utf-8", "replace").splitlines()
    kept = [line for line in lines if line[-1:].isdigit() and ".pyc," not in line and not line.startswith(apart)]
    files = []
    for line in kept:
        # Only code is looked at on disk, and no tests: the rest cannot change what a model answers.
        if (".py," in line or ".so," in line or line[0] == '"') and "/tests/" not in line:
            name, expected, size = line.rsplit(",", 2) if line.count(",") > 1 else (line, "", "")
            files.append((name[1:-1].replace('""', '"') if name[:1] == '"' else name, expected, size))
    text = "\n".join(sorted(kept)).encode("utf-8", "replace")
    return {"digest": standard("hashlib").sha256(text).hexdigest(), "files": len(kept)}, files


def unblocked(path, flags):
    """Open without waiting, so that a pipe in a file's place cannot hang the inspector."""
    return os.open(path, flags | os.O_NONBLOCK)


class Machine(object):
    """The files of this machine. What stands for another place's has the same functions and raises the same errors.

    Not ``whole``: no more of a file is read than the request asks for.
    """

    def __init__(self):
        self.listdir, self.walk, self.stat = os.listdir, os.walk, os.stat
        self.lexists, self.isfile = os.path.lexists, os.path.isfile

    def open(self, path, whole=True):
        return open(path, "rb", opener=unblocked)

    def ahead(self, paths, whole=True):
        """Told which files are about to be opened."""


class Gatherer(object):
    """Serves one request; remembers directory listings and the places that could not be read."""

    def __init__(self, path, prefix, place=None):
        self.sites = [entry for entry in dict.fromkeys(path) if entry and os.path.isabs(entry)]
        self.prefix = prefix
        self.place = place or Machine()
        self.listings = {}
        self.errors = {}

    def gather(self, request):
        """The parts of a reply that files alone tell."""
        files, records, wanted = {}, {}, {}
        for pattern, cap, headers, binary in request.get("files", ()):
            for path in self.expand(pattern):
                wanted.setdefault(path, (cap, headers, binary))
        self.place.ahead(wanted, whole=False)
        for path, how in wanted.items():
            content = self.file(path, *how)
            if content is not None:
                files[path] = content
        for pattern in request.get("records", ()):
            for path in self.expand(pattern):
                if path not in records:
                    content = self.record(path)
                    if content is not None:
                        records[path] = content
        names = (path for pattern in request.get("names", ()) for path in self.expand(pattern))
        return {"files": files, "records": records, "names": sorted(set(filter(self.place.lexists, names)))}

    def listing(self, folder):
        if folder not in self.listings:
            try:
                names = sorted(self.place.listdir(folder or "/"))
            except OSError as error:
                names = []
                if isinstance(error, NotADirectoryError) and folder in self.sites:
                    self.errors[folder] = "an archive on sys.path is not read"
                elif not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                    self.errors[folder] = error.strerror or str(error)
            self.listings[folder] = names
        return self.listings[folder]

    def matching(self, folder, part):
        names = self.listing(folder)
        head, star, tail = part.partition("*")
        if star and not set(head + tail) & set("*?["):  # most are: no need for fnmatch and its regexes
            long = [name for name in names if len(name) >= len(head) + len(tail)]
            return [name for name in long if name.startswith(head) and name.endswith(tail)]
        return standard("fnmatch").filter(names, part)

    def expand(self, pattern):
        """Paths that match a pattern, in the order of sys.path and then by name."""
        if pattern.startswith("{site}"):
            roots = self.sites
        elif pattern.startswith("{prefix}"):
            roots = [self.prefix]
        else:
            roots = [""]
        parts = [part for part in pattern.split("/") if part]
        if roots != [""]:
            parts = parts[1:]
        for root in roots:
            found = [root.rstrip("/")]
            for part in parts:
                if "*" in part or "?" in part or "[" in part:
                    found = [folder + "/" + name for folder in found for name in self.matching(folder, part)]
                else:
                    found = [folder + "/" + part for folder in found]
            for path in found:
                yield path

    def file(self, path, cap, headers, binary):
        """One file as [text or base64, truncated], {"error": why}, or None where there is none."""
        try:
            with self.place.open(path, whole=False) as stream:
                if headers:
                    data = stream.read(min(cap, 65536))
                    while b"\n\n" not in data and b"\r\n\r\n" not in data and len(data) < cap:
                        more = stream.read(65536)
                        if not more:
                            break
                        data += more
                    data = data.split(b"\n\n", 1)[0].split(b"\r\n\r\n", 1)[0]
                    truncated = False
                else:
                    data = stream.read(cap + 1)
                    truncated = len(data) > cap
                    data = data[:cap]
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            return {"error": error.strerror or str(error)}
        if binary:
            return [binascii.b2a_base64(data).decode("ascii").strip(), truncated]
        return [data.decode("utf-8", "replace"), truncated]

    def record(self, path):
        """Digest a RECORD over what belongs to the build, and check the files beside it against it.

        Left out of the digest is what the installer writes and what differs from place to place: lines without
        a hash, scripts outside of the site directory (their first line names the interpreter), bytecode (numpy 1.26
        ships some, pip compiles it anew) and the installer's own notes. A file is hashed only where its size differs
        or it is younger than RECORD.
        """
        try:
            with self.place.open(path, whole=False) as stream:
                data = stream.read(RECORD_CAP + 1)
            if len(data) > RECORD_CAP:
                return {"error": "longer than %d bytes" % RECORD_CAP}
            written = self.place.stat(path).st_mtime + SLACK
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return {"error": error.strerror or str(error)}
        folder = os.path.dirname(path)
        site = os.path.dirname(folder) + "/"
        kept, code = recorded(data, os.path.basename(folder) + "/")
        stat, modified, missing, doubtful = self.place.stat, [], [], []
        for name, expected, size in code:
            try:
                found = stat(site + name)
            except (OSError, ValueError):
                missing.append(name)
                continue
            if size != str(found.st_size):
                modified.append(name)
            elif found.st_mtime > written:
                doubtful.append((name, expected))
        self.place.ahead([site + name for name, _ in doubtful])
        modified += [name for name, expected in doubtful if not self.matches(site + name, expected)]
        return dict(kept, modified=sorted(modified)[:LISTED], missing=sorted(missing)[:LISTED])

    def matches(self, path, expected):
        """Whether a file has the hash that RECORD gives it (``algorithm=urlsafe-base64 without padding``)."""
        algorithm, _, value = expected.partition("=")
        try:
            digest = standard("hashlib").new(algorithm)
            with self.place.open(path) as stream:
                for block in iter(lambda: stream.read(1 << 20), b""):
                    digest.update(block)
        except (OSError, ValueError):
            return True  # not seen to be wrong
        found = binascii.b2a_base64(digest.digest()).decode("ascii").strip()
        return found.replace("+", "-").replace("/", "_").rstrip("=") == value.rstrip("=")

    def folders(self, requests):
        """What lies in folders, and the contents of some of their files, one after the other in a compressed stream."""
        listings, files, packed, room = [], [], [], PACKED_CAP
        try:
            packer = standard("zlib").compressobj(1) if requests else None
        except ImportError:
            return {"error": "this Python was built without zlib"}
        for number, (path, endings, deep, skip) in enumerate(requests):
            wanted = [(path, "")] if self.place.isfile(path) else []
            for place, inner, names in self.place.walk(path):
                inside = place[len(path) + 1 :]
                listings.append([number, inside, sorted(inner + names)])
                inner[:] = [name for name in inner if name not in skip] if deep else []
                ending = (name for name in sorted(names) if name.endswith(tuple(endings)))
                wanted += [(place + "/" + name, (inside + "/" + name).lstrip("/")) for name in ending]
            self.place.ahead([place for place, _ in wanted])
            for place, inside in wanted:
                if room > 0:
                    try:
                        with self.place.open(place) as stream:
                            data = stream.read(RECORD_CAP)
                    except OSError:
                        continue
                    packed.append(packer.compress(data))
                    room -= len(packed[-1])
                    files.append([number, inside, len(data)])
        data = b"".join(packed) + (packer.flush() if packer else b"")
        return {"listings": listings, "files": files, "data": binascii.b2a_base64(data).decode("ascii").strip()}

    def command(self, arguments, timeout):
        """Run a fixed argument list; None where the program is not on PATH."""
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            program = os.path.join(folder or ".", arguments[0])
            if os.path.isfile(program) and os.access(program, os.X_OK):
                break
        else:
            return None
        subprocess = standard("subprocess")
        try:
            done = subprocess.run(
                [program] + list(arguments[1:]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            return [None, "", "no answer within %g seconds" % timeout]
        except OSError as error:
            return [None, "", error.strerror or str(error)]
        return [done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")]


def started_with(name):
    """Whether this process was started with a variable, as far as Linux tells."""
    try:
        with open("/proc/self/environ", "rb") as stream:
            return any(item.startswith(name.encode() + b"=") for item in stream.read().split(b"\0"))
    except OSError:
        return True


def environ(names, of_init, errors):
    """The allowed variables; in a container those that its entry point exported to process 1 count as well."""
    found = {name: os.environ[name] for name in names if name in os.environ}
    if "LC_CTYPE" in found and not started_with("LC_CTYPE"):
        del found["LC_CTYPE"]  # Python sets it itself where the locale is C (PEP 538)
    if of_init:
        try:
            with open("/proc/1/environ", "rb") as stream:
                data = stream.read()
        except OSError as error:
            errors["/proc/1/environ"] = error.strerror or str(error)
            return found
        for item in data.split(b"\0"):
            name, _, value = item.decode("utf-8", "replace").partition("=")
            if name in names:
                found[name] = value
    return found


def serve(request, path=None):
    """Answer one request (see docs/evidence.md) and return the reply as JSON-plain values."""
    if path is None:
        path = [entry for entry in sys.path if entry]
    gatherer = Gatherer(path, sys.prefix)
    commands, hanging = [], set()
    for arguments in request.get("commands", ()):
        if arguments[0] not in hanging:  # a program that did not answer once is not asked again
            output = gatherer.command(arguments, request.get("command_timeout", 10))
            if output is not None:
                commands.append([list(arguments), output])
                if output[0] is None:
                    hanging.add(arguments[0])
    return dict(
        gatherer.gather(request),
        interpreter=interpreter(path),
        folders=gatherer.folders(request.get("folders") or ()),
        commands=commands,
        environ=environ(set(request.get("environ", ())), request.get("environ_of_init", False), gatherer.errors),
        errors=sorted(gatherer.errors.items()),
    )


def _main(request, token):
    """Entry point of the script form: the request as base64 of JSON, the token that frames the reply."""
    if sys.path and sys.path[0] == "":
        del sys.path[0]
    try:
        reply = serve(json.loads(binascii.a2b_base64(request).decode("utf-8")))
    except Exception as error:
        reply = {"error": "%s: %s" % (type(error).__name__, error)}
    data = ("\n" + token + "\n" + json.dumps(reply) + "\n" + token + "\n").encode("ascii")
    sys.stdout.flush()
    while data:
        data = data[os.write(1, data) :]
