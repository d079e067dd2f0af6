r"""The canonical form under any permutation group, by a descent down its chain of stabilizers.

Sorting is this for $S_n$, the least rotation for $C_n$. For any other group, too, one permutation
after another brings the best entry to a base point, and the stabilizer of that point goes on. Where
entries tie, all candidates go on together, and those that an automorphism of the set exchanges are
merged.
"""
