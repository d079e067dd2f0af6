# %% [markdown]
# # Beyond one machine
#
# A step of training is a sum over sets. An average over a group is a sum over permutations. Addition
# does not care who adds. So both sums can be divided among several processes, on the cores of one
# machine or on thousands of devices. What must these tell each other? Does the result stay the
# same? And up to how many of them does it pay?
#
# You will start jobs of two and of four processes on this page, find the losses and gradients of a
# single process again, count the bytes that move, measure what the division gains on the machine that
# builds the page, plan it on paper for thousands of devices, and kill a process in the middle of its
# work.

# %%
import inspect
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.flop_counter import FlopCounterMode

from invariant_nets import intrinsic, mlp, shard, symmetric_group
from invariant_nets.figures import INK, table, use_book_style

use_book_style()

# %% [markdown]
# ## Two sums
#
# Let a batch have $N$ sets, and let $\ell_i(z)$ be the loss of the $i$-th of them when the network says
# $z$. (In this chapter $\ell$ is a loss, not a logit.) The network is an
# [average over a group](08_symmetrization.py). Then the loss of the batch and its gradient are
#
# $$ L(\theta) = \frac1N \sum_{i=1}^N \ell_i\bigl( \bar f_\theta(x_i) \bigr), \qquad
#    \bar f_\theta(x) = \frac1{\lvert G \rvert} \sum_{\sigma \in G} f_\theta(\sigma x), $$
#
# $$ \nabla L(\theta) = \frac1N \sum_{i=1}^N \ell_i'\bigl( \bar f_\theta(x_i) \bigr)
#    \frac1{\lvert G \rvert} \sum_{\sigma \in G} \nabla_\theta f_\theta(\sigma x_i) . $$
#
# The work is a table of $N \lvert G \rvert$ evaluations, a row for each set and a column for each
# permutation. It can be cut in two directions, and they are not alike.
#
# - *Between rows.* A rank, as one calls each of the $K$ processes, takes some of the sets. It has whole
#   rows, so it knows its $\bar f_\theta(x_i)$ and their losses. What it cannot know is the rest of the
#   sum over $i$. The ranks add up **gradients, once a step**.
# - *Between columns.* A rank takes some of the permutations. Now even $\bar f_\theta(x_i)$ is a sum over
#   ranks, and $\ell_i'$ cannot be computed before it is known. The ranks add up **outputs in the forward
#   pass and gradients in the backward pass**.
#
# Both at once make a *mesh* of ranks. Who takes what is decided by one function,
# [`shard`][invariant_nets.shard]: the parts follow each other and differ in length by at most
# one. Where there are too few items, some ranks have none.

# %%
print("7 sets, 2 ranks: ", [shard(7, rank, 2) for rank in range(2)])
print("6 permutations, 2 ranks: ", [shard(6, rank, 2) for rank in range(2)])
print("2 permutations, 3 ranks: ", [shard(2, rank, 3) for rank in range(3)])

# %% alt="A table of 7 rows, the sets, and 6 columns, the elements of S_3, in four colored blocks, one for each of 2 × 2 ranks: the batch is cut between rows, the group between columns. An arrow along a row: its average is a sum over two ranks. Below: the gradient is a sum over all four."
elements = next(iter(symmetric_group(3).elements())).tolist()
fig, ax = plt.subplots(figsize=(8, 3.7))
for data in range(2):
    for group in range(2):
        rows, columns = shard(7, data, 2), shard(6, group, 2)
        corner = columns.start + 0.04, rows.start + 0.04
        size = len(columns) - 0.08, len(rows) - 0.08
        ax.add_patch(plt.Rectangle(corner, *size, color=f"C{2 * data + group}"))
        middle = columns.start + len(columns) / 2, rows.start + len(rows) / 2
        style = {"color": "white", "ha": "center", "va": "center", "weight": "bold"}
        style["bbox"] = {"color": f"C{2 * data + group}", "pad": 3}
        ax.text(*middle, f"rank ({data}, {group})", **style)
ax.hlines([1, 2, 4, 5, 6], 0, 6, color="white", lw=0.7, alpha=0.4)
ax.vlines([1, 2, 4, 5], 0, 7, color="white", lw=0.7, alpha=0.4)
for j, element in enumerate(elements):
    ax.text(j + 0.5, -0.1, "".join(map(str, element)), ha="center", va="bottom")
for i in range(7):
    ax.text(-0.1, i + 0.5, f"$x_{i}$", ha="right", va="center")
ax.text(-0.6, 3.5, "the batch", ha="right", va="center", rotation=90)
ax.text(3, -0.75, "the group", ha="center", va="bottom")
arrow = {"arrowstyle": "-|>", "color": INK}
ax.annotate("", (6.9, 0.5), (6.1, 0.5), arrowprops=arrow)
ax.text(7.0, 0.5, r"$\bar f(x_0)$: a sum" + "\nover two ranks", va="center")
ax.annotate("", (3, 7.8), (3, 7.05), arrowprops=arrow)
ax.text(3.15, 7.4, "the gradient: a sum over all four", va="center")
ax.set(xlim=(-1, 9.4), ylim=(7.9, -1.4))
ax.axis("off")
plt.show()

# %% [markdown]
# ## A job
#
# `torchrun` starts $K$ processes of one script and tells each of them, in environment variables, which
# rank it is and where to meet the others. On a terminal one types
#
# ```sh
# torchrun --standalone --nproc-per-node=2 job.py
# ```
#
# On this page the script is made from functions that stand in its cells, so that you see all of it, and
# so that the same function can be called here as well, in a single process. What the functions return
# is kept in a file a rank, and read back. Two things keep such a job tidy: it says why it failed, and it
# ends when this notebook does, for its standard input is a pipe whose other end is held here.

# %%
HEAD = """\
import os, threading

def end_with_the_notebook():
    os.read(0, 1)  # waits; returns when nobody holds the other end
    os._exit(1)

threading.Thread(target=end_with_the_notebook, daemon=True).start()
"""
TAIL = """
import torch
results = [function() for function in functions]
torch.save(results, f"results{os.environ['RANK']}.pt")
"""


