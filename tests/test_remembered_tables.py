"""What is remembered of recordings: graphs of the caller's own, in tables that stay small."""

import gc
import threading
import weakref

import numpy as np
import pytest
from remembered_tools import X, decay, kept, recorded, same_as_anew

import thalweg as tw
from thalweg.model import remembered, tape, trace
from thalweg.model.graph import Graph


@pytest.fixture(autouse=True)
def forgotten():
    """Nothing is remembered from other tests."""
    remembered._KEPT.clear()
    remembered._NAMES.clear()


def test_the_graph_is_the_caller_s_own():
    def record():
        return trace.record(decay, 1, 2, 5, single=True)

    one, size = record(), record().graph.size
    one.graph.append_x()
    one.graph.add("sin", one.output)
    one.graph.exact = False
    other = record()
    assert (other.graph.size, other.graph.n_x, other.graph.exact) == (size, 1, True)
    assert other.graph.key((other.output,)) == record().graph.key((other.output,))


def test_a_twin_has_the_nodes_and_grows_by_itself():
    graph = Graph(2, 1)
    for k in range(300):  # more than the first table of nodes holds
        node = graph.add("mul", graph.const(k + 0.5), 0)
    twin = graph.twin()
    assert twin.nodes == graph.nodes
    assert twin.add("mul", twin.const(299.5), 0) == node
    size = graph.size
    twin.add("sin", node)
    assert graph.size == size == twin.size - 1


def test_twins_share_the_tapes_of_their_first_nodes_alone(monkeypatch):
    one, other = (trace.record(decay, 1, 2, 20, single=True) for _ in range(2))
    made = tape.compile_model(one.graph, one.output, (0, 1))
    monkeypatch.setattr(tape, "_COMPILED", {})
    assert tape.compile_model(other.graph, other.output, (0, 1)) is made
    assert tape.compile_model(other.graph, other.output, (1,)) is not made
    one, other = (trace.record(decay, 1, 2, 20, single=True) for _ in range(2))
    later = one.graph.add("sin", one.output), other.graph.add("cos", other.output)
    tapes = [
        tape.compile_model(r.graph, node, (0, 1)).tape
        for r, node in zip((one, other), later, strict=True)
    ]
    assert later[0] == later[1] >= one.graph.n_first and tapes[0] is not tapes[1]


def test_functions_are_not_held_and_tables_stay_small():
    def made():
        def model(x, a, b):
            return a * x + b

        return model

    function = made()
    recorded(function)
    gone = weakref.ref(function)
    for _ in range(1000):  # functions of one code share an entry
        recorded(made())
    del function
    gc.collect()
    assert gone() is None
    assert kept() == 1
    for k in range(300):
        names = {}
        exec(f"def model(x, a, b): return a * x + {k}.0 * b", names)
        same_as_anew(names["model"])
    assert kept() <= 256 and len(remembered._NAMES) <= 256


def test_threads_record_what_they_would_alone():
    alone, found, wrong = {}, [], []
    text, names = "lambda x, a, b: a * np.exp(-x / b) + {}.5 * x", {"np": np}
    models = [eval(text.format(k), names) for k in range(4)]
    for model in models:
        alone[model] = tw.fit(model, X, decay(X, 2, 1), [1, 1]).params.tobytes()
    remembered._KEPT.clear()

    def work():
        for model in models * 10:
            same = tw.fit(model, X, decay(X, 2, 1), [1, 1]).params.tobytes() == alone[model]
            (found if same else wrong).append(model)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 160 and not wrong
