"""One thread for small tensors: two gain nothing, and wait for each other on a busy machine."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Restored at the end, for the tests of other rooms in the same process."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
