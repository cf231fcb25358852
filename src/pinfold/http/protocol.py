"""One HTTP/1.1 connection on which a client, whatever it sends or does not read, takes a bounded amount of memory.

uvicorn's protocol parses all that comes, queues every request that it finds, and leaves bodies and their trailers to
the parser, which has no limits.  Here the parser sees one head at a time and nothing else:

1. A head is passed on up to its end, within limits, while no other request is being answered.
2. It is checked (``head.body_length``).  The body is then counted, or decoded (``chunked``), here.
3. What follows waits undecoded, and nothing more is read, until the request is answered.

One timer a connection looks after everything that takes too long.
"""

from __future__ import annotations

import asyncio
import fcntl
import random
import socket
import struct
import termios
from typing import Any, Final

import httptools
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from pinfold.http.chunked import ChunkedBody
from pinfold.http.gathering import Gathering
from pinfold.http.head import CHUNKED, body_length
from pinfold.http.listener import Listener
from pinfold.http.refusal import Refusal, answer
from pinfold.telemetry import fields, logger, metrics

log = logger("http")

_HEAD_END: Final = b"\r\n\r\n"
_STALLED_S: Final = 3.0  # an upload that sent nothing for so long does not hold up a stop
_UNSENT_BYTES: Final = 128 << 10
"""What the kernel keeps of an answer beyond what is under way to the client.  It does not bound the rate of a long
link, as a limit of the whole send buffer would."""


class Flow(FlowControl):
    """Flow control that can hold back reading whatever the application asks for."""

    is_held = False

    def hold(self) -> None:
        """Read nothing until ``release``."""
        self.is_held = True
        self.pause_reading()

    def release(self) -> None:
        """Read again."""
        self.is_held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        """Read again, unless reading is held."""
        if not self.is_held:
            super().resume_reading()


