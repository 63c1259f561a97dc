from pathlib import Path

import pytest

from LiverSegSSLLib.cohort.study import Case, Phase


@pytest.fixture
def case() -> Case:
    return Case("P1", Phase.T2, Path("P1/T2.nii.gz"), vendor="A")
