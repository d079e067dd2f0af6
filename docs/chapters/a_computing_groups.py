# %% [markdown] slide="question"
# # How groups are computed
#
# !!! abstract "What you will be able to do"
#     - Find the order of a group from its generators, without listing it.
#     - Number its elements, list them from any number on, and draw one exactly uniformly.
#     - Test whether a permutation is an element.
#
# [`PermutationGroup`][invariant_nets.PermutationGroup] takes a few generators and answers exactly. How can it know
# the order of a group that nobody could list, such as the 43 quintillion positions of Rubik's cube?

# %%
import math

import torch

from invariant_nets import (
    PermutationGroup,
    mathieu_group,
    rubiks_cube_group,
    symmetric_group,
)
from invariant_nets.exercises import AnswerCheck, CodeCheck
from invariant_nets.figures import table

# %% [markdown] slide="theorem"
# ## A chain of stabilizers
#
# !!! theorem "Theorem (chain of stabilizers)"
#     Let $G^{(0)} = G$, and let $G^{(i+1)}$ be the elements of $G^{(i)}$ that leave the point $b_i$ where it is, until
#     only the identity is left, after $m$ steps. Let $\Delta_i$ be the orbit of $b_i$ under $G^{(i)}$, and for each
#     $\delta \in \Delta_i$ choose one element $u_\delta \in G^{(i)}$ that takes $b_i$ to $\delta$. Then every
#     $g \in G$ is a product of chosen elements, one from each level, in exactly one way, and so
#
#     $$ |G| = |\Delta_0| \, |\Delta_1| \cdots |\Delta_{m-1}| . $$
#
# *Proof.* By induction on $m$. For $m = 0$ the group is the identity. Let $g$ take $b_0$ to $\delta$, which lies in
# $\Delta_0$. Follow $g$ by the inverse of $u_\delta$: the result $h$ leaves $b_0$ where it is, and so it lies in
# $G^{(1)}$. Conversely, $u_\delta$ and $h$ give back $g$. No other choice is possible, since $\delta$ is determined by
# $g$, and $h$ by both. By the induction hypothesis $h$ is a product of chosen elements from the levels below in
# exactly one way. $\blacksquare$
#
# To compute the chain we need the orbit of a point with its chosen elements, and generators of the stabilizer. The
# first is a search from $b$ along the generators. The second is **Schreier's lemma**: if $s$ is a generator and takes
# $\delta$ to $\varepsilon$, then $u_\delta$, followed by $s$, followed by the inverse of $u_\varepsilon$, leaves $b$
# where it is, and all these elements together generate the stabilizer of $b$. For a small group that is all.


# %%
def then(p, q):
    """Return p followed by q, as tuples of images."""
    return tuple(q[image] for image in p)


def inverse(p):
    return tuple(sorted(range(len(p)), key=p.__getitem__))


def chain(generators):
    """Return the levels of the chain: a point and its chosen elements by image."""
    generators = [g for g in generators if g != tuple(range(len(g)))]
    if not generators:
        return []
    b = next(
        i for i in range(len(generators[0])) if any(g[i] != i for g in generators)
    )
    chosen, waiting = {b: tuple(range(len(generators[0])))}, [b]
    for point in waiting:  # grows as new points are found
        for s in generators:
            if s[point] not in chosen:
                chosen[s[point]] = then(chosen[point], s)
                waiting.append(s[point])
    stabilizer = {
        then(then(u, s), inverse(chosen[s[point]]))
        for point, u in chosen.items()
        for s in generators
    }
    return [(b, chosen), *chain(sorted(stabilizer))]


m11 = mathieu_group(11)
levels = chain([tuple(g.index_tensor.tolist()) for g in m11.generators])
order = math.prod(len(chosen) for _, chosen in levels)
table(
    [
        {"level": i, "fixed next": b, "orbit": len(chosen)}
        for i, (b, chosen) in enumerate(levels)
    ],
    caption=f"Mathieu's group $M_{{11}}$ has {order:,} elements",
)

# %% [markdown]
# $M_{11}$ can bring any four points to any four places, and then nothing is left to choose. For large groups the
# number of Schreier's generators is multiplied by the length of the orbit on each level. The algorithm of
# [Sims (1970)](../bibliography.md#sims-1970) keeps only those that the chain so far does not yet contain, which
# [exercise 2](#exercises) shows how to test; so does the package.
#
# ## An odometer
#
# A group is thus an odometer whose wheels have $|\Delta_i|$ positions each. Turning it lists the elements. Reading it
# gives each element a number between 0 and $|G| - 1$, and so a list can begin anywhere: a rank that
# [shares a group with others](b_dividing_an_average.py) starts at its own part. And since each element is one reading,
# independent uniform positions of all wheels draw an element *exactly* uniformly, from a group of any size.
#
# A test of both claims is [Burnside's lemma](01_permutations.py): over the elements of a group, the mean number of fixed
# points is the number of orbits, and the mean of its square is the number of [orbitals](12_any_group.py). We draw
# 200,000 positions of Rubik's cube, whose 48 facelets the moves permute.

