"""Hostile bodies, types and keys, in requests that are in order as far as HTTP goes."""

from __future__ import annotations

import gzip
import json

from tests.bentos.bundles import EXAMPLE
from tests.bentos.hostile import (
    BATCH,
    BODY_LIMIT,
    CONTRACT,
    CSV,
    FEEDBACK,
    FILE,
    FLAT,
    GOOD,
    HEADER,
    JSON,
    KEY,
    LARGE,
    MARK,
    NOT_CSV,
    NOT_JSON,
    OTHER_TYPE,
    STRANGER,
    Hostile,
    file,
    flat,
    income,
    label,
    post,
    row,
    rows,
)

FINE = f'{{"instances": [{row()}]}}'
FIRST = "instances[0]"
UUID = "01985c1e-7a2b-7c3d-9e4f-5a6b7c8d0000"
BOMB = gzip.compress(b" " * 50_000_000)
DEEP = 5_000


def at(name: str) -> str:
    """Where an input of the first instance stands."""
    return f"{FIRST}.{name}"


TEXTS = {
    "empty": b"",
    "cut off": b'{"instances": [',
    "trailing comma": b'{"instances": [],}',
    "not UTF-8": b'{"instances": "\xff"}',
    "overlong UTF-8": b'{"instances": "\xc0\xaf"}',
    "surrogate in UTF-8": b'{"instances": "\xed\xa0\x80"}',
    "UTF-16": FINE.encode("utf-16"),
    "UTF-16 without a mark": FINE.encode("utf-16-le"),
    "UTF-32": FINE.encode("utf-32"),
    "UTF-7": b"+AHs-",
    "byte order mark": b"\xef\xbb\xbf" + FINE.encode(),
    "lists without end": b"[" * DEEP,
    "lists in a value": FINE.replace("8.5", "[" * DEEP + "]" * DEEP).encode(),
    "objects in a value": FINE.replace("8.5", '{"a":' * DEEP + "1" + "}" * DEEP).encode(),
    "objects in an unknown name": (f'{{"{MARK}": ' + '{"a":' * DEEP + "1" + "}" * DEEP + "}").encode(),
    "number of 5,000 digits": FINE.replace("8.5", "9" * 5000).encode(),
    "hexadecimal number": FINE.replace("8.5", "0x10").encode(),
    "leading zero": FINE.replace("8.5", "08.5").encode(),
    "plus": FINE.replace("8.5", "+8.5").encode(),
    "no digit before the point": FINE.replace("8.5", ".5").encode(),
    "no digit after the point": FINE.replace("8.5", "8.").encode(),
    "underscores": FINE.replace("8.5", "1_0").encode(),
    "Arabic digits": FINE.replace("8.5", "\u0663").encode(),
    "single quotes": FINE.replace('"', "'").encode(),
    "comment": f"/* {MARK} */{FINE}".encode(),
    "two documents": f"{FINE}{FINE}".encode(),
    "NUL after the end": FINE.encode() + b"\0",
    "control character in a text": FINE.replace("NEAR BAY", "NEAR\x01BAY").encode(),
    "line end in a text": FINE.replace("NEAR BAY", "NEAR\nBAY").encode(),
    "unknown escape": FINE.replace("NEAR BAY", r"\x4eEAR BAY").encode(),
    "half an escape": FINE.replace("NEAR BAY", r"\u00").encode(),
    "no-break space": FINE.replace(" ", "\u00a0", 1).encode(),
    "YAML": f"instances: [{MARK}]".encode(),
    "XML": f'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/{MARK}">]><a>&x;</a>'.encode(),
    "pickle": b"cos\nsystem\n(S'true'\ntR.",
}

NUMBERS = {
    "NaN": "NaN", "Infinity": "Infinity", "negative Infinity": "-Infinity", "1e400": "1e400", "-1e400": "-1e400",
    "400 digits": "9" * 400, "hardly too large": "20.000000000000004", "hardly too small": "-5e-324", "text": '"8.5"',
    "text of a number in another script": '"\u0668"', "boolean": "true", "null": "null", "list": "[8.5]",
    "operator": '{"$gt": 0}', "empty text": '""',
}  # fmt: skip

