"""The in-memory twin of large files; its addresses lead nowhere."""

from urllib.parse import quote

from chalicelib.domain.errors import Unavailable


class MemoryFiles:
    """Keeps the port `Files`."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def upload_url(self, name: str, expires_in_seconds: int) -> str:
        return f"memory:{quote(name)}?put={expires_in_seconds}"

    def download_url(self, name: str, expires_in_seconds: int) -> str:
        return f"memory:{quote(name)}?get={expires_in_seconds}"

    def size(self, name: str) -> int | None:
        content = self.contents.get(name)
        return None if content is None else len(content)

    def read(self, name: str, start: int, length: int) -> bytes:
        if name not in self.contents:
            raise Unavailable("a file is gone")
        return self.contents[name][start : start + length]

    def write(self, name: str, content: bytes) -> None:
        self.contents[name] = content

    def remove(self, name: str) -> None:
        self.contents.pop(name, None)
