"""Hostile HTTP: what no client library sends."""

from __future__ import annotations

from tests.bentos.bodies import FINE
from tests.bentos.hostile import (
    BATCH,
    CUT,
    GOOD,
    JSON,
    KEY,
    MARK,
    METHOD,
    NOT_HTTP,
    NOTHING,
    STRANGER,
    Hostile,
    get,
    head,
    post,
)

START = (f"POST {BATCH} HTTP/1.1", "host: s", *JSON, f"x-api-key: {KEY}")
SIZE = len(FINE)
SECOND = get("/card-of-another")
CHUNKED = "transfer-encoding: chunked"
TOO_LARGE = (431, None)
SLOW = (408, "body-too-slow")

WEBSOCKET = (
    "connection: upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-key: YWFhYWFhYWFhYWFhYWFhYQ==",
)
HTTP_2 = ("connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AA")


def framed(*headers: str, body: str = FINE) -> bytes:
    """A request whose headers say, in some odd way, where its body ends."""
    return head(*START, *headers) + body.encode()


#: Requests that two servers in a row could take for two different ones, or for another number of them.
SMUGGLED = {
    "length and chunks": framed(f"content-length: {SIZE}", CHUNKED),
    "chunks and length": framed(CHUNKED, f"content-length: {SIZE}"),
    "two lengths": framed(f"content-length: {SIZE}", f"content-length: {SIZE - 1}"),
    "two lengths in one": framed(f"content-length: {SIZE}, {SIZE - 1}"),
    "same length twice": framed(f"content-length: {SIZE}", f"content-length: {SIZE}"),
    "negative length": framed("content-length: -1"),
    "length with a plus": framed(f"content-length: +{SIZE}"),
    "length in hexadecimal": framed(f"content-length: 0x{SIZE:x}"),
    "length of 40 digits": framed("content-length: " + "9" * 40),
    "empty length": framed("content-length: "),
    "chunks that are none": framed(CHUNKED),
    "size of a chunk overflows": framed(CHUNKED, body=f"{'F' * 17}\r\n{FINE}"),
    "negative size of a chunk": framed(CHUNKED, body=f"-1\r\n{FINE}"),
    "chunk longer than its size": framed(CHUNKED, body=f"{SIZE - 5:x}\r\n{FINE}\r\n0\r\n\r\n"),
    "coding after the chunks": framed("transfer-encoding: chunked, identity"),
    "unknown coding": framed(f"transfer-encoding: {MARK}"),
    "chunks twice": framed("transfer-encoding: chunked, chunked"),
    "blank before the colon": framed("transfer-encoding : chunked"),
    "folded header": framed("transfer-encoding:\r\n chunked"),
    "line end within a header": framed("x-a: b\rtransfer-encoding: chunked"),
    "NUL within a header": framed("x-a: \0"),
    "NUL within a name": framed("x\0a: b"),
    "header without a colon": framed(MARK),
    "header without a name": framed(": b"),
    "blank in a name": framed("x a: b"),
    "line feeds alone": framed(f"content-length: {SIZE}").replace(b"\r\n", b"\n"),
}

#: First bytes that are no request.
NOISE = {
    "TLS": bytes.fromhex("16030100c5010000c10303") + b"\0" * 190,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": head("GET / HTTP/9.9", "host: s"),
    "HTTP/1.10": head("GET / HTTP/1.10", "host: s"),
    "version of letters": head("GET / HTTP/x.y", "host: s"),
    "zeros": b"\0" * 1000,
    "an answer": head("HTTP/1.1 200 OK", "content-length: 0"),
    "unknown method": head(f"{MARK} / HTTP/1.1", "host: s"),
    "method in lower case": head("get / HTTP/1.1", "host: s"),
    "no method": head(" / HTTP/1.1", "host: s"),
    "two addresses": head("GET / / HTTP/1.1", "host: s"),
    "no address": head("GET  HTTP/1.1", "host: s"),
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "Postgres": b"\0\0\0\x08\x04\xd2\x16\x2f",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
}

