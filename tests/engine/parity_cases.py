"""Ways in which a Python comes into an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.collectors.test_recorded import case, evidence
from tests.engine.conftest import BASES

BOOKWORM, TRIXIE = BASES
RPM = evidence(case("rpm_sqlite")["input"]).files["/usr/lib/sysimage/rpm/rpmdb.sqlite"].data
APK = evidence(case("apk")["input"]).files["/lib/apk/db/installed"].text


class Case(NamedTuple):
    """A Dockerfile after its ``FROM``; ``pip`` is the base's, and reaches the index."""

    lines: str
    base: str = BOOKWORM
    files: Mapping[str, str | bytes] = {}
    differs: tuple[str, ...] = ()
    """Documented exceptions, as :func:`differences` spells them."""
    python: str = ""
    """The release of a pyenv Python that is to be there as ``python.tar``."""


BREAK = "--break-system-packages"
DIST = "/usr/local/lib/python3.11/dist-packages"
USER = "/root/.local/lib/python3.11/site-packages"
SETUP = "from setuptools import setup; setup(name='mine', version='1.0', packages=['mine'])"
PROJECT = {"setup.py": SETUP, "module.py": ""}
MINE = "COPY setup.py /app/setup.py\nCOPY module.py /app/mine/__init__.py\n"
VENV = (
    "RUN python3 -m venv --without-pip /opt/venv && pip --python /opt/venv/bin/python install six==1.15.0 idna==3.4\n"
)

