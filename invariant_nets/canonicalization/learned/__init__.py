"""Orders that are learned: distributions over orders by keys of a network, and mixtures of frames.

The distribution is Plackett and Luce's; a mixture of several finds an order more often than one.
"""