def torchrun(ranks: int, *functions, needs=(), restarts: int = 0) -> list:
    """Call functions on several ranks, and return a list of their results a rank."""
    names = ", ".join(function.__name__ for function in functions)
    sources = [inspect.getsource(function) for function in (*needs, *functions)]
    script = "\n\n".join([HEAD, *sources, f"functions = [{names}]", TAIL])
    Path("job.py").write_text(script)
    options = [
        "--standalone",
        f"--nproc-per-node={ranks}",
        f"--max-restarts={restarts}",
    ]
    stdin, held = os.pipe()
    try:
        job = subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", *options, "job.py"],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=500,
        )
    finally:
        os.close(held)
        os.close(stdin)
    if job.returncode:
        raise RuntimeError(f"the job ended with {job.returncode}:\n{job.stderr}")
    return [torch.load(f"results{rank}.pt") for rank in range(ranks)]


# %% [markdown]
# ## Cutting the batch
#
# Let rank $r$ have $n_r$ of the $N$ sets, and let $L_r$ be the mean loss of its own. Then
#
# $$ \nabla L = \frac1N \sum_{r} \sum_{i \in \text{part } r} \nabla \ell_i
#    = \sum_{r} \frac{n_r}{N} \nabla L_r
#    = \frac1K \sum_{r} \nabla \Bigl( \frac{K n_r}{N} L_r \Bigr) . $$
#
# The last form is what is computed. The usual tool, PyTorch's `DistributedDataParallel`, takes the mean
# of the ranks' gradients by an *all-reduce*: an operation after which every rank has the sum of what all
# ranks brought. So each rank goes backward from its own mean loss times $K n_r / N$. With equal parts
# that factor is 1, and is often forgotten; then a batch that does not divide evenly weighs its sets
# unequally ([exercise 1](#exercises)).
#
# After the all-reduce all ranks have the same gradient, so their optimizers take the same step, and
# nothing else ever needs to be sent.
# [`BinaryTrainer.fit`][invariant_nets.BinaryTrainer] does this whenever it finds itself
# started by `torchrun`. Here is a training like those of the chapters before, with batches of 25, which
# two ranks can only divide into 12 and 13.


# %%
def train(dataset=None, checkpoint=None):
    import torch
    from torch import nn
    from torch.utils.data import DataLoader

    from invariant_nets import BinaryTrainer, GaussianDataset, intrinsic

    torch.manual_seed(0)
    model = intrinsic(10, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    dataset = dataset or GaussianDataset
    train = dataset(800, (10, 5), 1.0, 0.8, static=False)
    test = GaussianDataset(500, (10, 5), 1.0, 0.8, static=True)
    history = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer).fit(
        DataLoader(train, 25, shuffle=True),
        DataLoader(test, 500),
        num_epochs=5,
        checkpoint=checkpoint,
    )
    weights = torch.cat([p.detach().flatten() for p in model.parameters()])
    return {
        "losses": torch.tensor([history.train_loss, history.test_loss]),
        "weights": weights,
    }


alone = train()
(first,), (second,) = torchrun(2, train)

# %% [markdown]
# Nothing in `train` speaks of ranks. Called here, it trained in this process. Called by two ranks, it
# gave each of them half of every batch.

# %%
print("ranks: same bits:", torch.equal(first["weights"], second["weights"]))
for name in ("losses", "weights"):
    difference = (alone[name] - first[name]).abs().max()
    print(f"one process, two ranks: {name} differ by at most {difference:.1e}")
table(
    [
        {
            "epoch": epoch + 1,
            "training loss, one process": alone["losses"][0, epoch].item(),
            "two ranks": first["losses"][0, epoch].item(),
        }
        for epoch in range(5)
    ],
    digits=8,
)

# %% [markdown]
# The two ranks agree to the last bit, for both add up the same two numbers. They agree with the single
# process to rounding only, since it adds in another order, and floating-point addition is
# [not associative](../bibliography.md#goldberg-1991).
#
# The batch of all ranks together is the batch of one process, and so it is the same training. If
# instead each rank keeps a batch of its own size, $K$ ranks train with a batch $K$ times as large:
# fewer steps an epoch, with less noise. That is another training, which wants another learning rate
# ([Goyal et al., 2017](../bibliography.md#goyal-2017), scale it with the batch and begin more slowly), and
# beyond some batch size it gains nothing any more.
#
# ## Cutting the group
#
# Let rank $r$ have the part $P_r$ of the group. For a set $x$ it computes the weighted part
# $y_r = \frac{1}{\lvert G \rvert} \sum_{\sigma \in P_r} f_\theta(\sigma x)$, and an all-reduce gives every
# rank
#
# $$ \bar f_\theta(x) = \sum_{r=1}^K y_r . $$
#
# For the backward pass ask who knows what. All ranks have the same output, so all compute the same loss
# and the same $\partial L / \partial \bar f$, without a word. Since $\bar f$ is a plain sum,
# $\partial L / \partial y_r = \partial L / \partial \bar f$: each rank can go backward through its own part
# at once. It fetches no gradient from the others, since the ranks share one loss and do not have one
# each. What it finds are its summands of
#
# $$ \frac{\partial L}{\partial \theta} = \sum_{r=1}^K \frac{\partial L}{\partial \bar f}
#    \frac{\partial y_r}{\partial \theta}, \qquad
#    \frac{\partial L}{\partial x} = \sum_{r=1}^K \frac{\partial L}{\partial \bar f}
#    \frac{\partial y_r}{\partial x}, $$
#
# and a second all-reduce adds them up. What goes forward has the size of the output, what comes back
# the size of all that gets gradients.
#
# A rank must also find its part without listing the parts before it. A group is here an
# [odometer](12_any_group.py): it starts at any element. The last of 16,384 ranks begins its part of
# $S_{12}$ as fast as the first.

# %%
S12 = symmetric_group(12)
part = shard(S12.order, 16_383, 16_384)
(rows,) = S12.elements(part.start, part.start + 2)
print(f"{len(part):,} of {S12.order:,} elements, the first of them")
print(rows.tolist())

# %% [markdown]
# [`SymmetryModel`][invariant_nets.SymmetryModel] does all that when it is given a
# `process_group`, as PyTorch calls a set of ranks. (With `samples=k` it divides the draws.) The first
# function below averages over $S_7$, and writes down how many bytes each all-reduce adds up. The second
# trains on a mesh of $2 \times 2$ ranks: the trainer is told which axis divides the batch, the model
# which one divides the group. Both run on four ranks, and alone.


# %%
def bytes_added_up(work):
    """Return how many bytes each all-reduce of some work adds up."""
    from unittest import mock

    import torch.distributed as dist

    counts, all_reduce = [], dist.all_reduce

    def counted(tensor, *arguments, **options):
        counts.append(tensor.nbytes)
        return all_reduce(tensor, *arguments, **options)

    with mock.patch.object(dist, "all_reduce", counted):
        work()
    return counts


