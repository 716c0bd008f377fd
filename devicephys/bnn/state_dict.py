"""Importer of binarized networks trained in PyTorch, from the arrays of their state dict.

A state dict names its arrays ``module.part``: ``weight`` and ``bias`` of a fully connected layer or
convolution, ``weight``, ``bias``, ``running_mean`` and ``running_var`` of a batch normalisation. It
does not say in which order modules run, how convolutions are padded and pooled, or what goes in:
the options do. PyTorch itself is not needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from devicephys.bnn.batch_norm import BatchNorm, Inputs
from devicephys.bnn.network import ImageCode, Network
from devicephys.bnn.trained import Trained, to_network
from devicephys.checks import known
from devicephys.errors import DataError

Arrays = dict[str, NDArray[np.float64]]

_STATISTICS = {"running_mean", "running_var"}
_PARTS = {"weight", "bias", "num_batches_tracked", *_STATISTICS}


@dataclass(frozen=True)
class Options:
    """What a state dict does not say.

    Attributes
    ----------
    image : ImageCode
        Images that go in. With a thermometer code the network was trained on its -1 and +1.
    modules : tuple of str
        Names of the modules in the order in which they run; empty for the order of the arrays,
        which in a state dict is that of definition.
    padding : tuple of int
        Zeros around the images of each convolution; empty for none [1].
    pool : tuple of int
        Edge of the squares of which each convolution gives the largest; empty for none [1].
    pool_first : bool
        Whether pooling comes before batch normalisation, not after the sign.
    scale, offset : float
        8-bit pixels p entered training as scale (2 p - 255) + offset: scale 1 / 255 for inputs
        from -1 to 1, scale 1 / 510 and offset 0.5 for inputs from 0 to 1 [1].
    epsilon : float
        That of all batch normalisations [1].
    """

    image: ImageCode
    modules: tuple[str, ...] = ()
    padding: tuple[int, ...] = ()
    pool: tuple[int, ...] = ()
    pool_first: bool = False
    scale: float = 1.0
    offset: float = 0.0
    epsilon: float = 1e-5


def from_state_dict(name: str, state: Mapping[str, ArrayLike], options: Options) -> Network:
    """Import a stack of fully connected layers or convolutions with their batch normalisations.

    Weights count by their sign, zero as +1. Every layer but the last is followed by a sign, +1
    where its normalised sum is not negative; the class is the argmax of what the last gives. Batch
    normalisation may be missing anywhere. Convolutions are of step 1, come first, and their
    outputs are flattened channel by channel.

    Parameters
    ----------
    name : str
        Name of the network.
    state : mapping
        Arrays by name, or anything that numpy.asarray takes, such as CPU tensors; see
        `devicephys.bnn.state_file.read_state`.
    options : Options
        What the arrays do not say.

    Returns
    -------
    Network
        The network; its record states ``score_bound``: classes are those of the trained network
        except where its two largest outputs differ by less (0: everywhere).

    Raises
    ------
    DataError
        If there are arrays of other modules, arrays are missing, or shapes do not fit.
    ParameterError
        If a module of the options is not there.

    Examples
    --------
    >>> state = {
    ...     "0.weight": [[0.3, -0.2], [-0.1, -0.7]],
    ...     "1.weight": [1.0, -2.0], "1.bias": [0.5, 0.0],
    ...     "1.running_mean": [0.0, 1.0], "1.running_var": [4.0, 4.0],
    ...     "3.weight": [[1.0, -1.0], [1.0, 1.0]],
    ... }
    >>> network = from_state_dict("tiny", state, Options(ImageCode((1, 1, 2), (127,))))
    >>> network.layers[0].weights.tolist(), network.layers[0].threshold.tolist()
    ([[1, -1], [1, 1]], [-1, -1])
    """
    where = f"state dict of {name!r}"
    inputs = Inputs(options.image.peak, options.scale, options.offset)
    layers = _layers(_modules(state, options, where), options, where)
    network, bound = to_network(name, options.image, layers, inputs)
    return replace(network, record={"score_bound": bound})


def _modules(state: Mapping[str, ArrayLike], options: Options, where: str) -> dict[str, Arrays]:
    """Group the arrays by module, in the order in which modules run."""
    modules: dict[str, Arrays] = {}
    for key, value in state.items():
        module, _, part = key.rpartition(".")
        try:
            array = np.asarray(value)
        except (TypeError, ValueError, RuntimeError) as err:
            raise DataError(
                f"{key!r} is no array ({err!s:.200})", where=where,
                expected="what numpy.asarray takes", remedy="for tensors: x.detach().cpu()",
            ) from err  # fmt: skip
        if part not in _PARTS or array.dtype.kind not in "fiub":
            raise DataError(
                f"{key!r} of {array.dtype}, shape {array.shape}", where=where,
                expected=f"numbers named MODULE.PART with PART one of {', '.join(sorted(_PARTS))}",
                remedy="leave other arrays out",
            )  # fmt: skip
        if part != "num_batches_tracked":
            modules.setdefault(module, {})[part] = array.astype(np.float64)
    if not options.modules:
        return modules
    for module in options.modules:
        known("module", module, modules, where=where)
    left = [module for module in modules if module not in options.modules]
    if left or len(set(options.modules)) < len(options.modules):
        raise DataError(
            f"modules {', '.join(left) or 'twice'} in the order", where=where,
            expected="every module of the state dict once",
        )  # fmt: skip
    return {module: modules[module] for module in options.modules}


def _layers(modules: Mapping[str, Arrays], options: Options, where: str) -> list[Trained]:
    """Pair every layer with its batch normalisation, padding and pooling."""
    kinds = {name: _kind(name, parts, where) for name, parts in modules.items()}
    n = list(kinds.values()).count("convolution")
    for option, values in (("padding", options.padding), ("pool", options.pool)):
        if values and len(values) != n:
            raise DataError(
                f"{option} of {len(values)} layers", where=where,
                expected=f"one number for each of {n} convolutions",
            )  # fmt: skip
    steps = iter(zip(options.padding or (0,) * n, options.pool or (1,) * n, strict=True))
    layers: list[Trained] = []
    follows: str | None = None  # the layer whose batch normalisation may come
    for name, parts in modules.items():
        try:
            if kinds[name] == "normalisation":
                if follows is None:
                    raise DataError(
                        "batch normalisation not after a layer",
                        expected="one at most for each layer, modules in the order they run",
                    )
                norm = _norm(parts, layers[-1].norm.bias, options.epsilon)
                layers[-1], follows = replace(layers[-1], norm=norm), None
                continue
            weights = parts["weight"]
            zero, one = np.zeros(len(weights)), np.ones(len(weights))
            norm = BatchNorm(one, zero, zero, one, parts.get("bias", zero), epsilon=0.0)
            padding, pool = next(steps) if kinds[name] == "convolution" else (0, 1)
            layers.append(Trained(weights, norm, padding, pool, options.pool_first))
            follows = name
        except DataError as err:
            raise DataError(f"module {name!r}: {err}", where=where) from err
    return layers


def _kind(name: str, parts: Arrays, where: str) -> str:
    if set(parts) >= _STATISTICS:
        return "normalisation"
    n_axes = parts["weight"].ndim if "weight" in parts else 0
    kind = {2: "fully connected", 4: "convolution"}.get(n_axes)
    if kind is None or _STATISTICS & set(parts):
        shapes = ", ".join(f"{part} {x.shape}" for part, x in parts.items())
        raise DataError(
            f"module {name!r} of {shapes}", where=where,
            expected="fully connected layers, 2-d convolutions and batch normalisations",
        )  # fmt: skip
    return kind


def _norm(parts: Arrays, bias: NDArray[np.float64], epsilon: float) -> BatchNorm:
    mean = parts["running_mean"]
    gamma, beta = parts.get("weight", np.ones(mean.shape)), parts.get("bias", np.zeros(mean.shape))
    return BatchNorm(gamma, beta, mean, parts["running_var"], bias, epsilon)
