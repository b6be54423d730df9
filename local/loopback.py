"""The HTTP server that the stand-ins of Google, Stripe and of stores run on."""

from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from threading import Thread
from typing import Any

from local.processes import LOOPBACK


class LoopbackServer(ThreadingHTTPServer):
    """Serves in a thread of its own. Port 0 takes a free one."""

    daemon_threads = False  # so that closing waits for them

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__((LOOPBACK, port), handler)
        self.url = f"http://{LOOPBACK}:{self.server_port}"
        self._connections: list[socket] = []
        self._thread = Thread(target=self.serve_forever, args=(0.05,))

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Ends with all its connections: a client may keep one for long."""
        self.shutdown()
        for connection in self._connections:
            with suppress(OSError):  # closed already
                connection.shutdown(SHUT_RDWR)
        self.server_close()
        self._thread.join()

    def get_request(self) -> tuple[socket, Any]:
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address