def average():
    import torch
    import torch.distributed as dist

    from invariant_nets import SymmetryModel, join_ranks, mlp, symmetric_group

    join_ranks()  # does nothing in a single process
    group = dist.group.WORLD if dist.is_initialized() else None
    torch.manual_seed(0)
    model = SymmetryModel(mlp(7, 5), symmetric_group(7), process_group=group)
    x = torch.randn(16, 7, 5, requires_grad=True)
    outputs = []

    def work():
        outputs.append(model(x))
        outputs[0].square().sum().backward()

    moved = bytes_added_up(work)
    gradients = torch.cat([p.grad.flatten() for p in model.parameters()])
    return {
        "output": outputs[0].detach(),
        "gradient of x": x.grad,
        "gradient of the weights": gradients,
        "moved": moved,
    }


def on_a_mesh():
    import torch
    import torch.distributed as dist
    from torch import nn
    from torch.distributed.device_mesh import init_device_mesh
    from torch.utils.data import DataLoader

    from invariant_nets import (
        BinaryTrainer,
        GaussianDataset,
        SymmetryModel,
        join_ranks,
        mlp,
        symmetric_group,
    )

    join_ranks()
    data = group = None
    if dist.is_initialized():
        mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "group"))
        data, group = mesh.get_group("data"), mesh.get_group("group")
    torch.manual_seed(0)
    model = SymmetryModel(mlp(4, 3), symmetric_group(4), process_group=group)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    train = GaussianDataset(60, (4, 3), 1.0, 0.3, static=True)
    trainer = BinaryTrainer(
        model, nn.BCEWithLogitsLoss(), optimizer, process_group=data
    )
    history = trainer.fit(DataLoader(train, 15), DataLoader(train, 60), 5)
    return torch.tensor(history.train_loss)


whole, curve = average(), on_a_mesh()
job = torchrun(4, average, on_a_mesh, needs=[bytes_added_up])
shared, curves = zip(*job, strict=True)

# %%
names = ("output", "gradient of x", "gradient of the weights")
errors = {
    name: max(float((whole[name] - rank[name]).abs().max()) for rank in shared)
    for name in names
}
for name in names:
    largest = whole[name].abs().max()
    print(f"{name}: up to {largest:.3f}, four ranks differ by {errors[name]:.1e}")
mesh_error = max(float((curve - other).abs().max()) for other in curves)
print(f"losses on the mesh: from {curve[0]:.3f} to {curve[-1]:.3f}, ", end="")
print(f"four ranks differ by {mesh_error:.1e}")

# %% [markdown]
# ## What moves
#
# The bytes that the job wrote down are easily predicted. With four bytes a number:

# %%
weights = sum(p.numel() for p in mlp(7, 5).parameters())
tensors = len(list(mlp(7, 5).parameters())) + 1
predicted = [16 * 1 * 4, (weights + 16 * 7 * 5) * 4 + tensors * 4]
table(
    [
        {
            "all-reduce": "forward: an output a set",
            "bytes": shared[0]["moved"][0],
            "predicted": predicted[0],
        },
        {
            "all-reduce": "backward: the gradients",
            "bytes": shared[0]["moved"][1],
            "predicted": predicted[1],
        },
    ],
    caption=f"{weights:,} weights, 16 sets of 7 × 5; a number a tensor says whether anybody used it",
)

# %% [markdown]
# The size of the group is not in these formulas: with all of $S_{12}$ the same bytes would move. (Before
# its forward pass the ranks also exchange a few numbers to make sure that they were given the same sets
# and weights; a rank that was not would spoil the sum in silence.) Likewise a data-parallel step moves
# the gradient of the weights once, however large the batch. So the work grows and the talk does not: any
# fixed number of ranks pays in the end. The question is only when.
#
# ## What an all-reduce costs
#
# Say that a message of $m$ bytes takes the time $\alpha + m / B$: a *latency* $\alpha$ and a share at the
# *bandwidth* $B$, in bytes a second. Each of $K$ ranks has a vector of $m$ bytes, and all want the sum.
#
# **A ring.** Cut the vectors into $K$ pieces. Each rank sends a piece to its neighbor, which adds it to
# its own and sends the sum on; every rank starts with another piece, so all links are busy all the time.
# After $K - 1$ rounds each piece is complete somewhere, and $K - 1$ more carry the complete pieces around:
#
# $$ t_{\text{ring}} = 2 (K - 1) \Bigl( \alpha + \frac{m}{K B} \Bigr) . $$
#
# A rank sends $2 \frac{K-1}{K} m$ bytes, less than $2m$ whatever $K$ is, and
# no method can do with less ([Patarasuk and Yuan, 2009](../bibliography.md#patarasuk-2009);
# [exercise 2](#exercises) has a short proof). Here it is, rank by rank:


# %%
def ring_all_reduce(vectors):
    """Add up a vector a rank by a ring; return what each has then, and the bytes it sent."""
    ranks = len(vectors)
    pieces = [np.array_split(vector.copy(), ranks) for vector in vectors]
    sent = [0] * ranks
    for turn in range(2 * (ranks - 1)):
        messages = [pieces[r][(r - turn) % ranks].copy() for r in range(ranks)]
        for r, message in enumerate(messages):
            sent[r] += message.nbytes
            piece = pieces[(r + 1) % ranks][(r - turn) % ranks]
            if turn < ranks - 1:
                piece += message
            else:
                piece[:] = message
    return [np.concatenate(own) for own in pieces], sent


vectors = list(np.random.default_rng(0).normal(size=(8, 1000)))
ring_sums, sent = ring_all_reduce(vectors)
print(
    "all ranks have the sum:", all(np.allclose(v, sum(vectors)) for v in ring_sums)
)
print("bytes sent by each:", sent, "of", vectors[0].nbytes)

# %% [markdown]
# **A tree.** A ring of thousands needs thousands of rounds, each at the cost of a latency. If pairs add
# up, then pairs of pairs, and the sum goes down the same tree, there are only
# $2 \lceil \log_2 K \rceil$ rounds, but with the whole vector in each:
#
# $$ t_{\text{tree}} = 2 \lceil \log_2 K \rceil \Bigl( \alpha + \frac mB \Bigr) . $$
#
# **Halving and doubling** has both advantages where $K$ is a power of two. Exchange halves with a partner,
# so that each of the two has one half of the sum; with another partner halves of that half; and so on,
# and then all back ([Thakur et al., 2005](../bibliography.md#thakur-2005); [exercise 3](#exercises)
# writes it):
#
# $$ t_{\text{halving}} = 2 \log_2 K \; \alpha + 2\, \frac{K - 1}{K} \, \frac mB . $$


