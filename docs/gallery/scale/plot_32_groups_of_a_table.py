"""
One fit per group of a table
============================

Measurements often come as one long table: a row for each point, and columns that say which sample
and which channel it belongs to. Groups have as many points as there happen to be, in any order, and
some values are missing. ``fit_table`` fits every group and returns a table with a row for each.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from thalweg.scale.tables import fit_table

rng = np.random.default_rng(3)
parts = []
for sample, dose in zip("ABCDEF", [0.1, 0.3, 1.0, 3.0, 10.0, 30.0], strict=True):
    for channel in ("red", "blue"):
        t = np.sort(rng.uniform(0, 12, rng.integers(6, 60)))  # hours
        tau = (4.0 if channel == "red" else 2.5) / (1 + dose / 3)
        signal = 5 * np.exp(-t / tau) + 0.4 + rng.normal(0, 0.12, t.size)
        keys = {"sample": sample, "channel": channel, "dose": dose}
        parts.append(pd.DataFrame({**keys, "t": t, "signal": signal}))
table = pd.concat(parts).sample(frac=1, random_state=0, ignore_index=True)
table.loc[rng.random(len(table)) < 0.05, "signal"] = np.nan
print(table.head())

# %%
# The keys become the index of the result (in polars: its first columns).

fits = fit_table(
    table,
    "a*exp(-t/tau) + c",
    x="t",
    y="signal",
    by=["channel", "dose"],
    p0={"a": 4, "tau": 2, "c": 0},
    bounds={"tau": (0, 50)},
)
print(fits.table[["tau", "tau_stderr", "n_used", "reason"]].round(3))

# %%
# What comes next is a matter of pandas: lifetimes against doses, with their errors. Each fit is at
# hand as well: fit k is row k of the table.

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for channel, colour in (("red", "#D55E00"), ("blue", "#0072B2")):
    of = fits.table.loc[channel]
    left.errorbar(of.index, of["tau"], of["tau_stderr"], fmt="o-", color=colour, label=channel)
left.set(xscale="log", xlabel="dose", ylabel="lifetime, h")
left.legend(title="channel")

k = fits.table.index.get_loc(("red", 0.1))
one = fits.result[k]
points = table[(table["channel"] == "red") & (table["dose"] == 0.1)]
fine = np.linspace(0, 12, 200)
right.plot(points["t"], points["signal"], ".", color="0.3")
right.plot(fine, one.predict(fine), color="#D55E00")
right.set(title="red, dose 0.1", xlabel="t, h", ylabel="signal")
plt.show()
