"""A depot's files in a folder or an object store, through pyarrow."""

from __future__ import annotations

from typing import Any

from stillwatch.errors import ConfigError, why

__all__ = ["ObjectFiles"]


class ObjectFiles:
    """Objects below a folder, or an address that pyarrow knows: ``s3://bucket/prefix?region=…``,
    ``gs://…``. Credentials come from where the store's own tools take them.

    Raises ConfigError: the address cannot be read.
    """

    def __init__(self, root: str) -> None:
        import pyarrow as pa
        from pyarrow import fs

        self._missing = fs.FileType.NotFound
        try:
            if "://" in root:
                self._system, path = fs.FileSystem.from_uri(root)
            else:
                self._system, path = fs.LocalFileSystem(), root
                self._system.create_dir(path, recursive=True)
        except (OSError, pa.ArrowException) as error:
            raise ConfigError(
                f"no depot can be there ({why(error)})", where="DEPOT",
                hint="a folder, or s3://bucket/prefix",
            ) from error  # fmt: skip
        self._local = "://" not in root
        self._root = path.rstrip("/")

    def read(self, name: str) -> bytes | None:
        """Return an object, None where there is none. Raises OSError."""
        path = f"{self._root}/{name}"
        if self._system.get_file_info(path).type == self._missing:
            return None
        with self._system.open_input_stream(path) as stream:
            return bytes(stream.read())

    def write(self, name: str, data: bytes) -> None:
        """Write an object whole; a store does so itself, a folder by renaming. Raises OSError."""
        path = f"{self._root}/{name}"
        aside: Any = f"{path}.part" if self._local else path
        with self._system.open_output_stream(aside) as stream:
            stream.write(data)
        if self._local:
            self._system.move(aside, path)

    def names(self) -> list[str]:
        """Return the names of the objects right below the root. Raises OSError."""
        from pyarrow import fs

        found = self._system.get_file_info(fs.FileSelector(self._root))
        return [info.base_name for info in found if info.is_file]

    def remove(self, name: str) -> None:
        """Remove an object; one that is not there is removed already. Raises OSError."""
        path = f"{self._root}/{name}"
        if self._system.get_file_info(path).type != self._missing:
            self._system.delete_file(path)