# %%
def ring(K, m, alpha, B):
    return 2 * (K - 1) * (alpha + m / (K * B))


def tree(K, m, alpha, B):
    return 2 * math.ceil(math.log2(K)) * (alpha + m / B)


def halving(K, m, alpha, B):
    return 2 * math.log2(K) * alpha + 2 * (K - 1) / K * m / B


# %% [markdown]
# ## What is gained on this machine
#
# Two processes, the messages between them, and four kinds of work, each done by one rank while the other
# waits, and then by both, turn by turn. Here the data-parallel step is written out, so that nothing is
# hidden: the weighted loss, and the sum of the gradients in one all-reduce.


# %%
def measure():
    import time

    import torch
    import torch.distributed as dist
    from torch.nn.functional import binary_cross_entropy_with_logits

    from invariant_nets import (
        SymmetryModel,
        join_ranks,
        mlp,
        shard,
        symmetric_group,
    )

    join_ranks()
    rank, ranks = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)

    def gradient(sets):
        network, x, y = mlp(10, 5), torch.randn(sets, 10, 5), torch.ones(sets, 1)

        def work(together):
            part = shard(sets, rank, ranks) if together else range(sets)
            own = slice(part.start, part.stop)
            loss = binary_cross_entropy_with_logits(network(x[own]), y[own])
            network.zero_grad()
            (loss * len(part) / sets).backward()
            if together:
                flat = torch.cat([p.grad.flatten() for p in network.parameters()])
                dist.all_reduce(flat)

        return work

    def average(with_gradient):
        network, group, x = mlp(8, 5), symmetric_group(8), torch.randn(2, 8, 5)
        models = [
            SymmetryModel(
                network, group, recompute=True, process_group=process_group
            )
            for process_group in (None, dist.group.WORLD)
        ]

        def work(together):
            with torch.set_grad_enabled(with_gradient):
                y = models[together](x)
            if with_gradient:
                y.sum().backward()

        return work

    def spent(work, times):
        """Return the seconds that a turn takes by the clock, and of the processor."""
        dist.barrier()
        start = time.perf_counter(), time.process_time()
        for _ in range(times):
            work()
        end = time.perf_counter(), time.process_time()
        return [
            (after - before) / times
            for before, after in zip(start, end, strict=True)
        ]

    works = {
        "gradient, 32 sets": (gradient(32), 20),
        "gradient, 8,192 sets": (gradient(8192), 2),
        "average over S₈": (average(False), 1),
        "its gradient over S₈": (average(True), 1),
    }
    moved = {
        name: bytes_added_up(lambda work=work: work(True))
        for name, (work, _) in works.items()
    }
    vectors = [torch.zeros(4**k) for k in range(11)]
    link = {vector.nbytes: [] for vector in vectors}
    for _ in range(20):
        for v in vectors:
            link[v.nbytes].append(spent(lambda v=v: dist.all_reduce(v), 3))
    alone, together = {name: [] for name in works}, {name: [] for name in works}
    for _ in range(5):
        for name, (work, times) in works.items():
            turn = (lambda together: None) if rank else work
            alone[name].append(spent(lambda turn=turn: turn(False), times))
            together[name].append(spent(lambda work=work: work(True), times))
    best = [
        {
            key: [min(column) for column in zip(*turns, strict=True)]
            for key, turns in kind.items()
        }
        for kind in (link, alone, together)
    ]
    return [*best, moved]


job = torchrun(2, measure, needs=[bytes_added_up])
((link, alone_s, together_s, moved),), ((_, _, others_s, _),) = job
load = os.getloadavg()[0]

# %% [markdown]
# First the link: the time of an all-reduce between two ranks of this machine against its size, the best
# of several. With $K = 2$ all three formulas say $2 \alpha + m / B$, and the line is that one, with
# $\alpha$ and $B$ read from the small messages and from the largest.

# %% alt="Time of an all-reduce of two processes against the bytes added up, both axes logarithmic: flat for small messages, where only latency counts, and rising in proportion for large ones; beside the points the line of latency plus bytes over bandwidth." measured="figure, µs, GB/s"
clock = {size: seconds for size, (seconds, _) in link.items()}
small, large = min(clock), max(clock)
alpha = np.median([clock[size] for size in clock if size < 1000]) / 2
bandwidth = large / (clock[large] - 2 * alpha)
sizes = np.geomspace(small, large)
fig, ax = plt.subplots(figsize=(8, 3.2))
ax.loglog(clock.keys(), clock.values(), "o", label="measured")
ax.loglog(sizes, 2 * alpha + sizes / bandwidth, color=INK, label=r"$2\alpha + m/B$")
ax.set(xlabel="bytes $m$", ylabel="seconds")
ax.legend()
plt.show()
print(f"latency {alpha * 1e6:.0f} µs, bandwidth {bandwidth / 1e9:.2f} GB/s")

# %% [markdown]
# Then the work. The *efficiency* of $K$ ranks is $t_1 / (K t_K)$, the time that one process needs over the
# time of all ranks together. The column beside it predicts it from the time of one process and the line
# above, as if each rank had a core of its own. The last column counts processor time in place of time on
# the clock: what both ranks spend, over what a single one spends that does everything. It does not see the
# waiting.

# %% measured="ms, %, ×, processes"
rows = []
for name, (one, one_cpu) in alone_s.items():
    two, two_cpu = together_s[name]
    talk = sum(2 * alpha + m / bandwidth for m in moved[name])
    rows.append(
        {
            "work": name,
            "one process": f"{one * 1e3:.2f} ms",
            "two processes": f"{two * 1e3:.2f} ms",
            "efficiency": f"{one / (2 * two):.0%}",
            "predicted": f"{one / (2 * (one / 2 + talk)):.0%}",
            "processor": f"{(two_cpu + others_s[name][1]) / one_cpu:.2f} ×",
        }
    )
table(
    rows,
    caption=f"{os.cpu_count()} cores, and {load:.1f} processes that wanted one "
    "in the last minute",
)

