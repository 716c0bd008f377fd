"""State dicts are imported whole and in order, or refused with the module that does not fit."""

from dataclasses import replace

import numpy as np
import pytest

from devicephys.bnn.batch_norm import BatchNorm
from devicephys.bnn.inference import predict
from devicephys.bnn.network import ImageCode
from devicephys.bnn.network_file import from_bytes, to_bytes
from devicephys.bnn.state_dict import Options, from_state_dict
from devicephys.bnn.trained import Trained, to_network
from devicephys.errors import DataError, ParameterError

IMAGE = ImageCode((1, 6, 6))
OPTIONS = Options(IMAGE, padding=(1,), pool=(2,), pool_first=True, epsilon=1e-4)


def state(seed=1):
    """Arrays of Conv2d(1, 4, 3), BatchNorm2d, Linear without bias, BatchNorm1d, Linear."""
    rng = np.random.default_rng(seed)

    def norm(n, prefix, spread):
        return {
            f"{prefix}.weight": rng.normal(size=n),
            f"{prefix}.bias": rng.normal(size=n),
            f"{prefix}.running_mean": rng.normal(size=n) * spread,
            f"{prefix}.running_var": rng.uniform(0.5, spread, n) ** 2,
            f"{prefix}.num_batches_tracked": np.array(7),
        }

    found = {
        "features.0.weight": rng.normal(size=(4, 1, 3, 3)),
        "features.0.bias": rng.normal(size=4),
        **norm(4, "features.1", 300.0),
        "hidden.weight": rng.normal(size=(5, 36)),
        **norm(5, "norm", 4.0),
        "output.weight": rng.normal(size=(3, 5)),
        "output.bias": rng.normal(size=3),
    }
    return {k: v if v.dtype.kind == "i" else v.astype(np.float32) for k, v in found.items()}


def as_trained(arrays):
    """The same layers by hand."""

    def norm(prefix, bias, n):
        parts = ("weight", "bias", "running_mean", "running_var")
        numbers = [arrays[f"{prefix}.{p}"].astype(float) for p in parts]
        return BatchNorm(*numbers, bias + np.zeros(n), 1e-4)

    one, zero = np.ones(3), np.zeros(3)
    return [
        Trained(arrays["features.0.weight"], norm("features.1", arrays["features.0.bias"], 4),
                1, 2, True),
        Trained(arrays["hidden.weight"], norm("norm", 0, 5)),
        Trained(arrays["output.weight"],
                BatchNorm(one, zero, zero, one, arrays["output.bias"].astype(float), 0.0)),
    ]  # fmt: skip


def same(a, b):
    return all(
        (x.weights == y.weights).all()
        and (x.threshold == y.threshold).all()
        and (x.padding, x.pool) == (y.padding, y.pool)
        and np.array_equal(x.gain, y.gain)
        for x, y in zip(a.layers, b.layers, strict=True)
    )


def test_arrays_become_the_layers_that_they_stand_for():
    arrays = state()
    network = from_state_dict("net", arrays, OPTIONS)
    expected, bound = to_network("net", IMAGE, as_trained(arrays))
    assert same(network, expected)
    assert network.record == {"score_bound": bound}
    assert bound == 0  # no batch normalisation at the output: one common gain


def test_an_imported_network_survives_its_file_and_predicts():
    network = from_state_dict("net", state(), OPTIONS)
    again = from_bytes(to_bytes(network))
    assert same(network, again)
    pixels = np.random.default_rng(2).integers(0, 256, (200, 36), np.uint8)
    said = predict(again, pixels)
    assert (said == predict(network, pixels)).all()
    assert len(set(said.tolist())) > 1


def test_lists_and_another_order_with_modules_give_the_same():
    arrays = state()
    shuffled = {k: arrays[k].tolist() for k in sorted(arrays, reverse=True)}
    order = ("features.0", "features.1", "hidden", "norm", "output")
    options = Options(IMAGE, order, (1,), (2,), True, epsilon=1e-4)
    assert same(from_state_dict("net", shuffled, options), from_state_dict("net", arrays, OPTIONS))


def test_norms_without_gain_and_hidden_layers_without_norm():
    arrays = state()
    for part in ("weight", "bias"):
        del arrays[f"norm.{part}"]
    plain = {k: v for k, v in arrays.items() if not k.startswith("norm")}
    one = {**arrays, "norm.weight": np.ones(5), "norm.bias": np.zeros(5)}
    network = from_state_dict("net", arrays, OPTIONS)
    assert same(network, from_state_dict("net", one, OPTIONS))
    bare = from_state_dict("net", plain, replace(OPTIONS, pool_first=False))
    assert (bare.layers[1].threshold == 0).all()
    assert (bare.layers[1].weights == np.where(arrays["hidden.weight"] >= 0, 1, -1)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm.running_mean": None}, "module 'norm' of weight"),
        ({"output.running_mean": np.zeros(3)}, "module 'output' of"),
        ({"alpha": np.zeros(3)}, "'alpha' of float64"),
        ({"output.weight_scale": np.zeros(3)}, "'output.weight_scale'"),
        ({"output.weight": np.array(["a"])}, "'output.weight' of <U1"),
        ({"output.weight": np.zeros((3, 5), complex)}, "complex128"),
        ({"hidden.weight": np.zeros((5, 1, 3))}, "module 'hidden' of weight"),
        ({"output.bias": np.zeros(4)}, "module 'output'"),
        ({"norm.running_var": np.full(5, -1.0)}, "module 'norm': variance"),
        ({"norm.weight": np.full(5, np.nan)}, "module 'norm': gamma that is not finite"),
        ({"hidden.weight": np.full((5, 36), np.inf)}, "layer 1: not a layer to fold"),
        ({"hidden.weight": np.zeros((5, 35))}, "layer 1"),
        ({"hidden.bias": np.zeros((5, 1))}, "module 'hidden'"),
        ({"hidden.bias": [[1.0], [1.0, 2.0]]}, "'hidden.bias' is no array"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_arrays_that_make_no_network_are_refused(change, message):
    arrays = {k: v for k, v in {**state(), **change}.items() if v is not None}
    with pytest.raises(DataError, match=r".*" + message.replace("(", r"\(")):
        from_state_dict("net", arrays, OPTIONS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"padding": (1, 1)}, "padding of 2 layers"),
        ({"pool": (2, 2)}, "pool of 2 layers"),
        ({"padding": (2,)}, "padding 2"),
        ({"modules": ("features.0",)}, "modules features.1, hidden, norm, output in the order"),
        (
            {"modules": ("norm", "features.0", "features.1", "hidden", "output")},
            "not after a layer",
        ),
        ({"scale": 0.0}, "input scale 0"),
        ({"epsilon": -100.0}, "variance"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_options_that_do_not_fit_are_refused(options, message):
    base = {"image": IMAGE, "padding": (1,), "pool": (2,), "pool_first": True}
    with pytest.raises(DataError, match=message):
        from_state_dict("net", state(), Options(**{**base, **options}))


def test_an_unknown_module_is_named():
    with pytest.raises(ParameterError, match=r"unknown module 'hiden'.*did you mean 'hidden'"):
        from_state_dict("net", state(), Options(IMAGE, ("hiden",)))


def test_nothing_is_no_network():
    with pytest.raises(DataError, match="no fully connected layer"):
        from_state_dict("net", {}, Options(IMAGE))
