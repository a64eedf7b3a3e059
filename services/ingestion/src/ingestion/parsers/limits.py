"""What one parse may cost."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ParseLimits:
    """Bounds on one parse; beyond them it ends as PARSE_LIMIT or TOO_MANY_PAGES."""

    memory_bytes: int = 1024**3
    """Address space of the child, so also the size of the largest inflated stream."""
    cpu_seconds: int = 60
    wall_seconds: float = 90.0
    """From start to result; larger than the CPU limit to allow for a busy machine."""
    max_pages: int = 500
    max_result_bytes: int = 128 * 1024**2
    """Bytes of the child's answer that the parent is willing to hold."""
    require_confinement: bool = False
    """Whether a machine without seccomp or Landlock reads no document at all."""
