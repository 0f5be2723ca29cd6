"""Private names of torch that keras-seq uses, each with its reason."""


def is_transformed() -> bool:
    """Return whether a transform of `torch.func` is active, or forward-mode differentiation.

    torch supports neither `jvp` nor `vmap` for all of its functions. No public function tells
    whether they are active.
    """
    import torch

    level: int = torch.autograd.forward_ad._current_level
    return level >= 0 or bool(torch._C._are_functorch_transforms_active())
