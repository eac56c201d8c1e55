"""A hub that speaks as much of Hugging Face's HTTP protocol as its client needs to publish, and to read back."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

KEY = "hf_only-for-tests"
#: Endings of what the hub wants to be sent as large files, as its `.gitattributes` say.
LARGE = (".onnx", ".parquet")


@dataclass
class Commit:
    """A commit, by its message and the files after it."""

    message: str
    files: dict[str, bytes]

    @property
    def oid(self) -> str:
        """Names its content."""
        content = json.dumps([self.message, {path: _sha256(data) for path, data in sorted(self.files.items())}])
        return hashlib.sha1(content.encode()).hexdigest()  # noqa: S324  as git does


@dataclass
class Repository:
    """A repository: its commits, oldest first, and its tags."""

    about: dict[str, Any]
    commits: list[Commit]
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, revision: str) -> Commit | None:
        """What a branch, a tag or an oid names."""
        wanted = self.tags.get(revision, revision)
        return next((c for c in reversed(self.commits) if wanted in ("main", c.oid)), None)


@dataclass
class Hub:
    """What the hub holds.

    Attributes:
        url: Where it answers.
        repositories: By kind and name, for example `models/acme/line`.
        objects: Large files by their sha256.
        silence: While it is clear, nothing is answered.
    """

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    silence: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running() -> Iterator[Hub]:
    """A hub on a port of its own."""
    hub = Hub()
    hub.silence.set()

    class Bound(_Handler):
        held = hub

    with ThreadingHTTPServer(("127.0.0.1", 0), Bound) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield hub
        hub.silence.set()
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    held: Hub
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.held.silence.wait()
        address = urlsplit(self.path)
        if self.headers.get("Authorization") != f"Bearer {KEY}" and not address.path.startswith("/objects/"):
            self._say(401, {"error": "Invalid credentials in Authorization header"})
            return
        for pattern, method in ROUTES:
            found = re.fullmatch(pattern, address.path)
            if found:
                parts = {name: unquote(value) for name, value in found.groupdict().items() if value}
                method(self, body, parse_qs(address.query), **parts)
                return
        self._say(404, {"error": f"{self.command} {self.path}"})

    do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815  the names are http.server's

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _say(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def create(self, body: bytes, _: Any) -> None:
        """Make a repository with a first commit, as the hub does."""
        asked = json.loads(body)
        name = f"{asked.get('type', 'model')}s/{asked['organization']}/{asked['name']}"
        url = f"{self.held.url}/{name.removeprefix('models/')}"
        known = name in self.held.repositories
        if not known:
            attributes = "".join(f"*{ending} filter=lfs\n" for ending in LARGE)
            first = Commit("initial commit", {".gitattributes": attributes.encode()})
            self.held.repositories[name] = Repository(asked, [first])
        self._say(409 if known else 200, {"url": url, "error": "You already created this repository"})

    def validate(self, body: bytes, _: Any) -> None:
        """Refuse a card without front matter, or one of a Space without what a Space needs."""
        asked = json.loads(body)
        about = yaml.safe_load(asked["content"].split("---")[1]) or {}
        missing = [name for name in ("title", "sdk") if asked["repoType"] == "space" and name not in about]
        self._say(400 if missing else 200, {"errors": [{"message": f"{name} is required"} for name in missing]})

    def info(self, _: bytes, __: Any, kind: str, name: str, revision: str = "main") -> None:
        """What a revision is, and the names of its files."""
        commit = self._commit(kind, name, revision)
        if commit:
            files = [{"rfilename": path} for path in sorted(commit.files)]
            self._say(200, {"id": name, "sha": commit.oid, "siblings": files, "private": True})

    def tree(self, _: bytes, __: Any, kind: str, name: str, revision: str) -> None:
        """Every file of a revision."""
        commit = self._commit(kind, name, revision)
        if commit:
            files = [
                {"type": "file", "path": path, "size": len(data), "oid": _git(data)}
                for path, data in sorted(commit.files.items())
            ]
            self._say(200, files)

    def preupload(self, body: bytes, _: Any, kind: str, name: str, revision: str) -> None:
        """How each file is to be sent, and what of it is there already."""
        commit = self._commit(kind, name, revision)
        if commit:
            told = []
            for asked in json.loads(body)["files"]:
                path = asked["path"]
                mode = "lfs" if path.endswith(LARGE) else "regular"
                there = commit.files.get(path)
                oid = None if there is None else _sha256(there) if mode == "lfs" else _git(there)
                told.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
            self._say(200, {"files": told})

    def batch(self, body: bytes, _: Any, **__: str) -> None:
        """Where each large file goes; nowhere where it is known."""
        told = []
        for asked in json.loads(body)["objects"]:
            href = f"{self.held.url}/objects/{asked['oid']}"
            actions = {} if asked["oid"] in self.held.objects else {"actions": {"upload": {"href": href}}}
            told.append({**asked, **actions})
        self._say(200, {"transfer": "basic", "objects": told})

    def store(self, body: bytes, _: Any, oid: str) -> None:
        """Take a large file, if it is the one that was announced."""
        if _sha256(body) != oid:
            self._say(400, {"error": "another content was announced"})
            return
        self.held.objects[oid] = body
        self._say(200, {})

    def commit(self, body: bytes, _: Any, kind: str, name: str, revision: str) -> None:
        """Add a commit."""
        before = self._commit(kind, name, revision)
        if before is None:
            return
        files, message = dict(before.files), ""
        for line in body.splitlines():
            told = json.loads(line)
            value = told["value"]
            if told["key"] == "header":
                message = value["summary"]
            elif told["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif told["key"] == "lfsFile":
                files[value["path"]] = self.held.objects[value["oid"]]
            elif told["key"] == "deletedFile":
                del files[value["path"]]
        made = Commit(message, files)
        self.held.repositories[f"{kind}/{name}"].commits.append(made)
        url = f"{self.held.url}/{name}/commit/{made.oid}"
        self._say(200, {"success": True, "commitUrl": url, "commitOid": made.oid})

    def tag(self, body: bytes, _: Any, kind: str, name: str, revision: str) -> None:
        """Name a revision, once."""
        commit, wanted = self._commit(kind, name, revision), json.loads(body)["tag"]
        if commit:
            tags = self.held.repositories[f"{kind}/{name}"].tags
            known = wanted in tags
            tags.setdefault(wanted, commit.oid)
            self._say(409 if known else 200, {"error": "Tag reference exists already"})

    def resolve(self, _: bytes, __: Any, name: str, revision: str, path: str, kind: str = "models") -> None:
        """A file of a revision."""
        commit = self._commit(kind, name, revision)
        if commit and path in commit.files:
            data = commit.files[path]
            etag = _sha256(data) if path.endswith(LARGE) else _git(data)
            self._say(200, data, {"ETag": f'"{etag}"', "X-Repo-Commit": commit.oid})

    def _commit(self, kind: str, name: str, revision: str) -> Commit | None:
        repository = self.held.repositories.get(f"{kind}/{name}")
        commit = repository.commit(revision) if repository else None
        if commit is None:
            self._say(404, {"error": f"{name} has no {revision}"}, {"X-Error-Code": "RepoNotFound"})
        return commit


_NAMED = r"/api/(?P<kind>models|spaces)/(?P<name>[^/]+/[^/]+)"
ROUTES: tuple[tuple[str, Any], ...] = (
    ("/api/repos/create", _Handler.create),
    ("/api/validate-yaml", _Handler.validate),
    (_NAMED, _Handler.info),
    (rf"{_NAMED}/revision/(?P<revision>[^/]+)", _Handler.info),
    (rf"{_NAMED}/tree/(?P<revision>[^/]+)", _Handler.tree),
    (rf"{_NAMED}/preupload/(?P<revision>[^/]+)", _Handler.preupload),
    (rf"{_NAMED}/commit/(?P<revision>[^/]+)", _Handler.commit),
    (rf"{_NAMED}/tag/(?P<revision>[^/]+)", _Handler.tag),
    (r"/(?:spaces/)?[^/]+/[^/]+\.git/info/lfs/objects/batch", _Handler.batch),
    (r"/objects/(?P<oid>[0-9a-f]{64})", _Handler.store),
    (
        r"/(?:(?P<kind>spaces)/)?(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)",
        _Handler.resolve,
    ),
)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _git(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324  as git does
