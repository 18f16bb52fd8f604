"""Objects as another process gets them: packed once here, unpacked once there."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from typing import Any

from proofs_check.kept_memory import keep_freed_memory


@dataclass(frozen=True)
class Packed:
    """An object in bytes. Only what this program packed itself is ever unpacked."""

    digest: bytes
    content: bytes

    @staticmethod
    def of(whole: object) -> Packed:
        """Pack it; raises what pickle raises where it cannot be."""
        content = pickle.dumps(whole)
        return Packed(hashlib.sha256(content).digest(), content)

    def unpacked(self) -> Any:
        """Return the object that this process has unpacked already, with all it has worked out since, if it is the latest."""
        whole = _here.get(self.digest)
        if whole is None:
            keep_freed_memory()
            whole = pickle.loads(self.content)
            _here.clear()  # another thread of this process may be at another one, and keeps its own
            _here[self.digest] = whole
        return whole


_here: dict[bytes, Any] = {}