CASES = {
    "nothing added": Case(""),
    "into the distribution": Case(f"RUN pip install {BREAK} six==1.15.0 MarkupSafe==2.1.3"),
    "into the distribution, trixie": Case(f"RUN pip install {BREAK} six==1.15.0 MarkupSafe==3.0.2", TRIXIE),
    "venv on PATH": Case(f"{VENV}ENV PATH=/opt/venv/bin:$PATH"),
    "venv by VIRTUAL_ENV alone": Case(f"{VENV}ENV VIRTUAL_ENV=/opt/venv"),
    "venv that sees the system's": Case(
        f"RUN pip install {BREAK} packaging==23.1 && python3 -m venv --without-pip --system-site-packages /opt/venv"
        " && pip --python /opt/venv/bin/python install six==1.15.0\nENV PATH=/opt/venv/bin:$PATH",
    ),
    "venv that sees the system's, trixie": Case(
        f"RUN pip install {BREAK} packaging==25.0 && python3 -m venv --without-pip --system-site-packages /opt/venv"
        " && pip --python /opt/venv/bin/python install six==1.15.0\nENV PATH=/opt/venv/bin:$PATH",
        TRIXIE,
    ),
    "venv of copies": Case(
        "RUN python3 -m venv --copies --without-pip /opt/venv"
        " && pip --python /opt/venv/bin/python install six==1.15.0\n"
        'CMD ["/opt/venv/bin/python3"]',
    ),
    "venv of a venv": Case(
        f'{VENV}RUN /opt/venv/bin/python -m venv --without-pip /srv/inner\nENTRYPOINT ["/srv/inner/bin/python"]',
    ),
    "virtualenv": Case(
        f"RUN pip install {BREAK} virtualenv==20.26.6"
        " && virtualenv /opt/venv && /opt/venv/bin/pip install six==1.15.0\n"
        'CMD ["/opt/venv/bin/python"]',
    ),
    "uv": Case(
        f"RUN pip install {BREAK} uv==0.8.0 && uv venv /app/.venv"
        " && uv pip install --native-tls -p /app/.venv six==1.15.0 MarkupSafe\nWORKDIR /app\n"
        "ENV PATH=/app/.venv/bin:$PATH",
    ),
    "user site": Case(
        f'RUN useradd -m app\nUSER app\nRUN pip install {BREAK} --user six==1.15.0\nCMD ["python3"]',
    ),
    "user site of root": Case(f"RUN pip install {BREAK} --user six==1.15.0"),
    "user site elsewhere": Case(
        f"ENV PYTHONUSERBASE=/srv/user\nRUN pip install {BREAK} --user six==1.15.0\nUSER 1234:1234",
    ),
    "user without a name": Case(
        "RUN pip install --no-deps -t /.local/lib/python3.11/site-packages six==1.15.0\nUSER 1234:1234",
    ),
    "root without a home": Case(
        "RUN pip install --no-deps -t /.local/lib/python3.11/site-packages six==1.15.0"
        " && pip install --no-deps -t /root/.local/lib/python3.11/site-packages idna==3.4 && rm /etc/passwd",
    ),
    "user whose home is named": Case(
        "RUN pip install --no-deps -t /srv/.local/lib/python3.11/site-packages six==1.15.0\nENV HOME=/srv\nUSER 1234",
    ),
    "user site of a user in a group": Case(
        f"RUN useradd -m -d /srv/home app\nUSER app:users\nRUN pip install {BREAK} --user six==1.15.0",
    ),
    "no user site": Case(f"RUN pip install {BREAK} --user six==1.15.0\nENV PYTHONNOUSERSITE=1"),
    "no user site, said by nothing": Case(f"RUN pip install {BREAK} --user six==1.15.0\nENV PYTHONNOUSERSITE="),
    "PYTHONPATH": Case(
        "RUN pip install -t /app/lib six==1.15.0 && pip install -t /srv/lib idna==3.4\nWORKDIR /app\n"
        "ENV PYTHONPATH=lib:/srv/lib:/nowhere",
    ),
    "PYTHONPATH with the working directory": Case(
        "WORKDIR /app\nRUN pip install -t /app six==1.15.0\nENV PYTHONPATH=:/srv/./lib/../lib",
    ),
    "PYTHONHOME": Case(
        "RUN mkdir -p /opt/home/lib && cp -a /usr/lib/python3.11 /opt/home/lib/ && pip install"
        " -t /opt/home/local/lib/python3.11/dist-packages six==1.15.0\nENV PYTHONHOME=/opt/home",
    ),
    "paths in .pth files": Case(
        "RUN pip install -t /srv/one six==1.15.0 && pip install -t /srv/two idna==3.4"
        " && pip install -t /srv/three attrs"
        f" && cd {DIST}"
        " && printf '/srv/one\\n# no path\\n\\n/nowhere\\n../../../../../srv/two\\n' > b.pth"
        " && printf '/srv/three' > .hidden.pth && printf '/srv/two\\n' > /srv/one/nested.pth"
        " && printf 'import os; os.environ.get(\"HOME\")\\n/srv/one\\n' > a.pth",
        differs=(f"gap only static: distribution {DIST}: a.pth runs code, which may change sys.path",),
    ),
    "a .pth file that adds by code": Case(
        f"RUN pip install -t /srv/one six==1.15.0 && pip install {BREAK} idna==3.4"
        f" && printf 'import sys; sys.path.append(\"/srv/one\")\\n' > {DIST}/a.pth",
        differs=(
            "distribution six: only live",
            f"gap only static: distribution {DIST}: a.pth runs code, which may change sys.path",
        ),
    ),
    "editable by a table of modules": Case(
        f"{MINE}RUN cd /app && pip install {BREAK} --no-build-isolation --config-settings editable_mode=strict -e .",
        files=PROJECT,
    ),
    "editable": Case(f"{MINE}RUN cd /app && pip install {BREAK} --no-build-isolation -e .", files=PROJECT),
    "editable by setup.py develop": Case(f"{MINE}RUN cd /app && python3 setup.py develop", files=PROJECT),
    "editable in a venv that sees the system's": Case(
        f"{MINE}RUN python3 -m venv --without-pip --system-site-packages /opt/venv"
        " && cd /app && /opt/venv/bin/python -m pip install --no-build-isolation -e .\n"
        'CMD ["/opt/venv/bin/python"]',
        files=PROJECT,
    ),
    "a program in a venv": Case(
        f"{VENV}RUN pip --python /opt/venv/bin/python install gunicorn==21.2.0\n"
        'ENTRYPOINT ["/opt/venv/bin/gunicorn"]\nCMD ["app:app"]',
    ),
    "a program in a venv, by a shell": Case(f"{VENV}CMD exec /opt/venv/bin/gunicorn app:app"),
    "a wrapper before python": Case(f'{VENV}ENTRYPOINT ["/usr/bin/tini", "--", "env", "A=b", "/opt/venv/bin/python"]'),
    "an entry point that does not tell": Case(f'{VENV}ENTRYPOINT ["/entrypoint.sh"]\nCMD ["python"]'),
    "several environments": Case(
        f"{VENV}RUN python3 -m venv --without-pip /venv && python3 -m venv --without-pip /srv/app/.venv"
        " && mkdir -p /opt/conda/envs/a/conda-meta /home/x && ln -s /venv /home/x/.venv\n"
        'WORKDIR /srv/app\nCMD ["/venv/bin/python"]',
    ),
    "settings": Case(
        "ENV OMP_NUM_THREADS=2 PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 PYTHONOPTIMIZE=1 LC_ALL=C.UTF-8"
        " CUDA_VISIBLE_DEVICES=0 NVIDIA_VISIBLE_DEVICES=all",
    ),
    "settings, none": Case("ENV PYTHONSAFEPATH=1 PYTHONUTF8=1"),
    "removed and replaced in layers above": Case(
        f"RUN pip install {BREAK} six==1.15.0 idna==3.4 attrs==23.1.0 packaging==23.1\n"
        f"RUN pip uninstall {BREAK} -y six\n"
        f"RUN pip install {BREAK} -U idna==3.6\nRUN rm -rf {DIST}/attr*\n"
        f"RUN rm -rf {DIST}/packaging && mkdir"
        f" {DIST}/packaging\n"
        "RUN cd /usr/local/lib/python3.11 && cp -a dist-packages x && rm -rf dist-packages && mv x dist-packages",
    ),
    "installed twice": Case(
        "RUN pip install --ignore-installed --break-system-packages setuptools==68.0.0 six==1.15.0"
        " && pip install -t /usr/lib/python3/dist-packages six==1.16.0",
    ),
    "site-packages behind links": Case(
        f"RUN pip install {BREAK} six==1.15.0 && mv {DIST} /srv/packages"
        f" && ln -s ../../../../srv/packages {DIST}"
        " && mv /usr/local/lib /srv/lib && ln -s /srv/lib /usr/local/lib && ln -s six-1.15.0.dist-info /srv/packages/x",
    ),
    "changed after it was installed": Case(
        f"RUN pip install {BREAK} six==1.15.0 idna==3.4 MarkupSafe==2.1.3 attrs==23.1.0\n"
        f"RUN cd {DIST} && sleep 3 && echo >> six.py && touch idna/core.py"
        " && sed -i 's/a/b/' idna/codec.py && rm attr/_make.py && touch -d 2030-01-01 markupsafe/*"
        " && touch -d 1970-01-02 attr*.dist-info/RECORD && ln -sf six.py idna/intranges.py",
    ),
    "metadata that is none": Case(
        f"RUN pip install {BREAK} six==1.15.0 idna==3.4 attrs==23.1.0 packaging==23.1 && cd {DIST}"
        " && rm six*/METADATA && mkdir six-1.15.0.dist-info/METADATA && mkfifo x && mv x idna-3.4.dist-info/METADATA"
        " && head -c 100000 /dev/zero > attrs-23.1.0.dist-info/METADATA && rm packaging-23.1.dist-info/RECORD"
        " && ln -s nowhere a.dist-info && ln -s b.dist-info b.dist-info && echo x > c.dist-info",
        differs=(  # the same gap in other words: a pipe is opened in a running system, and is empty
            f"gap only live: distribution idna: {DIST}/idna-3.4.dist-info/METADATA: names no version",
            f"gap only static: distribution idna: {DIST}/idna-3.4.dist-info/METADATA: a device or a pipe",
        ),
    ),
    "closed to the user": Case(
        f"RUN pip install {BREAK} six==1.15.0 idna==3.4 && chmod 700 {DIST}/six-1.15.0.dist-info\nUSER 1234",
        differs=(
            "distribution six: only static",
            f"gap only live: distribution six: {DIST}/six-1.15.0.dist-info/METADATA: Permission denied",
        ),
    ),
    "a zip on the path": Case(
        "RUN pip download --no-deps -d /srv six==1.15.0\nENV PYTHONPATH=/srv/six-1.15.0-py2.py3-none-any.whl",
    ),
    "an egg": Case(
        f"RUN cd {DIST} && mkdir -p mine-1.0-py3.11.egg/EGG-INFO"
        " && printf 'Metadata-Version: 1.0\\nName: mine\\nVersion: 1.0\\n' > mine-1.0-py3.11.egg/EGG-INFO/PKG-INFO"
        " && printf './mine-1.0-py3.11.egg\\n' > easy-install.pth",
    ),
    "sitecustomize": Case(
        f"RUN pip install -t /srv/one six==1.15.0 && pip install {BREAK} idna==3.4\n"
        "RUN echo 'import sys; sys.path.append(\"/srv/one\")' > /etc/python3.11/sitecustomize.py",
        differs=(
            "distribution six: only live",
            "gap only static: distribution /usr/lib/python3.11: its sitecustomize.py",
        ),
    ),
    "usercustomize": Case(
        f"RUN pip install -t /srv/one six==1.15.0 && pip install {BREAK} --user idna==3.4\n"
        f"RUN echo 'import site; site.addsitedir(\"/srv/one\")' > {USER}/usercustomize.py",
        differs=("distribution six: only live", f"gap only static: distribution {USER}: its usercustomize.py"),
    ),
    "as in the official images": Case(
        "ADD python.tar /usr/local/\nRUN ldconfig && python3 -m pip install six", python="3.12"
    ),
    "as in the official images, 3.8": Case(
        'ADD python.tar /usr/local/\nRUN ldconfig && python3 -m pip install six MarkupSafe\nCMD ["python3"]',
        python="3.8",
    ),
    "as in the official images, 3.6": Case("ADD python.tar /usr/local/\nRUN ldconfig", python="3.6"),
    "as in the official images, 3.13, user site": Case(
        "ADD python.tar /usr/local/\nRUN ldconfig && python3 -m pip install --user six MarkupSafe",
        TRIXIE,
        python="3.13",
    ),
    "an own Python behind links": Case(
        "ADD python.tar /opt/python-3.9/\nENV LD_LIBRARY_PATH=/opt/python/lib\nRUN ln -s python-3.9 /opt/python"
        " && ln -s /opt/python/bin/python3 /usr/local/bin/python && python -m pip install six\n"
        'CMD ["python", "app.py"]',
        python="3.9",
    ),
    "an own Python beside that of the distribution": Case(
        "ADD python.tar /opt/python/\nRUN echo /opt/python/lib > /etc/ld.so.conf.d/python.conf && ldconfig"
        ' && /opt/python/bin/python3 -m pip install six MarkupSafe\nENTRYPOINT ["/opt/python/bin/python3.12"]',
        python="3.12",
    ),
    "a copy beside two standard libraries": Case(
        "ADD python.tar /usr/local/\nRUN ldconfig && cp -a /usr/lib/python3.11/. /usr/local/lib/python3.11/"
        " && cp --remove-destination $(readlink -f /usr/local/bin/python3.9) /usr/local/bin/python3",
        python="3.9",
    ),
    "a venv of an own Python": Case(
        "ADD python.tar /opt/python/\nENV LD_LIBRARY_PATH=/opt/python/lib\n"
        "RUN /opt/python/bin/python3 -m venv /opt/venv"
        " && /opt/venv/bin/pip install six\nENV VIRTUAL_ENV=/opt/venv",
        python="3.13",
    ),
    "no database of packages": Case("RUN rm -rf /var/lib/dpkg"),
    "packages without a status file": Case(
        "RUN mkdir /var/lib/dpkg/status.d && mv /var/lib/dpkg/status /var/lib/dpkg/status.d/all",
    ),
    "half installed packages": Case("RUN dpkg --force-all -r passwd adduser && dpkg --force-all -P python3-wheel"),
    "os-release behind a link": Case(
        "RUN rm /etc/os-release && echo ID=other > /srv/r && ln -s /srv/r /etc/os-release"
    ),
    "without a shell, as distroless images are": Case(
        f"RUN pip install {BREAK} six==1.15.0 MarkupSafe==2.1.3 && mkdir -p /d/var/lib/dpkg/status.d"
        " && dpkg -s libc6 > /d/var/lib/dpkg/status.d/libc6 && dpkg -s zlib1g > /d/var/lib/dpkg/status.d/zlib1g"
        " && cp -a --parents /usr/bin/python3.11 /usr/lib/python3.11 /usr/lib/python3 /usr/local/lib/python3.11 /d"
        " && cp -a --parents /etc/os-release /usr/lib/os-release /usr/lib/$(uname -m)-linux-gnu /d && cp -a /lib /d"
        " && for lib in /lib64 /usr/lib64; do if test -e $lib; then cp -a --parents $lib /d; fi; done\n"
        'FROM scratch\nCOPY --from=0 /d/ /\nENTRYPOINT ["/usr/bin/python3.11", "/app/main.py"]',
    ),
    "as conda lays it out": Case(
        "ADD python.tar /opt/conda/\n"
        "ENV PATH=/opt/conda/bin:$PATH CONDA_PREFIX=/opt/conda LD_LIBRARY_PATH=/opt/conda/lib\n"
        "COPY record /opt/conda/conda-meta/six-1.15.0-pyhd3deb0d_0.json\n"
        "RUN python -m pip install six==1.15.0 MarkupSafe==2.1.3 && cd /opt/conda/conda-meta && touch history"
        " && cp six-1.15.0-pyhd3deb0d_0.json cuda-cudart-12.4.127-h99ab3db_0.json",
        files={"record": '{"build": "pyhd3deb0d_0", "channel": "https://conda.anaconda.org/conda-forge/noarch"}'},
        python="3.12",
    ),
    "packages of rpm": Case(
        "RUN rm -r /var/lib/dpkg\nCOPY rpmdb.sqlite /usr/lib/sysimage/rpm/rpmdb.sqlite\n"
        "RUN mkdir -p /var/lib && ln -s ../../usr/lib/sysimage/rpm /var/lib/rpm && echo ID=fedora > /etc/os-release",
        files={"rpmdb.sqlite": RPM},
    ),
    "packages of apk": Case(
        "RUN rm -r /var/lib/dpkg\nCOPY installed /lib/apk/db/installed\nRUN echo ID=alpine > /etc/os-release",
        files={"installed": APK},
    ),
}
