"""driver.py - sends the contract's cases through anything that takes HTTP, and judges the answers.

A case (cases.json) is data: the request down to the order of its headers, and what the answer must be.
A carrier is an object with `send(case)` that gives back an Answer; HttpCarrier speaks HTTP/1.1 over a
socket, so that the raw path, duplicates, chunks and a missing length are exactly as the case says.
Every other way into Hearth (FastCGI spoken directly, a function event) is another carrier over the
same cases.

A case:
  name, topic   what it shows, and under which heading it stands in the published table
  lossy         true where a front may lose it; what it makes of it then stands in the table
  carriers      names of the carriers it is for, where it does not concern all
  request       method, target, headers [[name, value]...] (values may hold any byte, as latin-1; Host
                is added unless one stands there), body, chunked, expect_continue
  body          {"text"}, {"base64"}, {"every_byte": times} or {"fill": bytes}
  expect        what is named is compared, all else may be anything:
                status; headers {name: value or null for absent}; text; json {member: value};
                seen {name: [values]} (headers as the handler saw them, [] for none);
                sent true (body_bytes and body_sha256 of the echo are those of the request's body);
                body_bytes; complete (false: it must be seen to be broken off); interim [100]
"""
import base64
import dataclasses
import hashlib
import json
import os
import socket

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT_BYTES = 1 << 20
CHUNK_BYTES = 4000


def load_cases():
    with open(os.path.join(HERE, "cases.json"), encoding="utf-8") as file:
        return json.load(file)


