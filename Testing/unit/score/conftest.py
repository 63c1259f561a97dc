from pathlib import Path

import pytest
from hypothesis import settings

from LiverSegSSLLib.cohort.study import Case, Phase

# How long one example takes says more about the machine's other work than about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture
def case() -> Case:
    return Case("P1", Phase.T2, Path("P1/T2.nii.gz"), vendor="A")
