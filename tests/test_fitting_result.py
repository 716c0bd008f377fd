"""Fit results as JSON: round trips with NaN and infinities, and refusal of anything else."""

import json
import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys.errors import DataError, OutputExistsError
from devicephys.fitting import result
from devicephys.fitting.result import DeviceFit, Estimate, FitResult
from devicephys.report.fit_page import numbers

NAN, INF = math.nan, math.inf


def sample():
    return FitResult(
        recipe="stt_mram_wer",
        version="0.1.0",
        estimates=(
            Estimate(
                "delta", 60.0, 1.5, 57.0, 63.0, "1", r"\Delta", 0.1, True, (10.0, 200.0), 0.05, 0.25
            ),
            Estimate("current", 5e-5, NAN, NAN, NAN, "A", "I_{c0}", NAN, False, (0.0, INF)),
        ),
        covariance=((6.25e-4,),),
        data={"source": "x.csv", "devices": 2, "synthetic": True, "truth": {"delta": 61.0}},
        devices=(
            DeviceFit("d1", {"delta": 59.0}, {"delta": 2.0}, 31.5, 29, 0.4, ("current",)),
            DeviceFit("d2", {"delta": 61.0}, {"delta": 2.5}, 28.0, 29, NAN),
        ),
        deviance=59.5,
        dof=58,
        p_value=0.45,
        notes=("a note with Ω",),
    )


finite = st.floats(allow_nan=False, allow_infinity=False)
number = finite | st.just(NAN)
text = st.text(max_size=8)
estimates = st.builds(
    Estimate, text, number, number, number, number, text, text, number, st.booleans(),
    st.tuples(finite | st.just(-INF), finite | st.just(INF)), number, number,
)  # fmt: skip
devices = st.builds(
    DeviceFit, text, st.dictionaries(text, number, max_size=3),
    st.dictionaries(text, number, max_size=3), number, st.integers(-5, 10**6), number,
    st.lists(text, max_size=2).map(tuple),
)  # fmt: skip
results = st.builds(
    FitResult, text, text, st.lists(estimates, max_size=3).map(tuple),
    st.integers(0, 3).flatmap(
        lambda n: st.lists(
            st.lists(number, min_size=n, max_size=n).map(tuple), min_size=n, max_size=n
        ).map(tuple)
    ),
    st.dictionaries(text, st.integers() | finite | text | st.booleans() | st.none(), max_size=3),
    st.lists(devices, max_size=2).map(tuple), number, st.integers(0, 10**6), number,
    st.lists(text, max_size=2).map(tuple),
    flags=st.lists(text, max_size=2).map(tuple),
    intervals=st.dictionaries(
        text, st.dictionaries(text, st.tuples(finite, finite), max_size=2), max_size=2
    ),
    profiles=st.dictionaries(
        text,
        st.dictionaries(text, st.lists(st.tuples(finite, number), max_size=3).map(tuple),
                        max_size=2),
        max_size=2,
    ),
    seed=st.none() | st.integers(0, 2**31),
)  # fmt: skip


