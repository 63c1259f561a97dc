"""Downloading one large file through pooch, going on where a cut connection left it.

pooch streams, follows redirects and proxies, but starts again after a cut: it deletes its temporary file (1.9). It does
take an open file and request headers, so what came stays, and the server is asked for the rest (HTTP ``Range``).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.errors import DownloadError
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.models.catalogue import megabytes

if TYPE_CHECKING:
    import requests

CHUNK_BYTES = 1 << 16
"""What a cut can cost: the piece under way is lost with the connection."""

TIMEOUT_S = 30.0
"""Silence after which a connection counts as cut."""

TRIES_WITHOUT_PROGRESS = 2
"""Connections in a row that may bring nothing before we give up; one that brings bytes starts the count again."""

SPARE_BYTES = 1 << 28
"""Room that must be left on the disk: a full system disk harms more than missing weights."""


@dataclass(frozen=True)
class Request:
    """What to download. ``size_bytes``: of the whole file, if known. ``pinned``: its checksum is known beforehand.

    ``by_hand``: what the user can do if it fails.
    """

    url: str
    size_bytes: int | None
    pinned: bool
    stage: str
    by_hand: str


def download(request: Request, part: Path, report: Reporter) -> None:
    """Bring the file to ``part``. What ``part`` already holds of it is not asked for again.

    A part is gone on with only where that cannot mix two files: the checksum is known beforehand, or the server vouches
    (strong ``ETag`` with ``If-Range``) that its file is still the same. Progress goes to ``report`` in MB.

    :raises DownloadError: no network, refused, cut off again and again, or the disk is full. What came so far stays.
    """
    import requests
    from pooch import HTTPDownloader

    failures = 0
    while True:
        headers, have = _headers(request, part)
        with part.open("r+b" if part.exists() else "w+b") as file:
            file.seek(have)
            sink = _Sink(file, part, request, report)
            fetcher = HTTPDownloader(
                chunk_size=CHUNK_BYTES, timeout=TIMEOUT_S, headers=headers, hooks={"response": sink.begin}
            )
            try:
                fetcher(request.url, sink, None)
                return
            except requests.exceptions.RequestException as error:
                if _is_all_there(error, have):
                    return
                if not _may_pass(error):
                    raise _refused(error, request) from None
                brought = file.tell() - have
                failures = 0 if brought > 0 else failures + 1
                if failures >= TRIES_WITHOUT_PROGRESS:
                    raise _cut(error, request, have) from None
            except OSError as error:
                raise DownloadError(
                    f"cannot be written ({error.strerror or error})", part, "free room on the disk, then fetch again"
                ) from None
        if brought > 0:
            report.warn("the connection was cut; going on from where it was", request.stage)


def discard(part: Path) -> None:
    """Forget a part."""
    part.unlink(missing_ok=True)
    _tag_file(part).unlink(missing_ok=True)


class _Sink:
    """What pooch writes to: the part, with the count of bytes told to the reporter."""

    def __init__(self, file: IO[bytes], part: Path, request: Request, report: Reporter) -> None:
        self._file = file
        self._part = part
        self._request = request
        self._report = report
        self._total = 0
        self._told = -1

    def begin(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """The server has answered (called by requests before the first byte): the rest, or all from the start?"""
        if not response.ok or response.is_redirect:
            return
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise _unfit("sends a web page instead of the file (a log-in page of the network?)", self._request)
        rest = int(response.headers.get("Content-Length") or 0)
        goes_on = response.status_code == 206
        start = _start(response) if goes_on else 0
        if goes_on and start != self._file.tell():
            raise _unfit("answered with another part than asked for", self._request)
        self._total = start + rest
        if rest:
            self._require_plausible(rest)
        if not goes_on:
            self._file.seek(0)
            self._file.truncate()
            _remember_tag(self._part, self._request.url, response)

    def write(self, chunk: bytes) -> int:
        count = self._file.write(chunk)
        done = self._file.tell()
        if done // 10**6 > self._told or done == self._total:
            self._told = done // 10**6
            self._report.progress(self._request.stage, self._told, max(self._total, done) // 10**6, "MB")
        return count

    def flush(self) -> None:
        self._file.flush()

    def _require_plausible(self, rest: int) -> None:
        """Before anything that is there is given up for it: the right size, and room for it."""
        expected = self._request.size_bytes
        if expected and self._total != expected:
            raise _unfit(
                f"offers {megabytes(self._total)} instead of {megabytes(expected)}: another version, or a page of the "
                "network",
                self._request,
            )
        free = shutil.disk_usage(self._part.parent).free
        if rest + SPARE_BYTES > free:
            raise DownloadError(
                f"has room for {megabytes(free)}, {megabytes(rest)} are to come",
                self._part.parent,
                "free room, or keep the weights elsewhere: set LIVERSEGSSL_MODELS",
            )


def _headers(request: Request, part: Path) -> tuple[dict[str, str], int]:
    """What to ask for, and how many bytes of the part stay."""
    headers = {"Accept-Encoding": "identity"}  # compressed on the way, sizes and ranges would not fit
    have = part.stat().st_size if part.exists() else 0
    tag = _tag(part, request.url)
    if request.size_bytes and have >= request.size_bytes:
        have = 0
    if not have or not (tag or request.pinned):
        return headers, 0
    headers["Range"] = f"bytes={have}-"
    if tag:
        headers["If-Range"] = tag
    return headers, have


def _tag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _remember_tag(part: Path, url: str, response: requests.Response) -> None:
    tag = response.headers.get("ETag", "")
    # A weak tag ("W/…") says that two files mean the same, not that they have the same bytes (RFC 9110, 13.1.5).
    write_json(_tag_file(part), {"url": url, "etag": tag if tag.startswith('"') else ""})


def _tag(part: Path, url: str) -> str:
    try:
        noted = json.loads(_tag_file(part).read_text(encoding="utf-8"))
        return str(noted["etag"]) if noted["url"] == url else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _start(response: requests.Response) -> int:
    """First byte of ``Content-Range: bytes 100-199/200``; -1 if it does not say."""
    unit, _, span = response.headers.get("Content-Range", "").partition(" ")
    first = span.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdigit() else -1


def _is_all_there(error: requests.exceptions.RequestException, have: int) -> bool:
    """ "Range not satisfiable" where the part has all the bytes: a process was killed before it could use them."""
    answer = error.response
    if answer is None or answer.status_code != 416:
        return False
    return answer.headers.get("Content-Range", "") == f"bytes */{have}"


def _may_pass(error: Exception) -> bool:
    """A cut or a silence may pass; an answer that says no does not."""
    import requests

    passing = (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    return isinstance(error, passing)


def _unfit(what: str, request: Request) -> DownloadError:
    return DownloadError(f"the server {what}", request.url, request.by_hand)


def _refused(error: requests.exceptions.RequestException, request: Request) -> DownloadError:
    answer = error.response
    why = f"answers {answer.status_code} {answer.reason}" if answer is not None else f"cannot be asked ({error})"
    return _unfit(why, request)


def _cut(error: Exception, request: Request, have: int) -> DownloadError:
    if have:
        what = f"the connection was cut at {megabytes(have)}"
        return DownloadError(what, request.url, f"the same command goes on from there; or {request.by_hand}")
    import requests

    reason = "no network, or nobody answers"
    if isinstance(error, requests.exceptions.SSLError):
        reason = "its certificate is not trusted here: a network that inspects traffic?"
    elif isinstance(error, requests.exceptions.ProxyError):
        reason = "the proxy does not let it through"
    return DownloadError(f"cannot be reached ({reason})", request.url, request.by_hand)