PLACES = {
    "unseen": "MOON",
    "lower case": "near bay",
    "blank at the end": "NEAR BAY ",
    "zero-width space": "NEAR\u200b BAY",
    "full width": "\uff2e\uff25\uff21\uff32 BAY",
    "right to left": f"\u202e{MARK}",
    "emoji": "\U0001f3e0\u200d\U0001f525",
    "combining marks": "e" + "\u0301" * 1000,
    "lone surrogate": "\ud800",
    "NUL": "INLAND\x00",
    "escape sequence": f"\x1b[31m{MARK}\x1b[0m\x07",
    "line ends": f"INLAND\r\n{MARK} ERROR forged",
    "SQL": f"'; DROP TABLE ml.releases; -- {MARK}",
    "template": "{{7*7}}${7*7}<%= 7*7 %>",
    "lookup": "${jndi:ldap://example.test/a}",
    "script": "<script>alert(1)</script>",
    "path": "../../../../etc/passwd",
    "format": "%s%n{0.__class__}",
    "formula": '=cmd|"/c calc"!A1',
    "long": MARK * 20_000,
    "empty": "",
}

NAMES = {
    "__proto__": "__proto__", "constructor": "constructor", "__class__": "__class__", "empty": "", "NUL": "\0",
    "path": "a.b[0]", "escape sequence": "\x1b[2J", "line end": "a\nb", "long": MARK * 20_000, "surrogate": "\udfff",
    "nearly an input": "Income", "with a blank": "income ", "look-alike": "\u0456ncome",
}  # fmt: skip

PREDICT: dict[str, Hostile] = {
    **{f"text: {name}": Hostile(post(body), NOT_JSON) for name, body in TEXTS.items()},
    **{f"income: {name}": Hostile(income(text), CONTRACT, at("income")) for name, text in NUMBERS.items()},
    **{f"place: {name}": Hostile(rows(place=text), CONTRACT, at("place")) for name, text in PLACES.items()},
    **{
        f"name: {name}": Hostile(
            rows(**{text: MARK}),
            CONTRACT,
            f"{FIRST}.{text}"
            if text.isidentifier() and text.isascii() and len(text) < 80
            else f"{FIRST}[{json.dumps(text[:80])}]",
        )
        for name, text in NAMES.items()
    },
    "minus nothing": Hostile(income("-0"), GOOD),
    "hardly anything": Hostile(income("1e-400"), GOOD),
    "more digits than a double": Hostile(income("8.5" + "0" * 5000), GOOD),
    "whole number with a point": Hostile(rows(rooms=3.0), GOOD),
    "fraction for an integer": Hostile(rows(rooms=2.5), CONTRACT, at("rooms")),
    "integer that doubles do not hold": Hostile(rows(rooms=2**53 + 1), CONTRACT, at("rooms")),
    "integer of 1,000 bits": Hostile(rows(rooms=2**1000), CONTRACT, at("rooms")),
    "number for a boolean": Hostile(rows(furnished=1), CONTRACT, at("furnished")),
    "text for a boolean": Hostile(rows(furnished="true"), CONTRACT, at("furnished")),
    "number for a category": Hostile(rows(place=1), CONTRACT, at("place")),
    "a list": Hostile(post("[]"), CONTRACT, "body"),
    "a number": Hostile(post("1e400"), CONTRACT, "body"),
    "null": Hostile(post("null"), CONTRACT, "body"),
    "no instances": Hostile(post("{}"), CONTRACT, "instances"),
    "instances is an object": Hostile(post('{"instances": {}}'), CONTRACT, "instances"),
    "instances is empty": Hostile(post('{"instances": []}'), CONTRACT, "instances"),
    "unknown member": Hostile(post(f'{{"instances": [], "{MARK}": true}}'), CONTRACT, MARK),
    "instances twice": Hostile(post(f'{{"instances": [{row()}], "instances": [{row()}]}}'), CONTRACT, "instances"),
    "instances twice, once escaped": Hostile(
        post(f'{{"instances": [{row()}], "instance\\u0073": [{row()}]}}'), CONTRACT, "instances"
    ),
    "instance is null": Hostile(post('{"instances": [null]}'), CONTRACT, FIRST),
    "instance is a list": Hostile(post('{"instances": [[8.5, 3, true, "INLAND"]]}'), CONTRACT, FIRST),
    "instance is empty": Hostile(post('{"instances": [{}]}'), CONTRACT, at("income")),
    "input twice": Hostile(income('8.5, "income": 9'), CONTRACT, at("income")),
    "input twice, once escaped": Hostile(income('8.5, "\\u0069ncome": 9'), CONTRACT, at("income")),
    "input twice, a colon less elsewhere": Hostile(
        post(f'{{"instances": [{row()}, {{"income": 1, "income": 2, "place": "INLAND"}}]}}'),
        CONTRACT,
        "instances[1].income",
    ),
    "value nested 900 times": Hostile(income("[" * 900 + "]" * 900), CONTRACT, at("income")),
    "5,000 names": Hostile(
        post(json.dumps({"instances": [EXAMPLE | {f"k{n}": 0 for n in range(5_000)}]})), CONTRACT, f"{FIRST}.k0"
    ),
    "5,000 members": Hostile(post(json.dumps({f"k{n}": 0 for n in range(5_000)})), CONTRACT, "k0"),
    "100,000 members": Hostile(post(json.dumps({f"k{n}": 0 for n in range(100_000)})), LARGE),
    "as many faults as fit": Hostile(
        post(json.dumps({"instances": [{"a": n} for n in range(50)]})), CONTRACT, f"{FIRST}.a"
    ),
    "too many instances": Hostile(post(json.dumps({"instances": [{}] * 51})), (413, "too-many-instances"), "instances"),
    "30,000 empty instances": Hostile(
        post('{"instances": [' + "0," * 30_000 + "0]}"), (413, "too-many-instances"), "instances"
    ),
    "a million empty instances": Hostile(post('{"instances": [' + "0," * 900_000 + "0]}"), LARGE),
    "too large": Hostile(post(b" " * (BODY_LIMIT + 1)), LARGE),
    "10 MB in a text": Hostile(post('{"instances": "' + "x" * 10_000_000 + '"}'), LARGE),
    "flat, too large": Hostile(flat('{"a":' + " " * 100_000 + "0}"), LARGE),
    "flat, a list": Hostile(flat(f"[{row()}]"), CONTRACT, "body"),
    "flat, no object": Hostile(flat("null"), CONTRACT, "body"),
    "flat, not JSON": Hostile(flat("{"), NOT_JSON),
    "flat, the other form": Hostile(flat(FINE), CONTRACT, "instances"),
    "flat, input twice": Hostile(flat(row().replace("8.5", '8.5, "income": 8.5', 1)), CONTRACT, "income"),
    "flat, NaN": Hostile(flat(row().replace("8.5", "NaN", 1)), CONTRACT, "income"),
    "flat, deep": Hostile(flat('{"income":' * DEEP), NOT_JSON),
    "flat, no type": Hostile(post(row(), FLAT, ()), OTHER_TYPE),
}

