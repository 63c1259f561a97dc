"""A web server on this computer that serves one file, well or badly, and remembers what it was asked."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Source:
    """``content`` at ``/file``. ``cuts``: after how many bytes the next answers break off; ``None``: not.

    ``ranges``: whether the server knows ``Range``; ``status``: answer with this error; ``page``: answer with HTML.
    """

    def __init__(self, content: bytes):
        self.content = content
        self.cuts: list[int | None] = []
        self.ranges = True
        self.status = 200
        self.page = False
        self.asked: list[str | None] = []
        self.gate: threading.Event | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/file"

    @property
    def tag(self) -> str:
        return f'"{hashlib.md5(self.content).hexdigest()}"'

    def __enter__(self) -> "Source":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(source):  # the handler has a self of its own
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                return

            def do_GET(self):
                if self.path == "/moved":
                    self.send_response(302)
                    self.send_header("Location", "/file")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                source.asked.append(self.headers.get("Range"))
                if source.gate is not None:
                    source.gate.wait(10)
                if source.status != 200:
                    self.send_error(source.status)
                    return
                if source.page:
                    self._answer(200, b"<html>Please log in</html>", {"Content-Type": "text/html; charset=utf-8"})
                    return
                start = self._start()
                if start >= len(source.content):
                    self._answer(416, b"", {"Content-Range": f"bytes */{len(source.content)}"})
                elif start:
                    span = f"bytes {start}-{len(source.content) - 1}/{len(source.content)}"
                    self._answer(206, source.content[start:], {"Content-Range": span})
                else:
                    self._answer(200, source.content, {})

            def _start(self):
                asked = self.headers.get("Range")
                if not source.ranges or asked is None or self.headers.get("If-Range", source.tag) != source.tag:
                    return 0
                return int(asked.removeprefix("bytes=").removesuffix("-"))

            def _answer(self, status, body, headers):
                cut = source.cuts.pop(0) if source.cuts and status in (200, 206) else None
                self.send_response(status)
                for name, value in {
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(len(body)),
                    "ETag": source.tag,
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body if cut is None else body[:cut])
                self.wfile.flush()
                if cut is not None:
                    self.close_connection = True
                    self.connection.close()

        return Handler
