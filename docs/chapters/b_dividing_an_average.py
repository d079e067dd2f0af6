# %% [markdown] slide="question"
# # Dividing an average
#
# !!! abstract "What you will be able to do"
#     - Divide a batch among processes, with the weights that keep the gradient what it was.
#     - Divide an average over a group, and say which two sums the processes must add up.
#     - Count the bytes that move, before you start a job.
#     - Decide whether you need any of it.
#
# A step of training is a sum over sets, and an average over a group is a sum over permutations. Both can be divided among
# processes, on one machine or on many. What must they tell each other so that the result stays the same?

# %%
import subprocess
import sys
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.flop_counter import FlopCounterMode

from invariant_nets import intrinsic, mlp, shard, symmetric_group
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table

# %% [markdown]
# ## Two sums
#
# Let a batch have $N$ sets, and let $\ell_i(z)$ be the loss of the $i$-th set when the network says $z$. (In this
# appendix $\ell$ is a loss, not a logit.) The network is an [average over a group](08_symmetrization.py):
#
# $$ L(\theta) = \frac1N \sum_{i=1}^N \ell_i\bigl( \bar f_\theta(x_i) \bigr), \qquad
#    \bar f_\theta(x) = \frac1{\lvert G \rvert} \sum_{\sigma \in G} f_\theta(\sigma \cdot x) . $$
#
# The work is a table of $N \lvert G \rvert$ evaluations, with a row per set and a column per permutation. Each of $K$
# processes, which are called *ranks*, can take some of the rows or some of the columns.
#
# - **Rows.** A rank knows $\bar f_\theta(x_i)$ and the loss of its own sets. The ranks add up gradients, once per step.
# - **Columns.** Even $\bar f_\theta(x_i)$ is a sum over ranks. The ranks add up outputs in the forward pass, and
#   gradients in the backward pass.
#
# An addition after which every rank has the sum is called an *all-reduce*. Who takes what is decided by
# [`shard`][invariant_nets.shard]: the parts follow each other and differ in length by at most one.
#
# ## Cutting the batch
#
# Let rank $r$ have $n_r$ of the $N$ sets, and let $L_r$ be the mean loss of its own. Then
#
# $$ \nabla L = \frac1N \sum_{r} \sum_{i \in \text{part } r} \nabla \ell_i
#    = \sum_{r} \frac{n_r}{N} \nabla L_r
#    = \frac1K \sum_{r} \nabla \Bigl( \frac{K n_r}{N} L_r \Bigr) . $$
#
# The last form is what is computed, since PyTorch's `DistributedDataParallel` takes the mean of the ranks' gradients.
# So each rank goes backward from its own mean loss times $K n_r / N$. With equal parts the factor is 1, and it is
# easily forgotten; then the sets of the smaller part count too much. Here are both, on seven sets:

# %%
torch.manual_seed(0)
network, x = intrinsic(10, 5), torch.randn(7, 10, 5)
y = torch.tensor([[1.0]] * 3 + [[0.0]] * 4)


def gradient(rows):
    own = slice(rows.start, rows.stop)
    loss = binary_cross_entropy_with_logits(network(x[own]), y[own])
    gradients = torch.autograd.grad(loss, network.parameters())
    return torch.cat([g.flatten() for g in gradients])


parts = [shard(7, rank, 2) for rank in range(2)]
whole_gradient = gradient(range(7))
weighted = sum(2 * len(part) / 7 * gradient(part) for part in parts) / 2
unweighted = sum(gradient(part) for part in parts) / 2
wrong_by = torch.stack((weighted, unweighted)) - whole_gradient
off, off_unweighted = wrong_by.norm(dim=1) / whole_gradient.norm()
print(f"relative error: weighted {off:.0e}, mean of means {off_unweighted:.0e}")

