"""Images that are damaged inside, which is seen only when they are unpacked to the end; opening a cohort does not."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from LiverSegSSLLib.errors import ImageError
from LiverSegSSLLib.jobs.executors import usable_cores
from LiverSegSSLLib.volume import read_header, require_whole


def damaged_inside(images: Mapping[str, Path]) -> dict[str, str]:
    """What is wrong with those images, by case id, that cannot be read to the last voxel."""

    def fault(image: Path) -> str:
        try:
            require_whole(image, read_header(image), thorough=True)
        except ImageError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(usable_cores()) as pool:  # unpacking lets other threads work
        faults = dict(zip(images, pool.map(fault, images.values()), strict=True))
    return {case_id: what for case_id, what in faults.items() if what}