# %% slide="picture"
cube = rubiks_cube_group()
draws = cube.sample(200_000, torch.Generator().manual_seed(0))
fixed = (draws == torch.arange(48, dtype=draws.dtype)).sum(1).double()
burnside = [
    {
        "of the cube's facelets": what,
        "orbits": orbits,
        "mean over random positions": values.mean().item(),
        "standard error": (values.std() / len(values) ** 0.5).item(),
    }
    for what, orbits, values in (
        ("single ones", len(cube.orbits()), fixed),
        ("pairs", int(cube.orbitals().max()) + 1, fixed.square()),
    )
]
print(f"{cube.order:,} positions")
table(burnside)

# %% [markdown]
# The group has no list, and yet its numbers work both ways:

# %%
number = 10**19
position = cube.unrank(number)
(following,) = cube.elements(number, number + 3)
print(f"element {number:,} takes facelet 0 to {int(position.index_tensor[0])}")
print("its number:", f"{cube.rank(position):,}")

# %% [markdown]
# ## Check the claims

# %%
assert order == m11.order == 7920
assert sorted((len(chosen) for _, chosen in levels), reverse=True) == [11, 10, 9, 8]
assert cube.order == 43_252_003_274_489_856_000
for row in burnside:
    off = row["mean over random positions"] - row["orbits"]
    assert abs(off) < 4 * row["standard error"] < 0.1 * row["orbits"]
assert cube.rank(position) == number
assert torch.equal(following[0].long(), position.index_tensor.long())
assert [
    cube.rank(PermutationGroup([row]).generators[0]) for row in following.long()
] == [number + i for i in range(3)]

# %% [markdown] slide="verdict"
# ## Summary
#
# - Fix one point after the other: the order of a group is the product of the lengths of the orbits on the way.
# - Schreier's lemma gives generators of a stabilizer; Sims keeps few of them.
# - One chosen element per level makes an odometer: it numbers, lists, and draws exactly uniformly.
#
# ## Exercises
#
# **1.** What is the probability that a random element of $M_{11}$ leaves none of the eleven points where it is?
#
# ??? success "Solution"
#     List the elements and count: 2,760 of 7,920 have no fixed point, which is $23/66$.

# %% exercise="1"
answer_1 = ...

# %% solution="1"
elements = torch.cat(list(m11.elements()))
answer_1 = (elements != torch.arange(11)).all(1).double().mean().item()

# %% check="1"
check_1 = AnswerCheck("A.1", digest="a137b10d9d64bba6")
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[1 / math.e, 1 / 11, 1 - answer_1])

# %% [markdown]
# **2.** Write `contains(levels, p)`: is a permutation, a tuple of images, an element of the group of a chain?
#
# ??? success "Solution"
#     Follow the proof. On each level look where $p$ takes $b$. If that is not in the orbit, the answer is no; else
#     follow $p$ by the inverse of the chosen element. In the end only the identity may be left.


# %% exercise="2"
def contains(levels, p): ...


# %% solution="2"
def contains(levels, p):
    for b, chosen in levels:
        if p[b] not in chosen:
            return False
        p = then(p, inverse(chosen[p[b]]))
    return p == tuple(range(len(p)))


# %% check="2"
def law_2(contains):
    group = PermutationGroup(
        [torch.tensor([1, 2, 3, 4, 0]), torch.tensor([0, 4, 3, 2, 1])]
    )
    levels = chain([tuple(g.index_tensor.tolist()) for g in group.generators])
    inside = {tuple(row.tolist()) for row in torch.cat(list(group.elements()))}
    for p in torch.cat(list(symmetric_group(5).elements())).tolist():
        assert contains(levels, tuple(p)) == (tuple(p) in inside), (
            f"{p} is judged wrongly"
        )
    assert all(contains(levels, p) for p in inside), "every element is contained"


check_2 = CodeCheck("2", law_2)
check_2(contains)

# %% wrong="2"
check_2.holds(
    contains,
    wrong=[
        lambda levels, p: True,
        lambda levels, p: all(p[b] in chosen for b, chosen in levels),
        lambda levels, p: p in levels[0][1].values(),
    ],
)

# %% [markdown]
# **3.** Write `element(levels, number)`: the element of a number, so that the numbers from 0 to $|G| - 1$ give each
# element once.
#
# ??? success "Solution"
#     The digits of the number, in the mixed base of the orbits' lengths, say which chosen element each level takes.


# %% exercise="3"
def element(levels, number): ...


# %% solution="3"
def element(levels, number):
    product = None
    for _, chosen in levels:
        number, digit = divmod(number, len(chosen))
        u = list(chosen.values())[digit]
        product = u if product is None else then(u, product)
    return product


# %% check="3"
def law_3(element):
    listed = {element(levels, number) for number in range(order)}
    assert len(listed) == order, f"{order} numbers should give {order} elements"
    inside = {tuple(row) for row in torch.cat(list(m11.elements())).tolist()}
    assert listed == inside, "they should be the elements of the group"


check_3 = CodeCheck("3", law_3)
check_3(element)


# %% wrong="3"
def one_digit(levels, number):
    return list(levels[0][1].values())[number % 11]


check_3.holds(
    element,
    wrong=[
        one_digit,
        lambda levels, number: element(levels, number // 2),
        lambda levels, number: element(levels[:3], number),
    ],
)

# %% [markdown]
# ## Sources
#
# - [Sims (1970)](../bibliography.md#sims-1970), *Computational Methods in the Study of Permutation Groups*.
# - [Seress (2003)](../bibliography.md#seress-2003), *Permutation Group Algorithms*.
# - [Dixon and Mortimer (1996)](../bibliography.md#dixon-1996), *Permutation Groups*: Mathieu's groups.