# %% [markdown]
# After the all-reduce all ranks have the same gradient, and their optimizers take the same step. The batch of all ranks
# together is the batch of one process, and so it is the same training. If instead each rank keeps a batch of the old
# size, $K$ ranks train with a batch $K$ times as large, which is another training and asks for another learning rate
# ([Goyal et al., 2017](../bibliography.md#goyal-2017)).
#
# ## Cutting the group
#
# Let rank $r$ have the part $P_r$ of the group, and let $y_r = \frac{1}{\lvert G \rvert} \sum_{\sigma \in P_r}
# f_\theta(\sigma \cdot x)$. An all-reduce gives every rank $\bar f_\theta(x) = \sum_r y_r$. For the backward pass ask
# who knows what. All ranks have the same output, so all compute the same loss and the same $\partial L / \partial \bar
# f$, with no communication. Since $\bar f$ is a plain sum, $\partial L / \partial y_r = \partial L / \partial \bar f$:
# **the gradient of an all-reduce is the identity**, if the ranks share one loss. Each rank goes backward through its
# own part, and finds its summands of
#
# $$ \frac{\partial L}{\partial \theta} = \sum_{r=1}^K \frac{\partial L}{\partial \bar f}
#    \frac{\partial y_r}{\partial \theta}, \qquad
#    \frac{\partial L}{\partial x} = \sum_{r=1}^K \frac{\partial L}{\partial \bar f}
#    \frac{\partial y_r}{\partial x}, $$
#
# and a second all-reduce adds them up. A rank must also find its part without listing the parts before it, which an
# [odometer](a_computing_groups.py) can: it starts at any element.
#
# [`SymmetryModel`][invariant_nets.SymmetryModel] does all this when it is given a `process_group`, as PyTorch calls a
# set of ranks, and [`Trainer.fit`][invariant_nets.Trainer] divides batches. Usually `torchrun` starts the ranks, and
# [`join_ranks`][invariant_nets.join_ranks] joins them. The job below forks two ranks, then runs alone: it averages over
# $S_5$ and notes the bytes of each all-reduce.

# %%
Path("job.py").write_text("""
import tempfile, torch, torch.distributed as dist
from torch.multiprocessing import start_processes
from invariant_nets import SymmetryModel, mlp, symmetric_group

def run(rank, ranks, store):
    torch.set_num_threads(1)
    if store:
        dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=ranks)
    moved, all_reduce = [], dist.all_reduce

    def counted(tensor, *arguments, **options):
        moved.append(tensor.nbytes)
        return all_reduce(tensor, *arguments, **options)

    dist.all_reduce = counted
    torch.manual_seed(0)
    group = dist.group.WORLD if store else None
    model = SymmetryModel(mlp(5, 3), symmetric_group(5), process_group=group)
    x = torch.randn(16, 5, 3, requires_grad=True)
    y = model(x)
    y.square().sum().backward()
    weights = torch.cat([p.grad.flatten() for p in model.parameters()])
    result = {"output": y.detach(), "gradient of x": x.grad, "of the weights": weights}
    torch.save((result, moved), f"result{rank}_of_{ranks}.pt")
    if store:
        dist.destroy_process_group()

with tempfile.TemporaryDirectory() as folder:
    start_processes(run, (2, f"{folder}/store"), nprocs=2, start_method="fork")
run(0, 1, None)
""")
run = subprocess.run([sys.executable, "job.py"], stderr=subprocess.PIPE)
assert run.returncode == 0, run.stderr
(alone, nothing), (first, moved), (second, also_moved) = (
    torch.load(f"result{rank}.pt") for rank in ("0_of_1", "0_of_2", "1_of_2")
)
errors = {
    name: float((alone[name] - first[name]).abs().max() / alone[name].abs().max())
    for name in alone
}
print("one process and two ranks:", {k: f"{e:.0e}" for k, e in errors.items()})

# %% [markdown]
# The ranks agree to the last bit, for they add up the same two numbers. With one process they agree to rounding, since
# addition in another order [rounds otherwise](../bibliography.md#goldberg-1991).
#
# ## What moves
#
# The bytes are easily predicted, with four per number: forward one output per set; backward the gradients of the
# weights and of the input, and one flag per tensor (did any rank use it?).

# %%
tensors = [*mlp(5, 3).parameters(), torch.zeros(16, 5, 3)]
predicted = [4 * 16, 4 * sum(t.numel() for t in tensors) + 4 * len(tensors)]
print("bytes added up, forward and backward:", moved, "predicted:", predicted)

# %% [markdown]
# The size of the group is not in these formulas: the work can grow while the bytes do not.
#
# ## First ask whether you need it
#
# To divide an enormous sum makes it feasible. It does not make it sensible. Count the operations of a step for the
# average of a perceptron over $S_{12}$, and of two other ways to the same symmetry. A backward pass costs two forward
# passes, and [recomputing](08_symmetrization.py) one more.


# %% slide="picture"
def operations(network):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 12, 5))
    return counter.get_total_flops()


group = symmetric_group(12)
ways = {
    "exact average over $S_{12}$": 4 * group.order * operations(mlp(12, 5)),
    "average over 1,000 draws": 4 * 1000 * operations(mlp(12, 5)),
    "equivariant layers": 3 * operations(intrinsic(12, 5)),
}
table([{"way": name, "operations per set": f"{n:.1e}"} for name, n in ways.items()])