# %% [markdown]
# They are numbers of this machine at the moment when the page was built, beside another chapter perhaps,
# which then had one of its cores. They say how it went, not how it must go. But two things are the same
# every time. The small gradient takes hardly longer than a message and hardly less for half of its sets,
# so that two ranks are slower at it than one: **latency eats it**. The others move no more bytes and
# have many times the work, on which two ranks together spend not much more processor time than one.
# Where each has a core of its own, nearly all of it is gained; where not, what is missing is the core
# and not the link.
#
# Two costs are not in this table. `BinaryTrainer` lets its ranks meet twice more in a step, with a few
# numbers each, so that an error on one rank ends all of them instead of leaving the others waiting. And
# what every rank does whole is not divided at all: with dynamic data, say, each draws the whole batch and
# keeps its part, so that the draws are those of one process ([exercise 4](#exercises)).
#
# ## A plan for thousands of devices
#
# What follows is arithmetic. Assume devices that do $10^{14}$ useful floating-point operations a
# second, links of 50 GB/s, and a latency of 5 µs: round figures, of the order of today's accelerators,
# none of them measured here. The work is one training step of the averaged perceptron for 32 sets, with
# **all of $S_{12}$**. The backward pass takes twice the operations of the forward pass, and since no memory
# holds so many activations, the [recomputing](08_symmetrization.py) average runs the forward pass once
# more: four forward passes in all. PyTorch counts the operations of one.

# %%
FLOPS, LINK = 1e14, {"alpha": 5e-6, "B": 50e9}
SETS = 32


