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
  times         how often it is sent, where the outcome is a matter of timing; the worst one counts
  request       method, target, headers [[name, value]...] (Host is added unless one stands there),
                body, chunked, expect_continue, bytes_per_s (no faster than that)
  body          {"text"}, {"base64"}, {"every_byte": times} or {"fill": bytes}
  expect        what is named is compared, all else may be anything:
                status; headers {name: value, a list for all of that name, or null
                for absent}; text; body_bytes;
                same_body (the request's body came back); broken (the client must see that it is:
                by its framing, or as a status of 500 and above); interim [100]; and of a JSON
                answer: json {member: value};
                seen {name: [values]} (headers as the handler saw them, [] for none);
                sent (body_bytes and body_sha256 are those of the request's body)

Texts are UTF-8; a byte that is no UTF-8 is a lone surrogate, as Python's surrogateescape has it. Long
ones are written short: {"repeat": x, "times": n} (a text or a list), {"join": [...]}, and
{"each": list, "times": n} for the list n times with # replaced by 0, 1, ...
"""
import base64
import dataclasses
import gzip
import hashlib
import json
import os
import socket
import threading
import time

from support import fcgi

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT_BYTES = 1 << 20
CHUNK_BYTES = 4000


def load_cases():
    with open(os.path.join(HERE, "cases.json"), encoding="utf-8") as file:
        cases = [expand(case) for case in json.load(file)]
    names = [(case["topic"], case["name"]) for case in cases]
    assert len(set(names)) == len(names), "two cases of one name"
    return cases


def expand(value):
    """Writes out what the cases say in short."""
    if isinstance(value, list):
        return [expand(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "repeat" in value:
        return expand(value["repeat"]) * value["times"]
    if "join" in value:
        return "".join(expand(value["join"]))
    if "each" in value:
        return [json.loads(json.dumps(item).replace("#", str(i)))
                for i in range(value["times"]) for item in value["each"]]
    return {name: expand(item) for name, item in value.items()}


def to_bytes(text):
    return text.encode("utf-8", "surrogateescape")


def of_echo(value):
    """The echo writes each byte as the code point of its number; here are texts again."""
    if isinstance(value, str):
        return value.encode("latin-1").decode("utf-8", "surrogateescape")
    if isinstance(value, list):
        return [of_echo(item) for item in value]
    return value


@dataclasses.dataclass
class Answer:
    status: int = 0
    headers: list = dataclasses.field(default_factory=list)
    body: bytes = b""  # the first KEPT_BYTES
    body_bytes: int = 0
    digest: object = dataclasses.field(default_factory=hashlib.sha256, repr=False)
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
        self.digest.update(data)


def body_pieces(body):
    """The body of a case in pieces, so that one of any size needs no memory. None: no body."""
    if body is None:
        return
    if "text" in body:
        yield to_bytes(body["text"])
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


def paced_pieces(request):
    """The pieces of a request's body, no faster than it says."""
    for piece in body_pieces(request.get("body")):
        yield piece
        if "bytes_per_s" in request:
            time.sleep(len(piece) / request["bytes_per_s"])


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
        return to_bytes("\r\n".join(lines) + "\r\n\r\n")

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
            for piece in paced_pieces(request):
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


class FcgiCarrier:
    """FastCGI without a front: what a front would say that loses nothing."""

    def __init__(self, socket_path, timeout=60.0):
        self.name, self.socket_path, self.timeout = "direct", socket_path, timeout

    def send(self, case):
        request, answer = case["request"], Answer()
        with fcgi.Connection(self.socket_path, self.timeout) as connection:
            connection.send(fcgi.begin(1), fcgi.params(1, self._parameters(request)),
                            fcgi.params(1, None))
            # Both ways at once: an answer may begin before the body has ended.
            sender = threading.Thread(target=self._body, args=(connection, request))
            sender.start()
            response = connection.receive()
            connection.socket.shutdown(socket.SHUT_RDWR)  # the sender need not go on
            sender.join()
        answer.status, answer.complete = response.status, response.complete
        answer.headers = [(n, v) for n, v in response.headers if n != "status"]
        answer.add(response.body)
        return answer

    @staticmethod
    def _body(connection, request):
        try:
            for piece in paced_pieces(request):
                connection.send(fcgi.stdin(1, piece) if piece else b"")
            connection.send(fcgi.stdin(1, b""))
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before its end; the answer says why

    @staticmethod
    def _parameters(request):
        length = None
        if request.get("body") is not None and not request.get("chunked"):
            length = body_length(request["body"])
        headers = [(name, to_bytes(value)) for name, value in request.get("headers", [])]
        pairs = fcgi.cgi(request["method"], to_bytes(request["target"]).decode("latin-1"), headers,
                         length)
        if any(name.lower() == "host" for name, _ in headers):
            pairs.remove(("HTTP_HOST", "localhost"))
        return pairs


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
    while line := reader.line():
        size = int(line.split(";")[0], 16)
        if size == 0:
            while line := reader.line():
                pass  # trailers
            answer.complete = line is not None
            return
        if not read_counted(reader, answer, size) or reader.line() is None:
            return


def run(carrier, case):
    """Sends the case, as often as it says, and gives back the worst deviations."""
    worst = []
    for _ in range(case.get("times", 1)):
        try:
            found = deviations(case, carrier.send(case))
        except (OSError, ValueError) as error:
            found = [("answer", type(error).__name__, "an answer")]
        worst = max(worst, found, key=len)
    return worst


def deviations(case, answer):
    """What the answer has otherwise than the case says: a list of (what, got, expected)."""
    found = []
    expect = case["expect"]

    def compare(what, got, expected):
        if got != expected:
            found.append((what, got, expected))

    if expect.get("broken"):
        compare("broken", not answer.complete or answer.status >= 500, True)
        return found
    compare("status", answer.status, expect.get("status", answer.status))
    if found:
        return found  # the rest follows from it
    for name, value in expect.get("headers", {}).items():
        compare(name, answer.values(name) if isinstance(value, list) else answer.value(name), value)
    if "text" in expect:
        compare("body", answer.body.decode("utf-8", "surrogateescape"), expect["text"])
    if expect.get("same_body"):
        body = case["request"]["body"]
        if answer.body_bytes < body_length(body):
            compare("body", "cut short", "as sent")
        elif answer.digest.hexdigest() != body_sha256(body):
            compare("body", "changed", "as sent")
    if "body_bytes" in expect:
        compare("body_bytes", answer.body_bytes, expect["body_bytes"])
    compare("complete", answer.complete, True)
    compare("interim", answer.interim, expect.get("interim", answer.interim))
    if any(key in expect for key in ("json", "seen", "sent")):
        compare_echo(case, answer, compare)
    return found


def compare_echo(case, answer, compare):
    expect, body = case["expect"], case["request"].get("body")
    try:
        packed = answer.value("content-encoding") == "gzip"
        echo = json.loads(gzip.decompress(answer.body) if packed else answer.body)
    except (ValueError, OSError, EOFError):
        compare("body", answer.body[:80].decode("latin-1"), "JSON")
        return
    for member, value in expect.get("json", {}).items():
        compare(member, of_echo(echo.get(member)), value)
    for name, values in expect.get("seen", {}).items():
        compare(name, [of_echo(v) for n, v in echo["headers"] if n.lower() == name], values)
    if expect.get("sent"):
        compare("body_bytes", echo["body_bytes"], body_length(body))
        compare("body_sha256", echo["body_sha256"], body_sha256(body))