# %% [markdown]
# A mean of $k$ draws misses the exact average by $1/\sqrt k$ of the spread over orders, as [chapter
# 8](08_symmetrization.py) derives and measures: by three hundredths for a thousand draws, at a millionth of the
# operations. [Equivariant layers](04_averaged_layer.py) are invariant exactly, in a single pass. Divide an exact
# average if it must be *this* network and *exactly* invariant; a small group of an expensive network is the likelier
# case. Otherwise do not.
#
# ## Check the claims

# %%
assert off < 1e-5 < 0.1 < off_unweighted
assert all(torch.equal(first[name], second[name]) for name in first)
assert max(errors.values()) < 1e-5
assert moved == also_moved == predicted
assert nothing == []
exact, thousand, layers = ways.values()
assert exact > 400_000 * thousand > 1e8 * layers

# %% [markdown] slide="verdict"
# ## Summary
#
# - Cut the batch: each rank goes backward from $K n_r / N$ times its mean loss; gradients are added once per step.
# - Cut the group: outputs are added forward, gradients backward; the gradient of the all-reduce is the identity.
# - First ask whether draws, or equivariant layers, would do on one device.
#
# ## Exercises
#
# **1.** Seven sets on two ranks, three and four. If the gradients of the ranks' mean losses are simply averaged, by
# which factors do the sets of the first and of the second rank count too much or too little?
#
# ??? success "Solution"
#     The weights are $\frac12 \cdot \frac13$ and $\frac12 \cdot \frac14$ in place of $\frac17$: factors $\frac76$ and
#     $\frac78$, in general $\frac{N}{K n_r}$.

# %% exercise="1"
answer_1 = ...  # two numbers in a tuple

# %% solution="1"
answer_1 = 7 / (2 * 3), 7 / (2 * 4)

# %% check="1"
check_1 = AnswerCheck("B.1", digest="53fb3c0058e36357")
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[(6 / 7, 8 / 7), (7 / 8, 7 / 6), (7 / 3, 7 / 4)])

# %% [markdown]
# **2.** A share $s = 0.1$ of a step is done whole by every rank, the rest is divided, and messages cost nothing. The
# *efficiency* is the time of one process over the total time of all ranks. What is it for 100 ranks?
#
# ??? success "Solution"
#     $\frac{t_1}{K t_K} = \frac{1}{1 + s (K - 1)}$, which is Amdahl's law.

# %% exercise="2"
answer_2 = ...

# %% solution="2"
answer_2 = 1 / (1 + 0.1 * 99)

# %% check="2"
check_2 = AnswerCheck("B.2", digest="54da4cf83e274d0d")
check_2(answer_2)

# %% wrong="2"
check_2.holds(answer_2, wrong=[0.1, 0.9, 9.17, 0.109])

# %% [markdown]
# **3.** Write what one rank contributes to the mean of `f(x[:, row])` over the rows, so that the contributions of all
# ranks add up to it. There may be more ranks than rows.
#
# ??? success "Solution"
#     Divide by the number of all rows, not of one's own.


# %% exercise="3"
def part_of_mean(f, rows, x, rank, ranks): ...


# %% solution="3"
def part_of_mean(f, rows, x, rank, ranks):
    own = shard(len(rows), rank, ranks)
    return sum((f(x[:, rows[i]]) for i in own), torch.zeros(len(x))) / len(rows)


# %% check="3"
def law_3(part_of_mean):
    def f(x):
        return x[:, 0, 0] * x[:, 1, 1].exp()

    x = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(0))
    rows = next(symmetric_group(3).elements()).long()
    mean = torch.stack([f(x[:, row]) for row in rows]).mean(0)
    for ranks in (1, 2, 4, 7):
        parts = [part_of_mean(f, rows, x, rank, ranks) for rank in range(ranks)]
        assert torch.allclose(sum(parts), mean), f"{ranks} ranks miss the mean"


check_3 = CodeCheck("3", law_3)
check_3(part_of_mean)

# %% wrong="3"
scaled = [lambda *a: part_of_mean(*a) / 2, lambda *a: part_of_mean(*a) * a[-1]]
check_3.holds(
    part_of_mean, wrong=[*scaled, lambda f, rows, *a: f(a[0]) / len(rows)]
)

# %% [markdown]
# ## Sources
#
# - [Li et al. (2020)](../bibliography.md#li-2020): how PyTorch averages gradients during the backward pass.
# - [Goyal et al. (2017)](../bibliography.md#goyal-2017): what a larger batch asks of the learning rate.
