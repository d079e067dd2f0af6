"""What must hold of every module on sets: copied, saved, compiled, exported, vmapped, rounded."""

import copy
import pickle

import torch
from torch import nn
from torch.export import Dim
from torch.nn.attention import SDPBackend, sdpa_kernel


def calls(x):
    """A call without and one with a mask that has an empty set."""
    mask = torch.rand(x.shape[:2], generator=torch.Generator().manual_seed(0)) < 0.6
    mask[0] = False
    return [{}, {"mask": mask}]


def assert_portable(make, x, pickled=True):
    """Every copy of `make()` gives what it gives, with a mask and without, with its gradients."""
    module, other = make(), make()
    other.load_state_dict(module.state_dict())
    copies = [other, copy.deepcopy(module)]
    if pickled:
        copies.append(pickle.loads(pickle.dumps(module)))
    torch.compiler.reset()  # each module is compiled as if it were alone
    copies.append(torch.compile(module, fullgraph=True, backend="aot_eager"))
    for options in calls(x):
        exported = torch.export.export(module, (x,), options).module()
        y = module(x, **options)
        slopes = torch.autograd.grad(y.square().sum(), list(module.parameters()))
        for made in [*copies, exported]:
            z = made(x, **options)
            torch.testing.assert_close(z, y)
            again = torch.autograd.grad(z.square().sum(), list(made.parameters()))
            torch.testing.assert_close(again, slopes)


def assert_exported_for_every_size(module, x):
    """Exported with the batch and the set axis free, it takes other sizes, padded or not."""
    sizes = {0: Dim("batch", min=2, max=64), 1: Dim("n", min=2, max=64)}
    larger = torch.cat([x, x.flip(1)]).repeat_interleave(2, 1)
    for options, others in zip(calls(x), calls(larger), strict=True):
        shapes = {"x": sizes, **dict.fromkeys(options, sizes)}
        exported = torch.export.export(module, (x,), options, dynamic_shapes=shapes).module()
        torch.testing.assert_close(exported(larger, **others), module(larger, **others))


def assert_close_in_low_precision(module, x, atol=0.1):
    """In bfloat16, and under autocast, the outputs stay close, and the gradients finite."""
    low = copy.deepcopy(module).bfloat16()
    for options in calls(x):
        y = module(x, **options)
        rounded = low(x.bfloat16(), **options)
        assert rounded.dtype == torch.bfloat16
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = module(x, **options)
        for z, parameters in ((rounded, low.parameters()), (mixed, module.parameters())):
            torch.testing.assert_close(z.float(), y, atol=atol, rtol=0.1)
            assert all(p.isfinite().all() for p in gradients(z.float().sum(), parameters))


def gradients(loss, parameters):
    parameters = list(parameters)
    return torch.autograd.grad(loss, parameters) if parameters else ()


def assert_vmaps(make, x, copies=3):
    """One call over stacked parameters is the calls of the modules, one after the other."""
    modules = [make() for _ in range(copies)]
    stacked = torch.func.stack_module_state(modules)
    base = copy.deepcopy(modules[0])
    for options in calls(x):

        def call(parameters, buffers, options=options):
            return torch.func.functional_call(base, (parameters, buffers), (x,), options)

        with sdpa_kernel(SDPBackend.MATH):
            y = torch.func.vmap(call)(*stacked)
        torch.testing.assert_close(y, torch.stack([m(x, **options) for m in modules]))


def shuffle_parameters(module: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every parameter anew, biases and gains too, so that none is at a special value."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=source))
    return module
