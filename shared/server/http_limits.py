"""What comes before a request's body, under a cap and in time; uvicorn limits neither."""

from asyncio import Transport

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Bytes of a request's line and headers, of what stands between its chunks, and of trailers.
MOST = 65_536
# For a request's line and headers to arrive, from the connection or their first byte on.
SECONDS = 10.0
REFUSED = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class Limited(HttpToolsProtocol):
    """Closes connections that send too much or nothing before anybody could ask for a password."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Wait for a first request."""
        super().connection_made(transport)
        self._since, self._in_head = 0, False
        self._alarm = self.loop.call_later(SECONDS, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._alarm.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes; those that are no body are counted until something comes of them."""
        self._since += len(data)
        super().data_received(data)
        if self._since > MOST and not self.transport.is_closing():
            self.transport.write(REFUSED)
            self.transport.close()
        elif self._in_head and self._alarm.cancelled():
            self._alarm = self.loop.call_later(SECONDS, self._late)

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._since, self._in_head = 0, False
        self._alarm.cancel()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body, which has limits of its own: see `BodyReader`."""
        self._since = 0
        super().on_body(body)

    def _late(self) -> None:
        """Close, unless an earlier request on this connection is being answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._alarm = self.loop.call_later(SECONDS, self._late)
        else:
            self.transport.abort()