@dataclasses.dataclass
class Answer:
    status: int = 0
    headers: list = dataclasses.field(default_factory=list)
    body: bytes = b""  # the first KEPT_BYTES
    body_bytes: int = 0
    complete: bool = False  # as its own framing says
    interim: list = dataclasses.field(default_factory=list)

    def values(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def value(self, name):
        values = self.values(name)
        return values[0] if values else None

    def add(self, data):
        if len(self.body) < KEPT_BYTES:
            self.body += data[:KEPT_BYTES - len(self.body)]
        self.body_bytes += len(data)


def body_pieces(body):
    """The body of a case in pieces, so that one of any size needs no memory. None: no body."""
    if body is None:
        return
    if "text" in body:
        yield body["text"].encode()
    elif "base64" in body:
        yield base64.b64decode(body["base64"])
    elif "every_byte" in body:
        for _ in range(body["every_byte"]):
            yield bytes(range(256))
    else:
        left = body["fill"]
        block = bytes(i * 7 % 251 for i in range(65521))  # does not repeat with any buffer's size
        while left > 0:
            yield block[:left]
            left -= len(block)


def body_length(body):
    return sum(len(piece) for piece in body_pieces(body))


def body_sha256(body):
    digest = hashlib.sha256()
    for piece in body_pieces(body):
        digest.update(piece)
    return digest.hexdigest()


class HttpCarrier:
    """HTTP/1.1 to a host and a port, one connection a request."""

    def __init__(self, name, host, port, timeout=60.0):
        self.name, self.host, self.port, self.timeout = name, host, port, timeout

    def send(self, case):
        request = case["request"]
        with socket.create_connection((self.host, self.port), self.timeout) as connection:
            reader = Reader(connection)
            answer = Answer()
            connection.sendall(self._head(request))
            if request.get("expect_continue"):
                self._interim(reader, answer)
            if not answer.status:
                self._body(connection, request)
                while answer.status < 200:
                    if answer.status:
                        answer.interim.append(answer.status)
                    read_head(reader, answer)
            read_body(reader, answer, request["method"] == "HEAD")
            return answer

    def _head(self, request):
        headers = list(request.get("headers", []))
        if not any(name.lower() == "host" for name, _ in headers):
            headers.insert(0, ["Host", f"{self.host}:{self.port}"])
        headers.append(["Connection", "close"])
        if request.get("chunked"):
            headers.append(["Transfer-Encoding", "chunked"])
        elif request.get("body") is not None:
            headers.append(["Content-Length", str(body_length(request["body"]))])
        if request.get("expect_continue"):
            headers.append(["Expect", "100-continue"])
        lines = [f"{request['method']} {request['target']} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    @staticmethod
    def _interim(reader, answer):
        """A server that wants the body says 100; one that refuses answers at once."""
        read_head(reader, answer)
        if answer.status < 200:
            answer.interim.append(answer.status)
            answer.status = 0

    @staticmethod
    def _body(connection, request):
        try:
            for piece in body_pieces(request.get("body")):
                if not request.get("chunked"):
                    connection.sendall(piece)
                    continue
                for start in range(0, len(piece), CHUNK_BYTES):
                    part = piece[start:start + CHUNK_BYTES]
                    connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
            if request.get("chunked"):
                connection.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before its end; the answer says why


class Reader:
    """Lines and counted bytes of a connection. A connection that breaks off is at its end."""

    def __init__(self, connection):
        self.connection, self.held, self.broken = connection, b"", False

    def more(self):
        try:
            data = self.connection.recv(1 << 18)
        except ConnectionResetError:
            self.broken = True
            return False
        self.held += data
        return bool(data)

    def line(self):
        """Up to CRLF, without it; None at the end."""
        while b"\r\n" not in self.held:
            if not self.more():
                return None
        line, self.held = self.held.split(b"\r\n", 1)
        return line.decode("latin-1")

    def some(self, at_most):
        if not self.held and not self.more():
            return b""
        data, self.held = self.held[:at_most], self.held[at_most:]
        return data


def read_head(reader, answer):
    line = reader.line()
    if line is None:
        raise ConnectionError("the connection ended before an answer")
    answer.status = int(line.split(" ")[1])
    answer.headers = []
    while line := reader.line():
        name, _, value = line.partition(":")
        answer.headers.append((name, value.strip()))


def read_body(reader, answer, head_only):
    """By its framing (RFC 9112, section 6.3)."""
    if head_only or answer.status in (204, 304):
        answer.complete = True
    elif (answer.value("transfer-encoding") or "").lower() == "chunked":
        read_chunks(reader, answer)
    elif answer.value("content-length") is not None:
        answer.complete = read_counted(reader, answer, int(answer.value("content-length")))
    else:
        while data := reader.some(1 << 18):
            answer.add(data)
        answer.complete = not reader.broken


def read_counted(reader, answer, left):
    while left > 0:
        data = reader.some(left)
        if not data:
            return False
        answer.add(data)
        left -= len(data)
    return True


def read_chunks(reader, answer):
    while (line := reader.line()) is not None:
        size = int(line.split(";")[0], 16)
        if size == 0:
            while line := reader.line():
                pass  # trailers
            answer.complete = line is not None
            return
        if not read_counted(reader, answer, size) or reader.line() is None:
            return


def deviations(case, answer):
    """What the answer has otherwise than the case says: a list of (what, got, expected)."""
    found = []

    def compare(what, got, expected):
        if got != expected:
            found.append((what, got, expected))

    expect = case["expect"]
    compare("status", answer.status, expect.get("status", answer.status))
    if found:
        return found  # the rest follows from it
    for name, value in expect.get("headers", {}).items():
        compare(name, answer.value(name), value)
    if "text" in expect:
        compare("body", answer.body.decode("latin-1"), expect["text"])
    if "body_bytes" in expect:
        compare("body_bytes", answer.body_bytes, expect["body_bytes"])
    compare("complete", answer.complete, expect.get("complete", True))
    compare("interim", answer.interim, expect.get("interim", answer.interim))
    if any(key in expect for key in ("json", "seen", "sent")):
        compare_echo(case, answer, compare)
    return found


def compare_echo(case, answer, compare):
    expect, body = case["expect"], case["request"].get("body")
    try:
        echo = json.loads(answer.body)
    except ValueError:
        compare("body", answer.body[:80].decode("latin-1"), "JSON")
        return
    for member, value in expect.get("json", {}).items():
        compare(member, echo.get(member), value)
    for name, values in expect.get("seen", {}).items():
        compare(name, [v for n, v in echo["headers"] if n.lower() == name], values)
    if expect.get("sent"):
        compare("body_bytes", echo["body_bytes"], body_length(body))
        compare("body_sha256", echo["body_sha256"], body_sha256(body))
