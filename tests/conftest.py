import pytest
import torch


def pytest_collection_modifyitems(items):
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


class _StandIn:
    """An experiment's ``attribute``: random maps and gaps by the generator; counts calls, may stop at one of them."""

    def __init__(self, stop_at=None):
        self.calls, self.stop_at = 0, stop_at

    def __call__(self, method, model, inputs, *, generator, **options):
        self.calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        maps = torch.randn(inputs[:, :1].shape, generator=generator, dtype=torch.float64)
        return maps + len(method), torch.rand(len(inputs), generator=generator)


@pytest.fixture
def stand_in():
    """Makes stand-ins for what costs the time in experiments on images: ``stand_in(stop_at=None)``."""
    return _StandIn
