"""What results of fits that share parameters tell, how jobs of groups end, and the command line."""

import copy
import pickle

import numpy as np
import pytest
from cli_cases import call
from shared_cases import decay
from test_shared_members import T, decays, fit

import thalweg as tw
from thalweg import Status


def test_results_tell_of_the_groups(tmp_path):
    y = np.stack([decays(4, seed) for seed in range(3)])
    r = fit(y)
    assert r.shared == ("tau",)
    np.testing.assert_array_equal(r.groups.number, np.repeat([[0], [1], [2]], 4, axis=1))
    np.testing.assert_allclose(r.groups.chi2, np.repeat(r.chi2.sum(1, keepdims=True), 4, axis=1))
    np.testing.assert_allclose(r.redchi, r.groups.chi2 / (4 * T.size - 1 - 8))
    one = r[1, 2]
    assert one.dof == 4 * T.size - 9
    assert "of its group: chi2 =" in one.summary()
    assert one.redchi == r.redchi[1, 2]
    assert np.isfinite(r.aic).all()
    assert (r.aic == r.aic[:, :1]).all()
    r.save(tmp_path / "r.npz")
    for other in (tw.load(tmp_path / "r.npz"), pickle.loads(pickle.dumps(r)), copy.deepcopy(r)):
        for field in r.groups._fields:
            np.testing.assert_array_equal(getattr(other.groups, field), getattr(r.groups, field))
        np.testing.assert_array_equal(other.redchi, r.redchi)
        assert other.shared == ("tau",)
    assert "12 succeeded" in r.summary()
    table = r.columns()
    np.testing.assert_array_equal(table["group"], np.repeat([0, 1, 2], 4))
    np.testing.assert_allclose(table["group_chi2"] / table["dof"], r.redchi.reshape(-1))


def test_shared_and_own_parameters_are_compared_over_the_group():
    """Whether one lifetime is enough: the F test of the group's chi2."""
    y = np.stack([decays(5, seed) for seed in range(200)])
    y[100:] *= np.exp(-0.05 * np.arange(5)[:, None] * T)  # lifetimes that differ
    one, many = fit(y), tw.fit(decay, T, y, {"a": 1, "tau": 1, "c": 0})
    c = many.compare(one)
    assert (c.n_free == [15, 11]).all()
    gain = one.groups.chi2 - many.chi2.sum(1, keepdims=True)
    np.testing.assert_allclose(
        c.statistic, (gain / 4) / (many.chi2.sum(1) / 185)[:, None], rtol=1e-5
    )
    assert abs(np.mean(c.p_value[:100, 0] < 0.05) - 0.05) < 0.06
    assert np.mean(c.p_value[100:, 0] < 0.05) > 0.9
    np.testing.assert_array_equal(one.compare(many).p_value, c.p_value)
    with pytest.raises(ValueError, match="in different groups"):
        one.compare(fit(y, groups=np.zeros((200, 5), int)))


@pytest.mark.clock
def test_what_ends_a_job_keeps_the_groups_that_had_finished():
    t = T[::2]
    y = np.tile(decays(3)[:, ::2], (100_000, 1)) + 1e-3 * np.cos(np.arange(300_000))[:, None]
    labels = np.repeat(np.arange(100_000), 3)

    def run(callback):
        options = {"shared": "tau", "groups": labels, "threads": 1}
        return tw.fit(decay, t, y, [1, 1, 0], callback=callback, **options)

    r = run(lambda done, total: done > 0)
    finished = r.status != Status.NOT_RUN
    assert not finished.all()
    assert finished.any()
    np.testing.assert_array_equal(finished.reshape(-1, 3).any(1), finished.reshape(-1, 3).all(1))
    assert np.isnan(r.params[~finished]).all()
    some = np.flatnonzero(finished)[:30]
    one = tw.fit(decay, t, y[some], [1, 1, 0], shared="tau", groups=labels[some])
    np.testing.assert_array_equal(r.params[some], one.params)

    asked = []
    ended = run(lambda done, total: asked.append(done) or len(asked) == 1)
    assert (ended.status == Status.NOT_RUN).all()
    assert len(asked) == 2  # the last call tells how many had finished: none

    def fail(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        run(fail)
    kept = caught.value.result
    assert kept.success.any()
    assert (kept.status == Status.NOT_RUN).any()


def test_a_group_that_fails_is_tried_again():
    rng = np.random.default_rng(7)
    t = np.linspace(0, 8, 80)
    y = rng.uniform(1, 3, (6, 1)) * np.exp(-t / 0.5) + 2 * np.exp(-t / 3)
    y += 0.05 * rng.standard_normal(y.shape)
    model = "a*exp(-t/s) + b*exp(-t/u)"
    options = {"independent": "t", "shared": ["s", "u"]}
    best = tw.fit(model, t, y, [1, 0.5, 1, 3], **options)
    found = 0
    for k in range(20):
        start = np.array([1, 0.5, 1, 3]) * 10 ** np.random.default_rng(k).uniform(-1, 1, 4)
        r = tw.fit(model, t, y, start, **options)
        found += abs(r.groups.chi2[0] / best.groups.chi2[0] - 1) < 1e-6
        assert (r.attempts >= 1).all()
    assert found >= 18


def test_a_band_of_new_observations_knows_the_scale_of_the_group():
    """Far from the data's noise by data set: chi2 / dof are those of all of them."""
    r = fit(decays(5))
    assert r.redchi[0] == r.groups.chi2[0] / r.dof[0]
    alone, new = (np.diff(r.band(prediction=p))[..., 0] / 2 for p in (False, True))
    reach = np.diff(r.interval())[:, 1, 0] / 2 / r.stderr[:, 1]
    noise = np.sqrt(new**2 - alone**2) / reach[:, None]
    np.testing.assert_allclose(noise, np.sqrt(r.redchi)[:, None] * np.ones(len(T)), rtol=1e-6)


# ---- the command line ----------------------------------------------------------------------------


def test_the_command_line_shares_parameters(tmp_path, capsys):
    table = tmp_path / "decays.csv"
    y = decays(3)
    np.savetxt(table, np.column_stack([T, *y]), delimiter=",", header="t,u,v,w", comments="")
    options = "fit", table, "--model", "a*exp(-t/tau) + c", "--p0", "a=1,tau=1,c=0"
    options = *options, "--independent", "t", "--out", tmp_path / "out.npz"
    call(capsys, *options, "--shared", "tau")
    r = tw.load(tmp_path / "out.npz")
    assert r.shared == ("tau",)
    np.testing.assert_allclose(r.params, fit(y).params, rtol=1e-6)
    call(capsys, *options, "--force", "--shared", "tau, c")
    assert tw.load(tmp_path / "out.npz").shared == ("tau", "c")
    _, said = call(capsys, *options, "--force", "--shared", "tua", code=2)
    assert "tua" in said
