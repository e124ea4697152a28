"""fcgi.py - a FastCGI client in the raw: whole requests, or records one by one.

    response = request(pool.socket, "GET", "/echo?a=1", headers=[("X-A", "1")])
    response.status, response.header("content-type"), response.body, response.json()

    with Connection(pool.socket) as c:           # kept, for several requests or for misbehaviour
        c.send(begin(1, keep=True), params(1, cgi("GET", "/hello")), params(1, None))
        c.send(stdin(1, b""))
        response = c.receive()

An address is a path (Unix socket) or a (host, port) pair. FastCGI Specification 1.0.
"""
import json
import socket
import struct
import time

BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR, DATA = range(1, 9)
GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE = 9, 10, 11
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
REQUEST_COMPLETE, CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE = range(4)


class Closed(Exception):
    """The peer closed the connection where more was expected."""


# ---- Records ----

def record(kind, request_id, content=b"", padding=0, version=1):
    head = struct.pack(">BBHHBB", version, kind, request_id, len(content), padding, 0)
    return head + content + b"\0" * padding


def begin(request_id=1, keep=False, role=RESPONDER):
    return record(BEGIN_REQUEST, request_id, struct.pack(">HB5x", role, 1 if keep else 0))


def pair(name, value):
    """One name and value, encoded."""
    def length(n):
        return bytes([n]) if n < 128 else struct.pack(">I", n | 0x80000000)

    name, value = to_bytes(name), to_bytes(value)
    return length(len(name)) + length(len(value)) + name + value


def params(request_id, pairs):
    """PARAMS records for the pairs; None: the empty record that ends them."""
    return stream(PARAMS, request_id, b"".join(pair(n, v) for n, v in pairs)) if pairs is not None \
        else record(PARAMS, request_id)


def stdin(request_id, body):
    """STDIN records for the body; b"": the empty record that ends it."""
    return stream(STDIN, request_id, body) if body else record(STDIN, request_id)


def stream(kind, request_id, content, size=65528):
    return b"".join(record(kind, request_id, content[i:i + size], -len(content[i:i + size]) % 8)
                    for i in range(0, len(content), size))


def to_bytes(text):
    return text.encode("latin-1") if isinstance(text, str) else text


# ---- Requests ----

def cgi(method="GET", target="/", headers=(), length=None, peer="127.0.0.1", extra=()):
    """The parameters that a front sends, as pairs. `length` None: CONTENT_LENGTH is empty, as
    nginx has it; False: absent. `extra` pairs come last, whatever their names."""
    path, _, query = target.partition("?")
    pairs = [("GATEWAY_INTERFACE", "CGI/1.1"), ("SERVER_SOFTWARE", "test/1"),
             ("SERVER_PROTOCOL", "HTTP/1.1"), ("SERVER_NAME", "localhost"), ("SERVER_PORT", "80"),
             ("REMOTE_ADDR", peer), ("REMOTE_PORT", "40000"), ("REQUEST_METHOD", method),
             ("REQUEST_URI", target), ("SCRIPT_NAME", path), ("QUERY_STRING", query),
             ("REQUEST_SCHEME", "http"), ("DOCUMENT_ROOT", "/nowhere"), ("HTTP_HOST", "localhost")]
    if length is not False:
        pairs.append(("CONTENT_LENGTH", "" if length is None else str(length)))
    for name, value in headers:
        key = name.upper().replace("-", "_")
        pairs.append((key if key == "CONTENT_TYPE" else "HTTP_" + key, value))
    return pairs + list(extra)


def encode(method="GET", target="/", headers=(), body=b"", keep=False, request_id=1, length=None,
           peer="127.0.0.1", extra=(), role=RESPONDER):
    """A whole request as bytes. The length is the body's unless said otherwise."""
    if length is None and body:
        length = len(body)
    return (begin(request_id, keep, role)
            + params(request_id, cgi(method, target, headers, length, peer, extra))
            + params(request_id, None)
            + (stdin(request_id, body) if body else b"") + stdin(request_id, b""))


class Response:
    """What came back. `complete`: END_REQUEST was there; else the connection ended before it."""

    def __init__(self, stdout, stderr, end):
        self.raw = stdout
        self.stderr = stderr
        self.complete = end is not None
        self.app_status, self.protocol_status = end or (None, None)
        head, _, self.body = stdout.partition(b"\r\n\r\n")
        self.headers = []
        self.status = 200 if stdout else None
        for line in head.decode("latin-1").split("\r\n") if head else []:
            name, _, value = line.partition(":")
            self.headers.append((name.lower(), value.strip()))
            if name.lower() == "status":
                self.status = int(value.split()[0])

    def header(self, name):
        return next((v for n, v in self.headers if n == name.lower()), None)

    def json(self):
        return json.loads(self.body)


class Connection:
    def __init__(self, address, timeout=20.0):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self._connect(address, time.monotonic() + timeout)
        self.buffer = b""

    def _connect(self, address, end):
        """A Unix socket whose backlog is full says "try again" to whoever has a time-out."""
        while True:
            try:
                return self.socket.connect(address)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.002)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, *pieces):
        self.socket.sendall(b"".join(pieces))

    def _take(self, count):
        while len(self.buffer) < count:
            more = self.socket.recv(65536)
            if not more:
                raise Closed(f"{len(self.buffer)} of {count} bytes, then the end")
            self.buffer += more
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def receive_record(self):
        """(type, request id, content). Raises Closed, TimeoutError, OSError."""
        _, kind, request_id, length, padding, _ = struct.unpack(">BBHHBB", self._take(8))
        content = self._take(length)
        self._take(padding)
        return kind, request_id, content

    def receive(self):
        """The answer to a request; not complete when the connection ended or was reset."""
        stdout, stderr = [], []
        try:
            while True:
                kind, _, content = self.receive_record()
                if kind == STDOUT:
                    stdout.append(content)
                elif kind == STDERR:
                    stderr.append(content)
                elif kind == END_REQUEST:
                    end = struct.unpack(">IB3x", content)
                    return Response(b"".join(stdout), b"".join(stderr), end)
        except (Closed, ConnectionError):
            return Response(b"".join(stdout), b"".join(stderr), None)

    def request(self, *arguments, **options):
        """encode() and receive(); kept unless keep=False."""
        options.setdefault("keep", True)
        self.send(encode(*arguments, **options))
        return self.receive()

    def closed_within(self, seconds):
        """Does the peer close (or reset) the connection in that time, sending nothing more?"""
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(before)


def request(address, *arguments, timeout=20.0, **options):
    """One request on a connection of its own."""
    options.setdefault("keep", False)
    with Connection(address, timeout) as connection:
        return connection.request(*arguments, **options)
