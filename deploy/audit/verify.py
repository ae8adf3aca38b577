#!/usr/bin/env python3
"""Checks an evidence pack of Muster's audit log without a collector.

    python3 verify.py PACK [--key HEX] [--heads FILE]... [--show]

Needs Python 3.8 and its standard library, nothing else. What is computed here stands in docs/audit.md; this file is
short so that whoever relies on it can read it first. It exits with 0 when everything is as it was written, with 1 when
something is not, with 2 when a file can't be read. It never prints what is in a pack unless --show asks for it.
"""

import argparse
import base64
import calendar
import hashlib
import json
import sys
import time

ZERO = bytes(32)


def sha256(data):
    return hashlib.sha256(data).digest()


def parts(kind, *values):
    """SHA-256 over parts, each written as its length in decimal digits, a colon and its bytes."""
    context = hashlib.sha256()
    for value in (kind,) + values:
        data = value if isinstance(value, bytes) else str(value).encode()
        context.update(b"%d:" % len(data) + data)
    return context.digest()


def millis(text):
    """Milliseconds since 1970 of a time such as 2026-11-24T19:00:00.123Z."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1000 + int((fraction + "000")[:3])


def number(record, name):
    """JSON of protobuf writes 64-bit numbers as text and leaves zeros out."""
    return int(record.get(name, 0))


def body_of(entry):
    texts = [entry.get(name, "") for name in ("actor", "kind", "action", "target", "detail")]
    folded = [bytes.fromhex(digest) for digest in entry.get("foldedSha256", [])]
    return parts(
        "muster.audit.entry.1", number(entry, "number"), number(entry, "firstPosition"), number(entry, "position"),
        millis(entry["time"]), *texts, bytes.fromhex(entry["writesSha256"]), *folded)


def writes_of(change, say):
    """The hash of what a change wrote; a value that is shown must have the hash that it is shown with."""
    digests = []
    for write in change.get("writes", []):
        key, value = base64.b64decode(write["key"]), bytes.fromhex(write.get("valueSha256", ""))
        if "value" in write and sha256(base64.b64decode(write["value"])) != value:
            say("change %d shows a value of %r that is not the one that was written" % (number(change, "position"), key))
        digests += [key, value]
    return parts("muster.audit.writes.1", *digests)


def folded_of(change, say):
    return parts(
        "muster.audit.folded.1", number(change, "position"), millis(change["time"]), change.get("actor", ""),
        change.get("kind", ""), writes_of(change, say))


# Ed25519 (RFC 8032), verification only, with numbers as they are. Slow, and quick enough for some thousand heads.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover(y, sign):
    """The point with this y, in extended coordinates; None when there is none."""
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(factor, point):
    total = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = add(total, point)
        point, factor = add(point, point), factor >> 1
    return total


BASE = recover(4 * pow(5, P - 2, P) % P, 0)


def point_of(data):
    whole = int.from_bytes(data, "little")
    return recover(whole & (2**255 - 1), whole >> 255)


def signed(key, message, signature):
    public, r = point_of(key), point_of(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if public is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(h, public))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


class Head:
    """muster-audit-head 1 TRUST_DOMAIN NUMBER SHA256 TIME_MS KEY SIGNATURE, anywhere in a line."""

    def __init__(self, line, origin):
        words = line[line.index("muster-audit-head "):].split()
        if len(words) < 8 or words[1] != "1":
            raise ValueError("not a head")
        self.text, self.origin, self.domain, self.number = " ".join(words[:6]), origin, words[2], int(words[3])
        self.hash, self.millis = bytes.fromhex(words[4]), int(words[5])
        self.key, self.signature = bytes.fromhex(words[6]), bytes.fromhex(words[7])
        if len(self.key) != 32 or len(self.signature) != 64:
            raise ValueError("not a head")
        self.name = "the head of entry %d in %s" % (self.number, origin)

    def wrong(self, key, domain):
        """What is wrong with it by itself."""
        if self.key != key:
            return "%s is signed with another key: %s" % (self.name, self.key.hex())
        if not signed(self.key, self.text.encode(), self.signature):
            return "%s is forged: the signature is not the key's" % self.name
        if self.domain != domain:
            return "%s is of another collector: %s" % (self.name, self.domain)
        return None


def heads_in(path):
    heads = []
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if "muster-audit-head " in line:
                try:
                    heads.append(Head(line, path))
                except ValueError:
                    pass
    return heads


def check(pack, key, outside, say, show):
    """Walks a pack; `say` is told what is wrong. Returns what was counted."""
    header = json.loads(pack.readline())["header"]
    if header.get("format") != "muster-audit-pack" or header.get("version") != 1:
        raise ValueError("not an evidence pack of this version")
    domain, first, last = header["trustDomain"], number(header, "firstNumber"), number(header, "lastNumber")
    end = Head(header["head"], "the pack")
    key = key or end.key
    if end.number != last:
        say("the pack ends with entry %d, but its own head is that of entry %d" % (last, end.number))
    heads = {}
    for head in [end] + outside:
        wrong = head.wrong(key, domain)
        if wrong:
            say(wrong)
        else:
            heads.setdefault(head.number, []).append(head)
    previous = bytes.fromhex(header["previousSha256"])
    if first == 1 and previous != ZERO:
        say("something stands before entry 1")
    expected, position, full, skipped, changes, held = first, None, 0, 0, 0, 0
    for head in heads.pop(first - 1, []):
        held += 1
        if head.hash != previous:
            say("entry %d is not the one whose head was signed (%s): the log or the pack was made anew" % (first - 1, head.origin))
    for line in pack:
        record = json.loads(line)
        if "skipped" in record:
            found, body = number(record["skipped"], "number"), bytes.fromhex(record["skipped"]["bodySha256"])
            skipped, position = skipped + 1, None
        else:
            entry = record["entry"]["entry"]
            found, body = number(entry, "number"), body_of(entry)
            full += 1
            start, own = number(entry, "firstPosition"), number(entry, "position")
            if bytes.fromhex(entry["previousSha256"]) != previous:
                say("entry %d does not follow the entry before it: one of the two was changed, removed or inserted" % found)
            if parts("muster.audit.link.1", bytes.fromhex(entry["previousSha256"]), body) != bytes.fromhex(entry["sha256"]):
                say("entry %d is not what was hashed: it was changed" % found)
            folded = entry.get("foldedSha256", [])
            if own - start != len(folded) or (position is not None and start != position + 1):
                say("entry %d does not account for every change since the entry before" % found)
            position = own
            change = record["entry"].get("change")
            if change:
                changes += 1
                same = all(change.get(name) == entry.get(name) for name in ("position", "time", "actor", "kind"))
                if not same or writes_of(change, say) != bytes.fromhex(entry["writesSha256"]):
                    say("entry %d has a change that is not its own" % found)
            for change in record["entry"].get("folded", []):
                changes += 1
                place = number(change, "position") - start
                if not 0 <= place < len(folded) or folded_of(change, say) != bytes.fromhex(folded[place]):
                    say("entry %d has a folded change that is not among its own" % found)
            if show:
                print("%7d  %s  %s  %s  %s  %s" % (
                    found, entry["time"], entry.get("actor", ""), entry.get("action", ""), entry.get("target", ""),
                    entry.get("detail", "")))
                for change in [record["entry"].get("change") or {}] + record["entry"].get("folded", []):
                    for write in change.get("writes", []):
                        if write.get("shown"):
                            print("         %s  %s  %s" % (change["time"], change.get("actor", ""), write["shown"]))
        if found != expected:
            say("entry %d is expected here, but this is entry %d: an entry was removed, inserted or moved" % (expected, found))
        expected = found + 1
        previous = parts("muster.audit.link.1", previous, body)
        for head in heads.pop(found, []):
            held += 1
            if head.hash != previous:
                say("entry %d is not the one whose head was signed (%s): the log or the pack was made anew" % (found, head.origin))
    if expected != last + 1:
        say("the pack ends with entry %d, but should with entry %d: its end was cut off" % (expected - 1, last))
    outside_scope = 0
    for head in [head for left in heads.values() for head in left]:
        # A head of an entry before the first says nothing about this pack; one behind the last is of later, or the
        # log that the pack was cut from had lost its end.
        if head.number > last and head.millis < end.millis:
            say("the pack ends with entry %d, but %s was signed before it was made: the log's end was cut off" % (last, head.name))
        else:
            outside_scope += 1
    return dict(header=header, full=full, skipped=skipped, changes=changes, held=held, outside=outside_scope, key=key.hex(), end=end)


def main():
    parser = argparse.ArgumentParser(description="Checks an evidence pack of Muster's audit log without a collector.")
    parser.add_argument("pack", help="the file that muster audit export wrote")
    parser.add_argument("--key", help="the key that signs heads, as it was noted when the collector was set up")
    parser.add_argument("--heads", action="append", default=[], help="a file of signed heads that was kept elsewhere")
    parser.add_argument("--show", action="store_true", help="print what the pack says")
    words = parser.parse_args()
    problems = []

    def say(problem):
        problems.append(problem)
        print("WRONG: " + problem)

    try:
        outside = []
        for path in words.heads:
            found = heads_in(path)
            if not found:
                say("%s holds no signed head" % path)
            outside += found
        with open(words.pack, encoding="utf-8") as pack:
            told = check(pack, bytes.fromhex(words.key) if words.key else None, outside, say, words.show)
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        print("WRONG: the pack can't be read: %s: %s" % (type(error).__name__, error))
        return 1
    if problems:
        print("%d problems: this is not what was written" % len(problems))
        return 1
    header = told["header"]
    print("as it was written: %s of %s" % (header["scope"], header["trustDomain"]))
    print("entries %s to %s: %d in full, %d by their hash; %d changes; %d heads held against it, %d others" % (
        header["firstNumber"], header["lastNumber"], told["full"], told["skipped"], told["changes"], told["held"], told["outside"]))
    print("head of entry %d signed by %s" % (told["end"].number, told["key"]))
    if not words.key:
        print("note: --key was not given, so that this is only as good as the pack's own word on who signed it")
    if not words.heads:
        print("note: without --heads from elsewhere a log that was made anew as a whole can't be told from the first one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
