r"""
Forward and backward propagation
================================

At one input a model turns :math:`P` parameters into :math:`N_x` predictions, and its Jacobian
:math:`J` has shape :math:`(N_x, P)`. It is used in two directions. *Forwards* it tells how a change
of the parameters changes the predictions; *backwards* it tells which change of the parameters an
error of the predictions asks for:

.. math:: \delta x = J \, \delta\theta, \qquad \delta\theta = \epsilon^t J.
"""

import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw
from thalweg.model.operations import count_operations


def two_channels(t, a, tau, b, c):
    decay = a * np.exp(-t / tau)
    return decay + c, b * decay + c


tw.plot.propagation(two_channels)
plt.show()

# %%
# Neither needs :math:`J` itself. The model is recorded once as a sequence of operations; forwards,
# each of them passes on its change together with its value; backwards, each of them hands its
# adjoint to its operands, in the opposite order. The counts in the picture are those of the
# recorded model, with equal expressions computed once.
#
# For one output and many parameters backwards is the way to go: its cost is a small multiple of
# that of the model, however many parameters there are. This is why the gradient of a loss, one
# number, is cheap.


def sum_of_decays(n):
    terms = [f"a{i}*exp(-t/tau{i})" for i in range(n)]
    return " + ".join(terms)


numbers = [1, 2, 4, 8, 16]
counted = [count_operations(sum_of_decays(n), independent="t") for n in numbers]

fig, ax = plt.subplots(figsize=(6.2, 3.8), layout="constrained")
P = [len(c.names) for c in counted]
ax.plot(P, [c.backward / c.model for c in counted], "o-", color="#0072B2", label="backwards, e'J")
ax.plot(P, [c.forward / c.model for c in counted], "s--", color="#009E73", label="forwards, J v")
columns = [p * (c.forward - c.model) / c.model + 1 for p, c in zip(P, counted, strict=True)]
ax.plot(P, columns, "^-", color="#D55E00", label="J by P forward propagations")
ax.set(xlabel="number of parameters", ylabel="operations over those of the model", yscale="log")
ax.legend(frameon=False)
plt.show()

# %%
# Forwards and backwards belong to the same matrix if and only if
# :math:`\langle J v, \epsilon \rangle = \langle v, J^t \epsilon \rangle` for all :math:`v` and
# :math:`\epsilon`. This *dot-product test* needs no differences and no tolerance but rounding:

rng = np.random.default_rng(1)
t = np.linspace(0, 3, 30)
loss = tw.MSELoss(two_channels, t, rng.normal(size=(30, 2)))
theta, v, e = np.array([1.0, 0.8, 0.5, 0.1]), rng.normal(size=4), rng.normal(size=(30, 2))
print("⟨J v, ε⟩  =", np.vdot(loss.jvp(theta, v), e))
print("⟨v, Jᵗ ε⟩ =", np.vdot(v, loss.vjp(theta, e)))
print(tw.check_adjoint(loss, theta))