def unordered(value):
    """Comparable form: NaN equals NaN, order of mappings does not count."""
    if isinstance(value, dict):
        return {k: unordered(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(unordered(v) for v in value)
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def fields(fit):
    return unordered(
        {
            **vars(fit),
            "estimates": tuple(vars(e) for e in fit.estimates),
            "devices": tuple(vars(d) for d in fit.devices),
        }
    )


@given(results)
@settings(deadline=None, max_examples=50, derandomize=True)
def test_round_trip_keeps_every_field(fit):
    again = result.from_json(result.to_json(fit), "x.json")
    assert fields(again) == fields(fit)
    assert result.to_json(again) == result.to_json(fit)


@pytest.mark.parametrize("where", ["device values", "device stderrs", "deviance", "covariance"])
def test_numbers_that_are_not_there_come_back_as_nan(where):
    missing = NAN if where == "deviance" else 1.0
    device = DeviceFit(
        "d",
        {"delta": NAN if where == "device values" else 1.0},
        {"delta": NAN if where == "device stderrs" else 1.0},
        missing, 3, 0.5,
    )  # fmt: skip
    covariance = ((NAN if where == "covariance" else 1.0,),)
    fit = FitResult("r", "0", (), covariance, {}, (device,))
    again = result.from_json(result.to_json(fit), "x.json")
    assert fields(again) == fields(fit)


def test_infinite_errors_and_numbers_become_nan_and_open_bounds_stay_open():
    estimate = Estimate("a", 1.0, INF, -INF, INF, "1", "a")
    fit = FitResult("r", "0", (estimate,), (), {}, deviance=INF, p_value=-INF)
    again = result.from_json(result.to_json(fit), "x.json")
    assert all(math.isnan(x) for x in (again["a"].stderr, again["a"].low, again["a"].high))
    assert again["a"].bounds == (-INF, INF)
    assert math.isnan(again.deviance)
    assert math.isnan(again.p_value)


def test_json_is_strict_sorted_and_the_same_for_equal_results():
    written = result.to_json(sample())

    def refuse(constant):
        raise AssertionError(constant)

    content = json.loads(written, parse_constant=refuse)  # no NaN or Infinity in the text
    assert content["schema"] == result.SCHEMA
    assert list(content) == sorted(content)
    assert written.endswith("}\n")
    assert written == result.to_json(sample())


def test_a_spread_that_is_not_seen_is_an_upper_bound():
    assert result.spread_text(0.0, 0.0, 0.004) == "not seen (at most 0.4 %)"
    assert result.spread_text(0.02, 0.0, 0.06) == "2 % (at most 6)"
    assert result.spread_text(0.02, 0.0, INF) == "2 % (no interval)"
    assert result.spread_text(0.02, 0.01, INF) == "2 % (from 1)"
    assert result.spread_text(0.0, NAN, NAN) == "taken as 0"
    assert result.spread_text(0.0, 0.0, 0.0) == "not seen"


def test_a_report_has_the_spread_with_its_interval():
    first, second = numbers(sample())["parameters"]
    assert first["spread_text"] == "10 % (5 to 25)"
    assert second["spread_text"] == ""


def test_estimates_are_found_by_name():
    assert sample()["delta"].value == 60.0
    with pytest.raises(KeyError, match="alpha"):
        sample()["alpha"]


def test_file_round_trip(tmp_path):
    path = tmp_path / "fit.json"
    result.write(sample(), path)
    assert fields(result.read(path)) == fields(sample())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert fields(result.read(path)) == fields(sample())


def refused(content, reason=""):
    with pytest.raises(DataError) as caught:
        result.from_json(content, "x.json")
    message = str(caught.value)
    assert message.startswith("x.json: not a fit result (")
    if "result (schema" in message:
        assert message.endswith(
            "; expected schema devicephys-fit-4; fit the data again with this version of devicephys"
        )
    else:
        assert message.endswith("); expected a JSON file written by devicephys fit")
    assert reason in message


@pytest.mark.parametrize(
    "content", ["", " ", "{", "[]", "7", "null", '"text"', "{'a': 1}", "[" * 100_000]
)
def test_text_that_is_no_json_record(content):
    refused(content)


def test_every_cut_of_the_text_is_refused():
    written = result.to_json(sample()).rstrip()
    for size in range(0, len(written), 7):
        refused(written[:size])


@pytest.mark.parametrize("schema", [None, "devicephys-fit-3", "devicephys-table-1", 1])
def test_other_schema(schema):
    content = json.loads(result.to_json(sample())) | {"schema": schema}
    refused(json.dumps(content), f"schema {schema}")


@pytest.mark.parametrize("key", ["estimates", "devices", "covariance", "recipe", "version", "data"])
def test_missing_key_is_named(key):
    content = json.loads(result.to_json(sample()))
    del content[key]
    refused(json.dumps(content), key)


@pytest.mark.parametrize(
    ("part", "key"),
    [("estimates", k) for k in ("name", "value", "stderr", "low", "high", "unit", "bounds")]
    + [("estimates", k) for k in ("spread", "spread_low", "spread_high")]
    + [("devices", k) for k in ("device", "values", "stderrs", "deviance", "dof", "p_value")],
)
def test_missing_key_of_a_part_is_named(part, key):
    content = json.loads(result.to_json(sample()))
    del content[part][0][key]
    refused(json.dumps(content), key)


def test_unknown_keys_are_named():
    content = json.loads(result.to_json(sample()))
    refused(json.dumps(content | {"extra": 1}), "extra")
    for part in ("estimates", "devices"):
        changed = json.loads(result.to_json(sample()))
        changed[part][0]["extra"] = 1
        refused(json.dumps(changed), "extra")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("estimates",), 7),
        (("estimates", 0), "delta"),
        (("estimates", 0, "value"), "sixty"),
        (("estimates", 0, "value"), [60.0]),
        (("estimates", 0, "bounds"), [1.0]),
        (("estimates", 0, "bounds"), [1.0, 2.0, 3.0]),
        (("estimates", 0, "bounds"), ["low", "high"]),
        (("devices",), 7),
        (("devices", 0, "p_value"), "high"),
        (("devices", 0, "deviance"), "high"),
        (("devices", 0, "values"), 7),
        (("devices", 0, "values"), {"delta": "sixty"}),
        (("devices", 0, "at_bound"), None),
        (("covariance",), 7),
        (("covariance",), "text"),
        (("covariance", 0, 0), "text"),
        (("data",), 7),
        (("deviance",), "much"),
        (("p_value",), {}),
        (("dof",), "many"),
        (("notes",), None),
    ],
)
def test_values_of_another_type_are_refused(path, value):
    content = json.loads(result.to_json(sample()))
    part = content
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    refused(json.dumps(content))


def test_missing_empty_and_foreign_files(tmp_path):
    path = tmp_path / "fit.json"
    with pytest.raises(DataError, match=r"fit\.json: no such file; check the path"):
        result.read(path)
    path.touch()
    with pytest.raises(DataError, match=r"fit\.json: empty file"):
        result.read(path)
    path.write_bytes(b"{}\n\xff")
    with pytest.raises(DataError, match=r"fit\.json:2: byte 0xff is not UTF-8"):
        result.read(path)
    path.write_text("recipe = 1\n")
    with pytest.raises(DataError, match=r"fit\.json: not a fit result \("):
        result.read(path)


def test_existing_output_is_kept_and_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "fit.json"
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match=r"fit\.json: output exists; .*--force"):
        result.write(sample(), path)
    with pytest.raises(DataError, match="no: no such folder"):
        result.write(sample(), tmp_path / "no" / "fit.json")

    def failing(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match="No space left"):
        result.write(sample(), path, force=True)
    assert os.listdir(tmp_path) == ["fit.json"]
    assert path.read_text() == "mine"