TYPES = {
    "no type": (), "text": ("content-type: text/plain",), "form": ("content-type: application/x-www-form-urlencoded",),
    "parts": ("content-type: multipart/form-data; boundary=x",),
    "pickle": ("content-type: application/vnd.bentoml+pickle",),
    "lines of JSON": ("content-type: application/x-ndjson",), "XML": ("content-type: application/xml",),
    "other character set": ("content-type: application/json; charset=latin-1",),
    "UTF-16 declared": ("content-type: application/json; charset=utf-16",),
    "list of types": ("content-type: application/json, text/csv",),
    "another type after it": (*JSON, "content-type: text/csv"), "no type in words": ("content-type: ;",),
    "compressed": (*JSON, "content-encoding: gzip"), "compressed twice": (*JSON, "content-encoding: gzip, gzip"),
    "unknown compression": (*JSON, f"content-encoding: {MARK}"),
}  # fmt: skip

KEYS: dict[str, tuple[str, ...]] = {
    "no key": (),
    "empty key": ("x-api-key: ",),
    "other key": (f"x-api-key: {MARK}",),
    "long key": ("x-api-key: " + "k" * 50_000,),
    "key beyond ASCII": ("x-api-key: \xff\xfe",),
    "the key's beginning": (f"x-api-key: {KEY[:-1]}",),
    "key with more behind it": (f"x-api-key: {KEY}x",),
    "other scheme": (f"authorization: Basic {KEY}",),
    "scheme alone": ("authorization: Bearer",),
    "key in the cookie": (f"cookie: x-api-key={KEY}",),
    "other key after it": (f"x-api-key: {KEY}", f"x-api-key: {MARK}"),
    "forwarded": ("x-forwarded-for: 127.0.0.1", "x-original-url: /livez"),
}

