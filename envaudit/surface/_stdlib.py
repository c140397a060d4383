"""The top-level modules of the standard library by Python version, for targets whose own folder is not at hand.

Source: ``sys.stdlib_module_names`` of CPython 3.10 to 3.13, and for 3.6 to 3.9 the files in the library folders of
CPython 3.6.15, 3.7.16, 3.8.18 and 3.9.18 on Linux with ``sys.builtin_module_names``; 3.14 from CPython's
Python/stdlib_module_names.h. Modules of other systems (``winreg``) and of the test suite are left out. Submodules are
not listed: that ``xml.etree`` exists is taken from ``xml``.
"""

from __future__ import annotations

from functools import cache
from typing import Final

Version = tuple[int, int]

_FIRST: Final[Version] = (3, 6)
_IN_FIRST: Final = """
__future__ _ast _asyncio _bisect _blake2 _bootlocale _bz2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp
_codecs_kr _codecs_tw _collections _collections_abc _compat_pickle _compression _crypt _csv _ctypes _curses
_curses_panel _datetime _dbm _decimal _dummy_thread _elementtree _frozen_importlib _frozen_importlib_external
_functools _gdbm _hashlib _heapq _imp _io _json _locale _lsprof _lzma _markupbase _md5 _multibytecodec
_multiprocessing _opcode _operator _osx_support _pickle _posixsubprocess _pydecimal _pyio _random _sha1 _sha256 _sha3
_sha512 _signal _sitebuiltins _socket _sqlite3 _sre _ssl _stat _string _strptime _struct _symtable _thread
_threading_local _tkinter _tracemalloc _warnings _weakref _weakrefset abc aifc antigravity argparse array ast asynchat
asyncio asyncore atexit audioop base64 bdb binascii binhex bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath
cmd code codecs codeop collections colorsys compileall concurrent configparser contextlib copy copyreg crypt csv
ctypes curses datetime dbm decimal difflib dis distutils doctest dummy_threading email encodings ensurepip enum errno
faulthandler fcntl filecmp fileinput fnmatch formatter fractions ftplib functools gc genericpath getopt getpass
gettext glob grp gzip hashlib heapq hmac html http idlelib imaplib imghdr imp importlib inspect io ipaddress itertools
json keyword lib2to3 linecache locale logging lzma macpath macurl2path mailbox mailcap marshal math mimetypes mmap
modulefinder multiprocessing netrc nis nntplib ntpath nturl2path numbers opcode operator optparse os ossaudiodev
parser pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty
pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib resource rlcompleter runpy
sched secrets select selectors shelve shlex shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3
sre_compile sre_constants sre_parse ssl stat statistics string stringprep struct subprocess sunau symbol symtable sys
sysconfig syslog tabnanny tarfile telnetlib tempfile termios textwrap this threading time timeit tkinter token
tokenize trace traceback tracemalloc tty turtle turtledemo types typing unicodedata unittest urllib uu uuid venv
warnings wave weakref webbrowser wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib
"""

_ADDED: Final[dict[Version, str]] = {
    (3, 7): "_abc _contextvars _py_abc _queue _uuid contextvars dataclasses",
    (3, 8): "_posixshmem _statistics _xxsubinterpreters",
    (3, 9): "_aix_support _peg_parser _zoneinfo graphlib zoneinfo",
    (3, 11): "_tokenize _typing tomllib",
    (3, 12): "_pydatetime _pylong _sha2 _xxinterpchannels",
    (3, 13): (
        "_android_support _colorize _interpchannels _interpqueues _interpreters _ios_support _opcode_metadata "
        "_pyrepl _suggestions _sysconfig"
    ),
    (3, 14): "_hmac annotationlib",
}

_REMOVED: Final[dict[Version, str]] = {
    (3, 7): "macurl2path",
    (3, 8): "macpath",
    (3, 9): "_dummy_thread dummy_threading",
    (3, 10): "_bootlocale _peg_parser formatter parser symbol",
    (3, 11): "binhex",
    (3, 12): "_sha256 _sha512 asynchat asyncore distutils imp smtpd",
    (3, 13): (
        "_crypt _xxinterpchannels _xxsubinterpreters aifc audioop cgi cgitb chunk crypt imghdr lib2to3 "
        "mailcap nis nntplib ossaudiodev pipes sndhdr spwd sunau telnetlib uu xdrlib"
    ),
}

_BUILTIN: Final = """
_ast _codecs _collections _frozen_importlib _frozen_importlib_external _functools _imp _io _locale _operator _signal
_sre _stat _string _symtable _thread _tracemalloc _warnings _weakref atexit builtins errno faulthandler gc itertools
marshal posix pwd sys time
"""
"""Linked into every CPython; distributions link in more (Debian: ``zlib``, ``_datetime``, ...)."""

_BUILTIN_SINCE: Final[dict[Version, str]] = {
    (3, 7): "_abc", (3, 11): "_tokenize", (3, 12): "_typing", (3, 13): "_suggestions _sysconfig"
}  # fmt: skip

_COMPILED: Final = """
_asyncio _bisect _blake2 _bz2 _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _contextvars
_crypt _csv _ctypes _curses _curses_panel _datetime _decimal _elementtree _hashlib _heapq _interpchannels
_interpqueues _interpreters _json _lsprof _lzma _md5 _multibytecodec _multiprocessing _opcode _pickle _posixshmem
_posixsubprocess _queue _random _sha1 _sha2 _sha256 _sha3 _sha512 _socket _sqlite3 _ssl _statistics _struct _tkinter
_typing _uuid _xxinterpchannels _xxsubinterpreters _zoneinfo array audioop binascii cmath fcntl grp math mmap nis
ossaudiodev parser pyexpat readline resource select spwd syslog termios unicodedata zlib
"""
"""Compiled modules that are files in one build (lib-dynload) and linked into the interpreter in another."""


@cache
def standard(python: Version) -> frozenset[str]:
    """The names of all top-level modules; for a Python newer than the table those of the newest one in it."""
    names = set(_IN_FIRST.split())
    for version in sorted({*_ADDED, *_REMOVED}):
        if version <= python:
            names |= set(_ADDED.get(version, "").split())
            names -= set(_REMOVED.get(version, "").split())
    return frozenset(names)


@cache
def builtin(python: Version) -> frozenset[str]:
    """The names of modules without a file in every CPython of that version."""
    names = set(_BUILTIN.split())
    for version, more in _BUILTIN_SINCE.items():
        if version <= python:
            names |= set(more.split())
    return frozenset(names)


@cache
def compiled() -> frozenset[str]:
    """The names of modules that may be linked into an interpreter or not."""
    return frozenset(_COMPILED.split())