def operations(network, n: int) -> int:
    """Count the floating-point operations of a forward pass for one set."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, n, 5))
    return counter.get_total_flops()


perceptron = mlp(12, 5)
per_pass = operations(perceptron, 12)
gradient_bytes = 4 * sum(p.numel() for p in perceptron.parameters())
step_alone = SETS * S12.order * 4 * per_pass / FLOPS
print(f"{per_pass:,} operations a pass, {SETS * S12.order:.2e} passes of the table")
print(
    f"one device: {step_alone:.2f} s a step; gradients of {gradient_bytes:,} bytes"
)

# %% [markdown]
# That a network so small would run at such a speed is generous, for its layers are far too narrow to keep
# a device busy. It is the hard case for the plan: the faster the work, the more the talk weighs.
#
# Let all $K$ devices divide the group. A step then has two all-reduces, of the outputs and of the
# gradients.


# %%
def talk(method, K: int, sizes) -> float:
    """Return the seconds that the all-reduces of a step take."""
    return sum(method(K, m, **LINK) for m in sizes)


METHODS = {"ring": ring, "tree": tree, "halving": halving}
small_sizes = [4 * SETS, gradient_bytes]
devices = (1, 8, 64, 1024, 4096, 16_384)
plan = []
for K in devices:
    work = step_alone / K
    seconds = {
        name: talk(method, K, small_sizes) for name, method in METHODS.items()
    }
    plan.append(
        {
            "devices": K,
            "work, ms": work * 1e3,
            "sent, kB": 2 * (K - 1) / K * sum(small_sizes) / 1e3,
            **{f"{name}, ms": s * 1e3 for name, s in seconds.items()},
            "eff., ring": work / (work + seconds["ring"]),
            "eff., halving": work / (work + seconds["halving"]),
        }
    )
table(
    plan,
    digits={"work, ms": 2, "sent, kB": 1} | {"eff., ring": 2, "eff., halving": 2},
    caption="A step of training with the exact average over S₁₂, on paper: the work, the bytes "
    "that each device sends by ring or halving, the talk by each method, and efficiencies",
)

# %% [markdown]
# The bytes hardly matter: at the link's speed they take less than a microsecond. What stops the ring is
# its thousands of rounds. Its efficiency is one half where the work $t_1 / K$ has shrunk to the
# latencies of two all-reduces, $4 (K - 1) \alpha$, so at
#
# $$ K_{1/2} \approx \sqrt{\frac{t_1}{4 \alpha}} , $$
#
# beyond which each further device makes the step *longer*. With $\log_2 K$ rounds the wall stands much
# farther out. For a large network it is the other way round: now the gradients are gigabytes, a tree,
# which sends all of them in each round, is the slowest, and ring and halving are the same line until the
# latencies of the ring are felt. This is why libraries choose by size.


# %% alt="Time of a step against the number of devices, both axes logarithmic, for two networks. Left, the small perceptron over S_12: all curves fall in proportion at first; the ring's turns up near a thousand devices, tree and halving fall on to many thousands. Right, a network of a billion weights over S_7: ring and halving flatten together at the time that the gradients need on the link, the tree's lies above and rises."
def half_efficient(method, work: float, sizes) -> int:
    """Return the largest number of devices, a power of two, with an efficiency of 1/2."""
    good = [2**k for k in range(1, 31) if work / 2**k >= talk(method, 2**k, sizes)]
    return max(good, default=1)


billion = 10**9
cases = {
    f"{gradient_bytes // 4:,} weights, S₁₂": (step_alone, small_sizes),
    "10⁹ weights, S₇": (
        SETS * math.factorial(7) * 4 * 2 * billion / FLOPS,
        [4 * SETS, 4 * billion],
    ),
}
Ks = 2 ** np.arange(1, 19)
fig, axes = plt.subplots(1, 2, figsize=(8, 3.6))
limits = {}
for ax, (title, (work, sizes)) in zip(axes, cases.items(), strict=True):
    for name, method in METHODS.items():
        times = [work / K + talk(method, int(K), sizes) for K in Ks]
        style, order = ("--", 3) if name == "tree" else ("-", 2)
        ax.loglog(Ks, times, style, label=name, zorder=order)
        limits[title, name] = half_efficient(method, work, sizes)
    ax.loglog(Ks, work / Ks, ":", color=INK, label="work alone")
    ax.set(xlabel="devices $K$", title=title)
    ax.set_ylim(bottom=work / Ks[-1] / 2)
axes[0].set_ylabel("seconds a step")
axes[0].legend()
plt.show()

# %%
for (title, name), K in limits.items():
    print(f"{title}: with {name} at least half efficient up to {K:,} devices")

# %% [markdown]
# ### Which mesh?
#
# 4,096 devices can be a mesh of $D \times 4096/D$: the batch cut into $D$, the group into the rest. The
# work is the same for all; the talk is not. Between columns there are the outputs, forward, and the
# gradients, backward, each within the $4096/D$ ranks that share their rows; then the trainer adds up the
# gradients over all ranks. The package also spends an exchange of a few numbers on agreeing, at the model,
# and two at the trainer; there a few numbers from every rank go to every rank, which takes $\log_2 K$
# rounds.


# %%
def exchange(K: int, m: int) -> float:
    return math.log2(K) * LINK["alpha"] + (K - 1) * m / LINK["B"]


def on_mesh(data: int, group: int) -> dict[str, float]:
    """Return the milliseconds of a step on a mesh, by what they are spent on."""
    work = (
        math.ceil(SETS / data) * math.ceil(S12.order / group) * 4 * per_pass / FLOPS
    )
    outputs = 4 * math.ceil(SETS / data)
    parts = {
        "work, ms": work,
        "model, forward": exchange(group, 48) + halving(group, outputs, **LINK),
        "model, backward": halving(group, gradient_bytes, **LINK),
        "trainer": 2 * exchange(data * group, 16)
        + halving(data * group, gradient_bytes, **LINK),
    }
    total = sum(parts.values())
    numbers = {name: seconds * 1e3 for name, seconds in parts.items()}
    return numbers | {
        "step, ms": total * 1e3,
        "efficiency": step_alone / 4096 / total,
    }


meshes = [
    {"mesh": f"{D} × {4096 // D}", **on_mesh(D, 4096 // D)} for D in (1, 2, 8, 32)
]
table(
    meshes, digits={"efficiency": 2}, caption="4,096 devices, halving and doubling"
)

# %% [markdown]
# So **cut the batch first**, as far as it has sets, and the group only for the rest: rows need no talk
# before the loss is known. What is left over is worth little here, and in a cluster one more thing counts
# that the model does not know: links inside a machine are faster than those between machines. The
# direction that talks more often, the group, belongs inside. Large language models are trained on
# such meshes, with the layers themselves cut along one axis
# ([Shoeybi et al., 2019](../bibliography.md#shoeybi-2019)).
#
# ### First ask whether you need it
#
# The plan makes an enormous sum feasible. It does not make it sensible. The same $S_{12}$ costs less in
# two other ways, both on *one* device.

# %%
exact = SETS * S12.order * 4 * per_pass
ways = {
    "exact average, 1 device": (exact, 1, 0.0),
    "exact average, 4,096 devices": (exact, 4096, 0.0),
    "average of 1,000 draws, 1 device": (SETS * 1000 * 4 * per_pass, 1, 1000**-0.5),
    "equivariant layers, 1 device": (
        SETS * 3 * operations(intrinsic(12, 5), 12),
        1,
        0.0,
    ),
}
seconds = {
    name: count / number / FLOPS for name, (count, number, _) in ways.items()
}
table(
    [
        {
            "way": name,
            "operations": f"{count:.1e}",
            "seconds a step": f"{seconds[name]:.1e}",
            "error / spread": error,
        }
        for name, (count, _, error) in ways.items()
    ],
    caption="Work alone, without talk; the error is that of one pass against the exact average",
)

# %% [markdown]
# A thousand random orders leave an error of a few percent of the spread over orders, as
# [chapter 8](08_symmetrization.py) derives, for some millionths of the work. And
# [equivariant layers](04_averaged_layer.py) are invariant exactly, in a single pass. Divide an exact
# average among thousands of devices if it must be *this* network, *exactly* invariant; a small group of
# an expensive network is the likelier case. Otherwise do not.
#
# ## When one of them dies
#
# Let a device fail once in a time $M$, on average, independently of the others. Then among $K$ of them the
# next failure comes after $M / K$, on average. And one rank lost is the job lost: the sum lacks a
# summand. The others notice by the closed connection, they end, and `torchrun` starts all ranks again, as
# often as `--max-restarts` allows. What was done is kept in [checkpoints](10_overfitting.py). So the same
# script, started with a checkpoint folder, goes on where it was.
#
# Here rank 1 kills itself, with the signal that no process can catch, in the middle of the third epoch.


# %%
def train_and_die():
    import os
    import signal

    from invariant_nets import CheckpointFolder, GaussianDataset

    rank, life = os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]

    class Deadly(GaussianDataset):
        batches = 0

        def __getitems__(self, indices):
            Deadly.batches += 1
            if (rank, life, Deadly.batches) == ("1", "0", 80):
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__getitems__(indices)

    saved = CheckpointFolder("run").load() if rank == "0" else None
    epochs = len(saved["epochs"]) if saved else 0
    return {"life": int(life), "epochs before": epochs, **train(Deadly, "run")}


shutil.rmtree("run", ignore_errors=True)
(survivor,), (reborn,) = torchrun(2, train_and_die, needs=[train], restarts=1)
same = torch.equal(survivor["weights"], first["weights"])
print(f"restarts: {survivor['life']}")
print(f"epochs in the checkpoint then: {survivor['epochs before']}")
print("weights of the undisturbed job, to the last bit:", same)

# %% [markdown]
# ### How often to write a checkpoint
#
# Let a checkpoint take $C$ seconds, and write one after every $h$ seconds of work. Without failures, that
# costs the share $C / h$ of the time. A failure comes once in $M / K$ seconds and costs on average half an
# interval of work, the share $\frac{h}{2} \cdot \frac KM$. The sum
#
# $$ \frac Ch + \frac{h K}{2 M} \quad\text{is least for}\quad
#    h^* = \sqrt{\frac{2 C M}{K}} , \quad\text{where it is}\quad \sqrt{\frac{2 C K}{M}} . $$
#
# This is the rule of [Young (1974)](../bibliography.md#young-1974). It forgets that failures also come
# while a checkpoint is written or lost work is done again. If failures are memoryless, one need not
# forget: the time until $h + C$ seconds without a failure have passed is
# $\frac MK \bigl( e^{(h + C) K / M} - 1 \bigr)$ on average
# ([Daly, 2006](../bibliography.md#daly-2006)). The picture lays both beside a simulated job, with a
# checkpoint of one minute and devices that fail once in 50,000 hours, which are assumptions again. (A
# restart takes its time too; it costs about the same for every $h$.)

# %% alt="Share of time lost against the interval between checkpoints, both axes logarithmic, for 256, 4,096 and 16,384 devices: curves with a flat minimum that moves to shorter intervals and larger losses as devices are added. Points of a simulation lie on the exact curves; Young's approximation, dashed, parts from them only at long intervals."
C, M = 60.0, 50_000 * 3600.0


def young(h, K):
    return C / h + h * K / (2 * M)


def memoryless(h, K):
    return M / K * np.expm1((h + C) * K / M) / h - 1


def simulated(h: float, K: int, intervals: int, rng) -> float:
    clock, failure = 0.0, rng.exponential(M / K)
    for _ in range(intervals):
        while failure < clock + h + C:
            clock = failure
            failure = clock + rng.exponential(M / K)
        clock += h + C
    return clock / (intervals * h) - 1


rng = np.random.default_rng(0)
lines, dots = np.geomspace(100, 30_000, 100), np.geomspace(200, 20_000, 7)
fig, ax = plt.subplots(figsize=(8, 3.4))
simulation = {}
for number, K in enumerate((16_384, 4096, 256)):
    color = f"C{number}"
    simulation[K] = [simulated(h, K, 8000, rng) for h in dots]
    ax.loglog(lines, memoryless(lines, K), color=color, label=f"{K:,} devices")
    ax.loglog(lines, young(lines, K), "--", color=color, lw=1)
    ax.loglog(dots, simulation[K], "o", color=color)
    ax.axvline((2 * C * M / K) ** 0.5, color=color, ls=":", lw=1)
ax.set(
    xlabel="seconds between checkpoints $h$",
    ylabel="share of time lost",
    ylim=(0.005, 5),
)
ax.legend()
plt.show()

# %%
intervals = []
for K in (256, 4096, 16_384):
    h = (2 * C * M / K) ** 0.5
    intervals.append(
        {
            "devices": K,
            "hours to a failure": M / K / 3600,
            "best interval, minutes": h / 60,
            "lost, by Young": young(h, K),
            "lost, exactly": memoryless(h, K),
        }
    )
table(
    intervals,
    digits={"hours to a failure": 1, "best interval, minutes": 1},
)

# %% [markdown]
# The minimum is flat: half the best interval or twice it cost only about a quarter more of a small number
# ([exercise 5](#exercises)). So it is enough to follow the rule roughly. `fit` writes a checkpoint after
# every epoch; if an epoch takes much longer than $h^*$, make the epochs shorter.
#
# ## Check the claims

# %%
# Data-parallel: the ranks agree to the last bit, and with a single process to rounding.
assert torch.equal(first["weights"], second["weights"])
assert torch.equal(first["losses"], second["losses"])
assert torch.allclose(first["losses"], alone["losses"], atol=1e-5, rtol=0)
assert torch.allclose(first["weights"], alone["weights"], atol=1e-3, rtol=0)
assert alone["losses"][0, -1] < alone["losses"][0, 0]

# The group: output, both gradients, and a training on a mesh.
for name in names:
    assert errors[name] < 1e-4 * whole[name].abs().max()
    assert all(torch.equal(shared[0][name], rank[name]) for rank in shared)
assert mesh_error < 1e-5
assert curve[-1] < curve[0] - 0.1

# What moves does not know how large the group is; in one process nothing moves.
assert all(rank["moved"] == predicted for rank in shared)
assert whole["moved"] == []
assert len(moved["gradient, 32 sets"]) == 1
assert moved["gradient, 32 sets"] == moved["gradient, 8,192 sets"]
assert all(sum(sizes) <= moved["gradient, 32 sets"][0] for sizes in moved.values())
assert len(moved["its gradient over S₈"]) == 2
assert moved["average over S₈"] == [2 * 4]

# The ring adds up, and sends what the formula says.
assert all(np.allclose(total, sum(vectors)) for total in ring_sums)
assert sent == [2 * 7 * vectors[0].nbytes // 8] * 8

# The last of many ranks begins where it should, and the parts make the whole.
assert S12.order == math.factorial(12)
assert part.stop == S12.order
assert per_pass == 2 * (60 * 50 + 50 * 50 + 50)

# The plan: latency stops the ring where the formula says; bytes stop the tree of a large network.
small_case, large_case = cases
rule = (step_alone / (4 * LINK["alpha"])) ** 0.5
assert rule / 2 < limits[small_case, "ring"] <= rule
assert limits[small_case, "halving"] > 8 * limits[small_case, "ring"]
assert limits[large_case, "tree"] < limits[large_case, "ring"]
assert limits[large_case, "ring"] == limits[large_case, "halving"]
assert sum(small_sizes) / LINK["B"] < 1e-6
steps = [row["step, ms"] for row in meshes]
assert steps == sorted(steps, reverse=True)
_, divided, sampled, layers = seconds.values()
assert divided > 10 * sampled > 100 * layers

# Killed and started again: the same weights.
assert survivor["life"] == reborn["life"] == 1
assert survivor["epochs before"] == 2
assert same
assert torch.equal(reborn["weights"], first["weights"])

# The interval: the simulation lies on the exact curve, and Young's rule costs next to nothing.
for K, values in simulation.items():
    assert np.allclose(values, memoryless(dots, K), rtol=0.15)
    best = memoryless(np.geomspace(60, 60_000, 2000), K).min()
    assert memoryless((2 * C * M / K) ** 0.5, K) < 1.02 * best

# %% [markdown]
# ## Exercises
#
# **1.** Seven sets on two ranks, three and four. What if each rank goes backward from its own mean loss
# and the gradients are averaged? Which sets count too much, and by which factor?
#
# ??? success "Solution"
#     The mean of means gives a set of the first rank the weight $\frac12 \cdot \frac13$ in place of
#     $\frac17$, and one of the second $\frac12 \cdot \frac14$: factors $\frac76$ and $\frac78$. In general
#     $\frac{N}{K n_r}$, the inverse of the missing factor.

# %% fold="Solution of exercise 1, in code"
torch.manual_seed(0)
network, x = intrinsic(10, 5), torch.randn(7, 10, 5)
y = torch.tensor([[1.0]] * 3 + [[0.0]] * 4)


def gradient(rows: range) -> torch.Tensor:
    own = slice(rows.start, rows.stop)
    loss = binary_cross_entropy_with_logits(network(x[own]), y[own])
    gradients = torch.autograd.grad(loss, network.parameters())
    return torch.cat([g.flatten() for g in gradients])


parts = [shard(7, rank, 2) for rank in range(2)]
true = gradient(range(7))
weighted = sum(len(rows) / 7 * gradient(rows) for rows in parts)
mean_of_means = sum(gradient(rows) for rows in parts) / 2
for name, other in (("weighted", weighted), ("mean of means", mean_of_means)):
    print(f"{name}: relative error {(other - true).norm() / true.norm():.1e}")
assert torch.allclose(weighted, true, atol=1e-6)
assert (mean_of_means - true).norm() > 0.01 * true.norm()

# %% [markdown]
# **2.** Show that no all-reduce of a single number among $K$ ranks does with fewer than $2 (K - 1)$
# messages, and conclude that the ring sends as few bytes as possible.
#
# ??? success "Solution"
#     Look at the moment when the first rank knows the sum. It depends on the number of each of the
#     other $K - 1$ ranks, so each of them has sent a message that has arrived and had a part in it:
#     $K - 1$ messages. At that moment no other rank knows the sum. Each of the $K - 1$ others must still
#     receive something, and these messages arrive later, so they are others. Together $2 (K - 1)$. If a
#     message carries such numbers as they are, a vector of $m$ bytes takes $2 (K - 1) m$ bytes, or
#     $2 \frac{K - 1}K m$ a rank on average. The ring sends just that, and the same from every rank.
#
# **3.** Write the all-reduce by halving and doubling for $K = 2^k$ ranks, and count rounds and bytes.
#
# ??? success "Solution"
#     In round $j = 1, \dots, k$ the partner is $K / 2^j$ places away, and $m / 2^j$ bytes go to it: together
#     $m (1 - 1/K)$. On the way back the same once more. So $2 \log_2 K$ rounds and
#     $2 \frac{K-1}K m$ bytes a rank.


# %% fold="Solution of exercise 3, in code"
def halving_all_reduce(vectors):
    ranks, size = len(vectors), len(vectors[0])
    own, held = [v.copy() for v in vectors], [(0, size)] * ranks
    sent, rounds, distance = [0] * ranks, 0, ranks // 2
    # Each keeps a half of what it holds, the sum of its own and its partner's.
    while distance:
        before, halves = [v.copy() for v in own], []
        for r in range(ranks):
            start, stop = held[r]
            middle = (start + stop) // 2
            kept, given = (start, middle), (middle, stop)
            if r & distance:
                kept, given = given, kept
            own[r][slice(*kept)] += before[r ^ distance][slice(*kept)]
            sent[r] += before[r][slice(*given)].nbytes
            halves.append(kept)
        held, rounds, distance = halves, rounds + 1, distance // 2
    distance = 1
    # Each gives all that it holds, and then holds twice as much.
    while distance < ranks:
        before = [v.copy() for v in own]
        for r in range(ranks):
            theirs = slice(*held[r ^ distance])
            own[r][theirs] = before[r ^ distance][theirs]
            sent[r] += before[r][slice(*held[r])].nbytes
        pairs = [sorted((held[r], held[r ^ distance])) for r in range(ranks)]
        held = [(low[0], high[1]) for low, high in pairs]
        rounds, distance = rounds + 1, 2 * distance
    return own, sent, rounds


sums, bytes_sent, rounds = halving_all_reduce(vectors)
print(f"{rounds} rounds, each sends {set(bytes_sent)} bytes")
assert all(np.allclose(total, sum(vectors)) for total in sums)
assert rounds == 2 * math.log2(len(vectors))
assert bytes_sent == sent

# %% [markdown]
# **4.** A share $s$ of the work of a step is done whole by every rank, the drawing of the data, say; the
# rest is divided. How efficient can $K$ ranks be? And what is to be done if $s$ is a tenth?
#
# ??? success "Solution"
#     $t_K = t_1 \bigl( s + \frac{1 - s}K \bigr)$ without any talk, so the efficiency is
#     $\frac{1}{1 + s (K - 1)}$, and the speed never grows by more than $1/s$: Amdahl's law. With $s = 0.1$,
#     eleven ranks are half efficient. One draws static data once, or gives each rank a
#     `DistributedSampler`, and then accepts draws that depend on the number of ranks.
#
# **5.** What does it cost to write checkpoints twice as often as Young's rule says, or half as often?
#
# ??? success "Solution"
#     With $h = u h^*$ the sum is $\frac12 \bigl( \frac1u + u \bigr)$ times the least one, which is $\frac54$
#     for $u = 2$ and for $u = \frac12$. The exact formula adds something for long intervals.

# %% fold="Solution of exercise 5, in code"
for K in (256, 4096, 16_384):
    h = (2 * C * M / K) ** 0.5
    shorter, longer = (memoryless(u * h, K) / memoryless(h, K) for u in (0.5, 2))
    print(f"{K:,} devices: {shorter:.2f} and {longer:.2f} times the loss")
    assert math.isclose(young(2 * h, K), 1.25 * young(h, K))
    assert 1.1 < min(shorter, longer) <= max(shorter, longer) < 1.5

# %% [markdown]
# **6.** On a mesh the gradient is added up twice: by the model along the group axis, by the trainer over
# all ranks. How could once be enough, and what would be lost?
#
# ??? success "Solution"
#     Let the model leave each rank with its own summand,
#     $\frac{\partial L}{\partial \bar f} \frac{\partial y_r}{\partial \theta}$, and let the trainer's
#     all-reduce add up over both axes at once, with weights that know the number of ranks in a row. But then
#     no rank has a gradient that means anything before the trainer is done, and the model depends on a
#     trainer that knows of this; in another program its gradients would be wrong in silence. As it is,
#     the average is right by itself.
#
# ## Sources
#
# - [Li et al. (2020)](../bibliography.md#li-2020), *PyTorch Distributed*: how gradients are averaged while
#   the backward pass still runs.
# - [Patarasuk and Yuan (2009)](../bibliography.md#patarasuk-2009), *Bandwidth Optimal All-reduce Algorithms
#   for Clusters of Workstations*: the ring, and that no method sends less.
# - [Thakur et al. (2005)](../bibliography.md#thakur-2005), *Optimization of Collective Communication
#   Operations in MPICH*: halving and doubling, and when to choose which method.
# - [Goyal et al. (2017)](../bibliography.md#goyal-2017), *Accurate, Large Minibatch SGD*: what a larger
#   batch asks of the learning rate.
# - [Shoeybi et al. (2019)](../bibliography.md#shoeybi-2019), *Megatron-LM*: layers cut along one axis of a
#   mesh, the batch along the other.
# - [Young (1974)](../bibliography.md#young-1974), *A First Order Approximation to the Optimum Checkpoint
#   Interval*, and [Daly (2006)](../bibliography.md#daly-2006), *A Higher Order Estimate of the Optimum
#   Checkpoint Interval for Restart Dumps*.