class HttpProtocol(HttpToolsProtocol):
    """A connection of a listener."""

    transport: Gathering
    flow: Flow

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        listener: Listener,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._listener = listener
        self._limits = listener.limits
        self._address = ""
        self._socket: socket.socket | None = None
        self._pending = b""
        """What was received and not looked at."""
        self._head_bytes = 0  # of the head that is being read
        self._head_tail = b""  # its last bytes, in which its end may have begun
        self._head_since = 0.0
        self._is_head_whole = False
        self._body: int | ChunkedBody | None = None
        """What is still to come of a body: bytes, or chunks."""
        self.url, self.headers = b"", []
        self._fault: Refusal | None = None  # why the parser was interrupted
        self._refusal: Refusal | None = None
        self._discarded_bytes = 0
        self._is_lingering = False
        self._began_at = self._heard_at = self._idle_since = self._wrote_at = 0.0
        self._left_over: object = None  # a request that was answered before all of it had come, at the last check
        self._sent_bytes = 0  # what the client has taken, at the last check, and since when
        self._sent_since = 0.0
        self._window: tuple[float, int] | None = None  # where the average rate is counted from
        self._check: asyncio.TimerHandle | None = None

    # -- the connection ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Serve a new connection, or refuse it where there are too many."""
        super().connection_made(transport)
        self.flow = Flow(transport)
        self.transport = Gathering(transport, self.loop)
        self._socket = transport.get_extra_info("socket")
        self._bound_unsent()
        self._began_at = self._heard_at = self._idle_since = self._head_since = self.loop.time()
        self._address = self.client[0] if self.client else ""
        if not self._listener.connections.admit(self, self._address):
            self._refuse(Refusal(503, "there are too many connections", "TOO_MANY_CONNECTIONS", "Try again later."))
            return
        metrics.HTTP_CONNECTIONS.labels(self._listener.name).set(len(self._listener.connections))
        self._check = self.loop.call_later(self._limits.check_every_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget()
        if self._is_lingering:
            self._is_lingering = False
            self._listener.connections.lingering -= 1
        if self._check is not None:
            self._check.cancel()
            self._check = None
        self._pending = b""
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def _forget(self) -> None:
        self._listener.connections.remove(self, self._address)
        metrics.HTTP_CONNECTIONS.labels(self._listener.name).set(len(self._listener.connections))

    def _bound_unsent(self) -> None:
        option: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
        if option is None or self._socket is None or self._socket.family == socket.AF_UNIX:
            return
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, option, _UNSENT_BYTES)
        except OSError:
            pass  # the client has gone already, which is seen soon

    @property
    def idle_since(self) -> float | None:
        """When the last answer was taken, or the connection began; None while a request is answered."""
        is_idle = self.cycle is None or self.cycle.response_complete
        return self._idle_since if is_idle and not self.transport.get_write_buffer_size() else None

    @property
    def stalled_since(self) -> float | None:
        """When the client took something of the answer for the last time; None where it need not take anything."""
        return self._wrote_at if self.transport.get_write_buffer_size() else None

    def evict(self) -> None:
        """End the connection to make room for another."""
        self._ended("evicted")
        self._forget()
        self.cut()

    def cut(self) -> None:
        """Drop the connection; the request that runs on it sees its client gone."""
        self.transport.abort()

    def has_stalled(self, now: float) -> bool:
        """Whether the rest of a request has been waited for too long; ``now`` is the loop's time."""
        return self._body is not None and now - self._heard_at > _STALLED_S and not self.flow.read_paused

    def _ended(self, reason: str) -> None:
        metrics.HTTP_CONNECTIONS_ENDED.labels(self._listener.name, reason).inc()

    # -- what comes ----------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take bytes of the connection."""
        if self._refusal is not None:
            self._discard(data)
            return
        self._heard_at = self.loop.time()
        self._pending = self._pending + data if self._pending else data
        self._advance()

    def _advance(self) -> None:
        """Go on with what was received, as far as it may go now."""
        try:
            while self._pending and not self.transport.is_closing():
                if self._body is not None:
                    if not self._take_body(self._body):
                        self.flow.hold()
                        self.loop.call_soon(self._go_on)
                        return
                elif self.cycle is not None and not self.cycle.response_complete:
                    self.flow.hold()  # until it is answered
                    return
                else:
                    self._unset_keepalive_if_required()
                    self._take_head()
        except Refusal as exc:
            self._refuse(exc)

    def _go_on(self) -> None:
        if self._refusal is None and self.flow.is_held and not self.transport.is_closing():
            self.flow.release()
            self._advance()

    def _take_head(self) -> None:
        """Give the parser the next part of a head, and nothing behind it.  Raises: Refusal."""
        stream = self._pending
        end = _end_of_head(self._head_tail, stream)
        if not self._head_bytes:
            self._head_since = self.loop.time()
        room = self._limits.head_bytes - self._head_bytes
        part = stream[: min(end or len(stream), room)]
        self._pending = stream[len(part) :]
        self._head_bytes += len(part)
        self._is_head_whole = False
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade:
            # Another protocol is offered, and the offer is not taken up (RFC 9110, 7.8).
            self.parser = httptools.HttpRequestParser(self)
        except httptools.HttpParserError as exc:
            raise self._fault or _fault_of(exc, stream) from None
        if self._is_head_whole:
            self._head_bytes, self._head_tail = 0, b""
        elif len(part) == room:
            self._check_amounts()
            raise Refusal(431, f"the head is over the limit of {self._limits.head_bytes:,} bytes", "HEADERS_TOO_LARGE")
        else:
            self._head_tail = (self._head_tail + part)[-3:]

    def on_headers_complete(self) -> None:
        """The head is whole: the request begins, unless the head is refused."""
        try:
            self._check_amounts()
            length = body_length(self.parser.get_http_version(), self.headers)
        except Refusal as exc:
            self._fault = exc
            raise
        super().on_headers_complete()
        self._is_head_whole = True
        self._left_over = None
        if length:
            self._body = ChunkedBody(self._limits.trailer_bytes) if length == CHUNKED else length
            self.parser = httptools.HttpRequestParser(self)  # this one would wait for the body
        if self.loop.time() - self._began_at >= self._limits.life_s:
            self.cycle.keep_alive = False

    def _check_amounts(self) -> None:
        if len(self.url) > self._limits.target_bytes:
            raise Refusal(414, f"the address is over the limit of {self._limits.target_bytes:,} bytes", "URI_TOO_LONG")
        if len(self.headers) > self._limits.fields:
            raise Refusal(431, f"there are more than {self._limits.fields} header fields", "HEADERS_TOO_LARGE")

    def on_message_complete(self) -> None:
        """The parser takes the request to be whole: so it is, unless a body follows that it does not know of."""
        if self._body is None:
            super().on_message_complete()

    def _take_body(self, body: int | ChunkedBody) -> bool:
        """Pass on what was received of the body; False where others should have their turn before more is decoded.

        Raises:  Refusal.
        """
        if isinstance(body, int):
            data = self._pending[:body]
            self._pending = self._pending[len(data) :]
            self._body = body - len(data)
            is_whole = not self._body
        else:
            data, taken = body.take(self._pending, self._limits.chunks_per_turn)
            self._pending = self._pending[taken:]
            is_whole = body.is_complete
        if data:
            self.on_body(data)
        if is_whole:
            self._body = None
            super().on_message_complete()
            return True
        return not self._pending

    def on_response_complete(self) -> None:
        """The request is answered: read again, the next request first that has come already."""
        self._idle_since = self._wrote_at = self.loop.time()
        self.flow.is_held = False
        super().on_response_complete()
        self._advance()

    def pause_writing(self) -> None:
        """The client does not take the answer as fast as it is made."""
        self._wrote_at = self.loop.time()
        super().pause_writing()

    # -- what is refused -----------------------------------------------------------------------------------------------

    def _refuse(self, refusal: Refusal) -> None:
        """Answer a request that no application sees, and close; what still comes of it is discarded for a moment."""
        self._refusal = refusal
        self._pending = b""
        self._ended(refusal.code.lower())
        request_id = f"{random.getrandbits(64):016x}"
        log.info(
            "request refused",
            **{
                fields.REQUEST_ID: request_id,
                fields.STATUS: refusal.status,
                fields.CODE: refusal.code,
                fields.ERROR: refusal.sentence,
                fields.ADDRESS: self._address,
            },
        )
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started:
                self.cut()  # an answer in another answer would be taken for a part of it
                return
            self.cycle.disconnected = True  # its application is not to answer beside this
            self.cycle.message_event.set()
        self.transport.write(answer(refusal, self._listener.render, request_id))
        if not self._listener.connections.may_linger:
            self.transport.close()
            return
        self._is_lingering = True
        self._listener.connections.lingering += 1
        self._forget()
        self.transport.write_eof()
        self.flow.release()
        if self._check is not None:
            self._check.cancel()
        self._check = self.loop.call_later(self._limits.linger_s, self.cut)

    def _discard(self, data: bytes) -> None:
        self._discarded_bytes += len(data)
        if self._discarded_bytes > self._limits.linger_bytes:
            self.cut()

    # -- what takes too long -------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """End the connection where what should come, or be taken, is not; else look again later."""
        self._check = self.loop.call_later(self._limits.check_every_s, self._look)
        now = self.loop.time()
        if self._client_takes_nothing(now):
            self._ended("stalled_reader")
            self.cut()
        elif self.transport.is_closing():
            pass  # it ends when the client has taken the last answer
        elif self._body is not None:
            self._look_at_left_over(now)
        elif now - self._head_since <= self._limits.head_s:
            pass
        elif self._head_bytes:
            self._refuse(Refusal(408, "the head of the request came too slowly", "REQUEST_TIMEOUT"))
        elif self.cycle is None:  # between two requests uvicorn's timer runs
            self._ended("unused")
            self.transport.close()

    def _look_at_left_over(self, now: float) -> None:
        """End the connection where the rest of an answered request has not come for as long as a head may take."""
        if not self.cycle.response_complete:
            self._left_over = None
        elif self._left_over is not self.cycle:
            self._left_over, self._left_over_since = self.cycle, now
        elif now - self._left_over_since > self._limits.head_s:
            self._ended("left_over")
            self.transport.close()

    _left_over_since = 0.0

    def _client_takes_nothing(self, now: float) -> bool:
        """Whether an answer waits for a client that has not taken any of it for too long, or takes it too slowly."""
        waiting = self.transport.get_write_buffer_size()
        if not waiting:
            self._window = None
            return False
        sent = self.transport.written_bytes - waiting - self._unacknowledged()
        if self._window is None or sent < self._sent_bytes:
            self._window, self._sent_bytes, self._sent_since = (now, sent), sent, now
            return False
        if sent > self._sent_bytes:
            self._sent_bytes, self._sent_since = sent, now
        if now - self._sent_since > self._limits.send_silence_s:
            return True
        began, sent_then = self._window
        elapsed = now - began
        if elapsed < 2 * self._limits.send_silence_s:
            return False
        self._window = (now, sent)
        return sent - sent_then < elapsed * self._limits.send_bytes_per_s

    def _unacknowledged(self) -> int:
        """Bytes in the kernel that the client has not acknowledged; 0 where the system does not say."""
        if self._socket is None:
            return 0
        try:
            found = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        except OSError:
            return 0
        count: int = struct.unpack("i", found)[0]
        return count