TARGETS = {
    "outside of the pages": "/docs/../../../etc/passwd",
    "outside of the pages, escaped": "/docs/%2e%2e/%2e%2e/etc/passwd",
    "outside of the pages, escaped twice": "/docs/%252e%252e/etc/passwd",
    "outside of the pages, other slashes": "/docs/..\\..\\etc\\passwd",
    "module beside the pages": "/pages/../keys.py",
    "NUL": "/docs%00",
    "line end": f"/docs%0d%0ax-forged:%20{MARK}",
    "not UTF-8": "/docs/%ff%fe",
    "half an escape": "/docs%2",
    "slash twice": "//docs",
    "slash at the end": "/docs/",
    "other case": "/DOCS",
    "parameter": "/docs;a=b",
    "long": "/" + "a" * 30_000,
    "server's own": "/static_content/index.html",
    "task": "/predict/status",
    "template": "/{{7*7}}",
}

WIRES: dict[str, Hostile] = {
    **{f"smuggled: {name}": Hostile(sent + SECOND, NOT_HTTP) for name, sent in SMUGGLED.items()},
    **{f"noise: {name}": Hostile(sent, NOT_HTTP, ended=True) for name, sent in NOISE.items()},
    **{f"target: {name}": Hostile(get(target), NOTHING) for name, target in TARGETS.items()},
    "target: bytes beyond ASCII": Hostile(head("GET /\xff\xfe HTTP/1.1", "host: s"), NOT_HTTP),
    "target: fragment": Hostile(get("/livez#/metrics"), GOOD),
    "target: absolute": Hostile(get("http://elsewhere.test/livez"), GOOD),
    "target: absolute, with a name and a password": Hostile(get(f"http://{MARK}:{MARK}@elsewhere.test/metrics"), GOOD),
    "target: another scheme": Hostile(get("file:///etc/passwd"), NOT_HTTP),
    "target: of 100 KB": Hostile(get("/" + "a" * 100_000), TOO_LARGE),
    "target: of 1 MB": Hostile(get("/" + "a" * 1_000_000), TOO_LARGE),
    "target: star": Hostile(get("*", "OPTIONS"), NOTHING),
    "target: tunnel": Hostile(head("CONNECT elsewhere.test:443 HTTP/1.1", "host: s"), NOT_HTTP),
    "method: TRACE": Hostile(get(BATCH, "TRACE"), METHOD),
    "method: OPTIONS": Hostile(get(BATCH, "OPTIONS", "origin: https://elsewhere.test"), METHOD),
    "method: PATCH": Hostile(get("/predict/file", "PATCH"), METHOD),
    "method: PROPFIND": Hostile(get("/", "PROPFIND"), METHOD),
    "method: DELETE": Hostile(get("/api/v1/feedback", "DELETE"), METHOD),
    "method: of another's address": Hostile(get("/livez", "DELETE"), METHOD),
    "method: overruled": Hostile(get(BATCH, "GET", "x-http-method-override: POST"), METHOD),
    "headers: one of 100 KB": Hostile(get("/", "GET", "x-a: " + "a" * 100_000), TOO_LARGE),
    "headers: one of 1 MB": Hostile(get("/", "GET", "x-a: " + "a" * 1_000_000), TOO_LARGE),
    "headers: 1,000": Hostile(get("/livez", "GET", *(f"x-{n}: a" for n in range(1000))), GOOD),
    "headers: 20,000": Hostile(get("/livez", "GET", *(f"x-{n}: a" for n in range(20_000))), TOO_LARGE),
    "headers: the same 1,000 times": Hostile(get("/livez", "GET", *["x-request-id: a"] * 1000), GOOD),
    "headers: no host": Hostile(head("GET /livez HTTP/1.1"), GOOD),
    "headers: two hosts": Hostile(get("/livez", "GET", "host: elsewhere.test"), GOOD),
    "headers: bytes beyond ASCII": Hostile(get("/livez", "GET", "x-request-id: \xff\x80"), GOOD),
    "headers: other address behind a proxy": Hostile(
        head("GET /metrics HTTP/1.1", "host: s", "x-original-url: /livez", "x-rewrite-url: /livez"), STRANGER
    ),
    "id: escape sequence": Hostile(post(FINE, headers=(*JSON, f"x-request-id: \x1b[2J{MARK}")), NOT_HTTP),
    "id: tab": Hostile(post(FINE, headers=(*JSON, f"x-request-id: a\t{MARK}")), GOOD),
    "id: long": Hostile(post(FINE, headers=(*JSON, "x-request-id: " + MARK * 1000)), GOOD),
    "id: template": Hostile(post(FINE, headers=(*JSON, f"x-request-id: %s{{0}}${{jndi:ldap://{MARK}}}")), GOOD),
    "id: SQL": Hostile(post(FINE, headers=(*JSON, f"x-request-id: '; DROP TABLE serving.answers; -- {MARK}")), GOOD),
    "id: of a side": Hostile(post(FINE, headers=(*JSON, f"x-sluice-key: \x1b]0;{MARK}")), NOT_HTTP),
    "expects: to go on": Hostile(framed("expect: 100-continue", f"content-length: {SIZE}"), GOOD),
    "expects: something else": Hostile(framed(f"expect: {MARK}", f"content-length: {SIZE}"), GOOD),
    "chunks: with words": Hostile(framed(CHUNKED, body=f"{SIZE:x};{MARK}={MARK}\r\n{FINE}\r\n0\r\n\r\n"), GOOD),
    "chunks: with trailers": Hostile(
        framed(CHUNKED, body=f"{SIZE:x}\r\n{FINE}\r\n0\r\ncontent-type: text/plain\r\nx-api-key: {MARK}\r\n\r\n"), GOOD
    ),
    "chunks: of one byte": Hostile(
        framed(CHUNKED, body="".join(f"1\r\n{letter}\r\n" for letter in FINE) + "0\r\n\r\n"), GOOD
    ),
    "body: cut off": Hostile(framed(f"content-length: {SIZE + 1}"), CUT, ended=True),
    "body: cut off within a chunk": Hostile(framed(CHUNKED, body=f"{SIZE + 1:x}\r\n{FINE}"), CUT, ended=True),
    "body: never comes": Hostile(framed(f"content-length: {SIZE}", body=""), SLOW),
    "body: stops": Hostile(framed(f"content-length: {SIZE + 2}"), SLOW),
    "body: of a GET": Hostile(get("/livez", "GET", f"content-length: {SIZE}") + FINE.encode(), GOOD),
    "upgrade: websocket": Hostile(get(BATCH, "GET", *WEBSOCKET), METHOD),
    "upgrade: websocket, without a key": Hostile(get("/livez", "GET", *WEBSOCKET[:2]), GOOD),
    "upgrade: HTTP/2": Hostile(get("/livez", "GET", *HTTP_2), GOOD),
    "upgrade: HTTP/2, with a body": Hostile(framed(f"content-length: {SIZE}", *HTTP_2), GOOD),
    "upgrade: HTTP/2, with a body in chunks": Hostile(
        framed(CHUNKED, *HTTP_2, body=f"{SIZE:x}\r\n{FINE}\r\n0\r\n\r\n"), GOOD
    ),
    "upgrade: length and chunks": Hostile(framed(f"content-length: {SIZE}", CHUNKED, *HTTP_2) + SECOND, NOT_HTTP),
    "upgrade: a request for a body": Hostile(
        head("POST /nothing HTTP/1.1", "host: s", *HTTP_2, f"content-length: {len(SECOND)}") + SECOND, NOTHING
    ),
    "pipeline: after a refusal": Hostile(get("/nothing") + get("/livez") * 50, NOTHING),
}
