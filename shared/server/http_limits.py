"""Limits the size and time of a request's line and headers, which uvicorn does not."""

from asyncio import Transport

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Of a request's line and headers, of what is between the chunks of a body, and of trailers.
MAX_HEAD_BYTES = 65_536
# For a request's line and headers to arrive, counted from the connection or their first byte.
HEAD_SECONDS = 10.0
TOO_LARGE_RESPONSE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class LimitedHttpProtocol(HttpToolsProtocol):
    """Closes connections that send too much, or nothing, before a password could be checked."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start waiting for the first request; close what the application has no room for."""
        super().connection_made(transport)
        self._unparsed_bytes, self._in_head = 0, False
        self._timer = self.loop.call_later(HEAD_SECONDS, self._close_idle)
        most = getattr(self.config.app, "max_connections", None)  # see `WorkerApp`
        if most is not None and len(self.connections) > most:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what arrives until a head or a part of a body has been parsed from it."""
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self._unparsed_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(TOO_LARGE_RESPONSE)
            self.transport.close()
        elif self._in_head and self._timer.cancelled():
            self._timer = self.loop.call_later(HEAD_SECONDS, self._close_idle)

    def on_message_begin(self) -> None:
        """Note the first byte of a head."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop waiting: the head has arrived."""
        self._unparsed_bytes, self._in_head = 0, False
        self._timer.cancel()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count anew after a part of the body, which has limits of its own: see `BodyReader`."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def _close_idle(self) -> None:
        """Close, unless an earlier request on this connection is being answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._close_idle)
        else:
            self.transport.abort()