OTHERS: dict[str, Hostile] = {
    **{f"type: {name}": Hostile(post(FINE, headers=headers), OTHER_TYPE) for name, headers in TYPES.items()},
    "type: bomb": Hostile(post(BOMB, headers=(*JSON, "content-encoding: gzip")), OTHER_TYPE),
    **{
        f"key: {name}": Hostile(post(FINE, headers=(*JSON, *headers), key=None), STRANGER)
        for name, headers in KEYS.items()
    },
    "key: in the query": Hostile(post(FINE, f"{BATCH}?x-api-key={KEY}", key=None), STRANGER),
    "file: no type": Hostile(file(HEADER, ()), OTHER_TYPE),
    "file: JSON": Hostile(post(FINE, FILE), OTHER_TYPE),
    "file: compressed": Hostile(file(BOMB, (*CSV, "content-encoding: gzip")), OTHER_TYPE),
    "file: workbook": Hostile(file(b"PK\x03\x04" + b"\0" * 1000), NOT_CSV),
    "file: empty": Hostile(file(b""), NOT_CSV),
    "file: line ends alone": Hostile(file(b"\r\n" * 1000), NOT_CSV),
    "file: UTF-16": Hostile(file(HEADER.encode("utf-16")), NOT_CSV),
    "file: NUL in the header": Hostile(file(f"income\0,{HEADER}"), NOT_CSV),
    "file: open quote in the header": Hostile(file(f'"income,{HEADER}'), NOT_CSV),
    "file: header without end": Hostile(file(MARK * 100_000), NOT_CSV),
    "file: semicolons": Hostile(file(HEADER.replace(",", ";")), NOT_CSV),
    "file: column twice": Hostile(file(f"income,{HEADER}"), CONTRACT, "header.income"),
    "file: unknown column": Hostile(file(f"{MARK},{HEADER}"), CONTRACT, f"header.{MARK}"),
    "file: column missing": Hostile(file("income,rooms,furnished\n"), CONTRACT, "header.place"),
    "file: 20,000 columns": Hostile(file("," * 20_000 + "\n"), CONTRACT, 'header[""]'),
    "file: rows of every kind": Hostile(
        file(HEADER.encode() + b'1e400,NaN,2,MOON\n\0,\xff,"\n"",x\n' + b"," * 100_000 + b"\n" + b"9" * 200_000), GOOD
    ),
    "file: quote without end": Hostile(file(HEADER + '"' + "x\n" * 200_000), GOOD),
    "labels: no id": Hostile(label(label=1), CONTRACT, "labels[0]"),
    "labels: two ids": Hostile(label(prediction_id=UUID, request_id="r", label=1), CONTRACT, "labels[0].request_id"),
    "labels: no label": Hostile(label(prediction_id=UUID), CONTRACT, "labels[0].label"),
    "labels: boolean": Hostile(label(prediction_id=UUID, label=True), CONTRACT, "labels[0].label"),
    "labels: 1e400": Hostile(label(prediction_id=UUID, label=float("inf")), CONTRACT, "labels[0].label"),
    "labels: id in braces": Hostile(label(prediction_id=f"{{{UUID}}}", label=1), CONTRACT, "labels[0].prediction_id"),
    "labels: id as a URN": Hostile(
        label(prediction_id=f"urn:uuid:{UUID}", label=1), CONTRACT, "labels[0].prediction_id"
    ),
    "labels: SQL": Hostile(label(request_id=f"' OR 1=1 -- {MARK}", label=1), CONTRACT, "labels[0].request_id"),
    "labels: line end": Hostile(label(request_id="r\n", label=1), CONTRACT, "labels[0].request_id"),
    "labels: negative place": Hostile(label(request_id="r", index=-1, label=1), CONTRACT, "labels[0].index"),
    "labels: endless place": Hostile(label(request_id="r", index=float("inf"), label=1), CONTRACT, "labels[0].index"),
    "labels: huge place": Hostile(label(request_id="r", index=2**70, label=1), CONTRACT, "labels[0].index"),
    "labels: true place": Hostile(label(request_id="r", index=True, label=1), CONTRACT, "labels[0].index"),
    "labels: place with a point": Hostile(label(request_id="r", index=0.0, label=1), (503, "warehouse-away")),
    "labels: unknown member": Hostile(label(request_id="r", label=1, **{MARK: 1}), CONTRACT, f"labels[0].{MARK}"),
    "labels: too many": Hostile(
        post(json.dumps({"labels": [0] * 51}), FEEDBACK), (413, "too-many-labels"), "labels"
    ),
    "labels: a million": Hostile(post('{"labels": [' + "0," * 900_000 + "0]}", FEEDBACK), LARGE),
    "labels: deep": Hostile(post('{"labels":[' * DEEP, FEEDBACK), NOT_JSON),
    **{
        f"labels: at {name}": Hostile(
            label(request_id="r", label=1, observed_at=moment), CONTRACT, "labels[0].observed_at"
        )
        for name, moment in {
            "no zone": "2026-01-01T00:00:00", "the future": "9999-12-31T23:59:59-23:59",
            "no such day": "2026-02-30T00:00:00Z",
            "the year 0": "0000-01-01T00:00:00Z", "no such zone": "2026-01-01T00:00:00+99:99", "a number": 1,
            "colons": "2026-01-01T::::::::Z",
            "digits of another script": "\u0662\u0660\u0662\u0666-01-01T00:00:00Z",
        }.items()
    },
}  # fmt: skip

BODIES: dict[str, Hostile] = {**PREDICT, **OTHERS}
