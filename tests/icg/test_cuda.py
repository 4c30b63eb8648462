"""What must hold on a CUDA device; skipped without one."""

import pytest
import torch

import icg
from icg import baselines, damage
from icg.certainty import join
from icg.models import BurntSnacksNet

pytestmark = pytest.mark.cuda


@pytest.fixture
def network():
    torch.manual_seed(0)
    return BurntSnacksNet().eval()


METHODS = {
    "gradient": lambda m, x, g: icg.gradient(m, x),
    "smoothgrad": lambda m, x, g: icg.smoothgrad(m, x, n_steps=6, generator=g),
    "agn": lambda m, x, g: icg.integrated_gradients(
        m, x, baselines.gaussian_noise(n_samples=4), n_steps=4, generator=g
    ),
    "eg": lambda m, x, g: icg.expected_gradients(
        m, x, torch.linspace(0, 1, 8 * 2500).view(8, 1, 50, 50).to(x), n_steps=16, generator=g
    ),
    "icg": lambda m, x, g: icg.integrated_certainty_gradients(m, x, n_steps=20),
    "random path": lambda m, x, g: icg.random_path_certainty_gradients(m, x, n_steps=8, generator=g),
    "blocks": lambda m, x, g: icg.block_path_certainty_gradients(m, x, n_steps=8, generator=g),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_cpu_generator_gives_the_same_attributions_on_both_devices(name, network):
    x = join(torch.rand(3, 1, 50, 50, generator=torch.Generator().manual_seed(1)))
    on_cpu = METHODS[name](network.double(), x.double(), torch.Generator().manual_seed(2))
    on_gpu = METHODS[name](network.cuda(), x.double().cuda(), torch.Generator().manual_seed(2))
    assert on_gpu.is_cuda
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, rtol=1e-6, atol=1e-9)


def test_damage_is_drawn_on_the_device_of_its_generator():
    values = torch.rand(64, 3, 16, 16, device="cuda")
    first, second = (damage.mixed_damage(values, generator=torch.Generator("cuda").manual_seed(0)) for _ in range(2))
    assert first.is_cuda and torch.equal(first, second)
    mean = torch.tensor([0.001, 0.3, 0.5, 0.999], device="cuda", dtype=torch.float64)
    found = damage.continuous_bernoulli_mean(damage.continuous_bernoulli_logit(mean))
    torch.testing.assert_close(found, mean, rtol=0, atol=1e-6)


def test_a_batch_too_large_for_the_device_is_halved():
    class Wide(torch.nn.Module):
        def forward(self, x):  # 256 MiB a point: a terabyte for all 4096
            return (x.mean(1, keepdim=True) * torch.ones(1, 2**26, device=x.device)).sum(1)

    got = icg.integrated_gradients(Wide(), torch.ones(1, 4, device="cuda"), n_steps=4096)
    torch.testing.assert_close(got.sum(), torch.tensor(2.0**26, device="cuda"), rtol=1e-3, atol=0)
