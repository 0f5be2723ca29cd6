"""Existence and behavior of each private name of torch that keras-seq uses."""

import pytest
from helpers import BACKEND

from keras_seq._internal import torch_compat

pytestmark = pytest.mark.skipif(BACKEND != "torch", reason="only on torch")


def test_is_transformed():
    import torch

    seen = []

    def function(x):
        seen.append(torch_compat.is_transformed())
        return x.sum()

    x = torch.ones(2)
    function(x.requires_grad_()).backward()
    torch.func.grad(function)(x)
    torch.func.vmap(function)(x[:, None])
    torch.func.jvp(function, (x,), (x,))
    with torch.autograd.forward_ad.dual_level():
        function(x)
    assert seen == [False, True, True, True, True]
    assert not torch_compat.is_transformed()