def _end_of_head(tail: bytes, stream: bytes) -> int:
    """Where in ``stream`` a head ends whose last bytes before it were ``tail``; 0 where it does not end in it."""
    if tail:
        joined = tail + stream[: len(_HEAD_END) - 1]
        at = joined.find(_HEAD_END)
        if at >= 0:
            return at + len(_HEAD_END) - len(tail)
    at = stream.find(_HEAD_END)
    return at + len(_HEAD_END) if at >= 0 else 0


def _fault_of(exc: httptools.HttpParserError, stream: bytes) -> Refusal:
    if isinstance(exc, httptools.HttpParserInvalidMethodError):
        if stream[:1] == b"\x16":  # a TLS handshake
            return Refusal(400, "this port speaks HTTP, not HTTPS", "MALFORMED_REQUEST", "Use http:// in the address.")
        if stream[:1].isalpha():
            return Refusal(501, "the method is not known here", "METHOD_NOT_IMPLEMENTED")
    if isinstance(exc, httptools.HttpParserInvalidURLError):
        return Refusal(
            400,
            "the address has characters that must be percent-encoded",
            "MALFORMED_REQUEST",
            "Encode everything but ASCII letters, digits and -._~ as %XX, for example ü as %C3%BC.",
        )
    return Refusal(400, "the request is not well-formed HTTP", "MALFORMED_REQUEST")
