"""What a comparison says of slices, of missing values and new categories, and of chance."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.drift.detector import StreamingDriftDetector
from airflow_mlops.core.drift import SlicePlan
from airflow_mlops.core.values import PART_COLUMN

KINDS = {"age": "numeric", "spend": "numeric", "plan": "categorical"}


def frame(rows: int = 4_000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": np.floor(rng.normal(40, 10, rows)),
            "spend": rng.exponential(1, rows),
            "plan": rng.choice(["free", "pro", "team"], rows, p=[0.6, 0.3, 0.1]),
        }
    )


def drifted(looks):
    return {(look.slice, look.column) for look in looks if look.drifted}


def test_drift_in_one_slice_alone_is_found_there(compare):
    now = frame(seed=1)
    now.loc[now["plan"] == "team", "spend"] += 2
    found = compare(frame(), now, KINDS, slices=SlicePlan(cuts=(("plan",),)))
    assert drifted(found.columns) == set()
    assert drifted(found.in_slices) == {("plan=team", "spend")}
    assert [one.slice for one in found.slices] == ["plan=free", "plan=pro", "plan=team"]
    assert found.slices[2].share == pytest.approx(0.1, abs=0.02)


def test_slices_are_cut_where_the_reference_says_and_may_be_crossed(compare):
    now = frame(seed=1).assign(age=lambda rows: rows["age"] + 20)
    slices = SlicePlan(cuts=(("age", "plan"), ("age",)), edges={"age": (40.0,)}, minimum_rows=100)
    found = compare(frame(), now, KINDS, slices=slices)
    rows = {one.slice: one.rows for one in found.slices}
    assert rows["age >= 40"] == int((now["age"] >= 40).sum())
    assert rows["age >= 40, plan=pro"] == int(((now["age"] >= 40) & (now["plan"] == "pro")).sum())
    assert found.slices[-1].share > 0.9 > 0.6 > found.slices[-1].reference_share


def test_small_slices_and_the_columns_that_cut_them_are_not_looked_at(compare):
    now = frame(seed=1)
    now = pd.concat((now[now["plan"] != "team"], now[now["plan"] == "team"].head(50)))
    found = compare(frame(), now, KINDS, slices=SlicePlan(cuts=(("plan",),)))
    assert {one.slice for one in found.slices} == {"plan=free", "plan=pro"}
    assert {look.column for look in found.in_slices} == {"age", "spend"}


def test_a_column_that_loses_values_has_drifted_though_the_rest_looks_the_same(compare):
    now = frame(seed=1)
    now.loc[now.index % 4 == 0, "spend"] = np.nan
    found = compare(frame(), now, KINDS)
    look = next(one for one in found.columns if one.column == "spend")
    assert (look.drifted, look.method) == (True, "missing values")
    assert look.score == pytest.approx(0.25)
    facts = {one.column: one for one in found.facts}
    assert (facts["spend"].missing, facts["spend"].reference_missing) == (pytest.approx(0.25), 0.0)


def test_new_categories_are_counted_and_never_named(compare):
    now = frame(seed=1)
    now.loc[:399, "plan"] = [f"secret {number % 7}" for number in range(400)]
    found = compare(frame(), now, KINDS)
    facts = {one.column: one for one in found.facts}
    assert (facts["plan"].new_share, facts["plan"].new_categories) == (pytest.approx(0.1), 7)
    assert facts["age"].new_share is None
    assert "secret" not in repr(found)
    assert drifted(found.columns) == {("", "plan")}


def test_a_large_effect_in_few_rows_may_be_chance_and_a_small_one_in_many_is_no_matter(compare):
    rng = np.random.default_rng(0)
    few = compare(frame(300), frame(30, seed=3), KINDS)
    assert max(look.score for look in few.columns) > 0.1
    assert drifted(few.columns) == set()
    many = pd.DataFrame({"age": rng.normal(0, 1, 200_000)})
    found = compare(many, pd.DataFrame({"age": rng.normal(0.03, 1, 200_000)}), {"age": "numeric"})
    assert found.columns[0].p_value < 1e-4
    assert not found.columns[0].drifted


def test_of_hundreds_of_columns_that_are_all_noise_none_has_drifted(compare):
    rng = np.random.default_rng(0)
    kinds = {f"c{number}": "numeric" for number in range(60)}

    def noise(rows):
        return pd.DataFrame(rng.normal(size=(rows, len(kinds))), columns=list(kinds))

    found = compare(noise(1_000), noise(150), kinds)
    assert sum(look.score >= 0.1 for look in found.columns) > 5
    assert drifted(found.columns) == set()


def test_rows_that_were_left_out_are_no_reference(compare):
    before = frame().assign(**{PART_COLUMN: "train"})
    strangers = frame(2_000, seed=2).assign(**{PART_COLUMN: "left_out"}, age=99.0)
    found = compare(pd.concat((before, strangers)), frame(seed=1), KINDS)
    assert found.reference_rows == 4_000
    assert drifted(found.columns) == set()


def test_the_comparison_is_the_same_however_the_rows_are_cut_into_files(rows, plan):
    detector, asked = (
        StreamingDriftDetector(),
        plan(KINDS, "wasserstein", slices=SlicePlan(cuts=(("plan",),))),
    )
    known = detector.profile(rows(frame(), "reference"), asked)
    now = frame(seed=1).assign(spend=lambda rows: rows["spend"] * 1.3)
    halves = rows(now.head(1_000), "one").files + rows(now.tail(3_000), "two").files
    whole = rows(now)
    parts = type(whole)("current", halves)
    one, two = (detector.compare(known, given, asked) for given in (whole, parts))
    assert drifted(one.columns) == drifted(two.columns) != set()
    for look, other in zip((*one.columns, *one.in_slices), (*two.columns, *two.in_slices), strict=True):
        assert look.score == pytest.approx(other.score, abs=1e-9)


def test_whole_numbers_flags_and_decimals_are_the_numbers_that_they_are(compare):
    before = frame().assign(
        age=lambda rows: rows["age"].astype("int64"), spend=lambda rows: rows["spend"] > 1
    )
    now = frame(seed=1).assign(spend=lambda rows: (rows["spend"] > 1).astype(float))
    found = compare(before, now, KINDS)
    assert drifted(found.columns) == set()
    assert all(look.score < 0.02 for look in found.columns)


def test_a_profile_of_another_release_is_refused_with_a_way_out(rows, plan):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from airflow_mlops.backends.drift.profile import _META
    from airflow_mlops.exceptions import DataRefused

    asked = plan(KINDS)
    table = pq.read_table(pa.BufferReader(StreamingDriftDetector().profile(rows(frame()), asked)))
    said = json.loads(table.schema.metadata[_META]) | {"format": 99}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({_META: json.dumps(said)}), sink)
    for body, told in ((sink.getvalue().to_pybytes(), "format 99"), (b"nothing", "cannot be read")):
        with pytest.raises(DataRefused, match=f"{told}.*delete|Delete"):
            StreamingDriftDetector().compare(body, rows(frame()), asked)


def test_a_change_among_rare_categories_is_seen(compare):
    """Four hundred streets of some fifteen rows, of which half now have three times as many as the rest."""
    rng = np.random.default_rng(0)
    streets = [f"street {number:03}" for number in range(400)]
    before = pd.DataFrame({"street": rng.choice(streets, 6_000)})
    odds = np.tile([1.0, 3.0], 200)
    now = pd.DataFrame({"street": rng.choice(streets, 800, p=odds / odds.sum())})
    kinds = {"street": "categorical"}
    (look,) = compare(before, now, kinds).columns
    assert (look.drifted, look.method) == (True, "psi")
    again = pd.DataFrame({"street": rng.choice(streets, 800)})
    assert not compare(before, again, kinds).columns[0].drifted


def test_rare_categories_that_stand_still_are_not_parted_by_the_side_that_chance_gave_them_to(compare):
    """Of most there are two rows in all: those with both in the reference must not be counted together."""
    rng = np.random.default_rng(0)
    kinds, levels = {f"c{number}": "categorical" for number in range(30)}, np.arange(400).astype(str)
    rows = {name: rng.choice(levels, 500) for name in kinds}
    found = compare(pd.DataFrame(rows), pd.DataFrame({n: rng.permutation(v) for n, v in rows.items()}), kinds)
    assert drifted(found.columns) == set()
    other = compare(
        pd.DataFrame(rows), pd.DataFrame({name: rng.choice(v, 500) for name, v in rows.items()}), kinds
    )
    assert np.mean([look.p_value <= 0.05 for look in other.columns if look.method == "psi"]) < 0.2


@pytest.mark.parametrize(("new", "found"), [(1, False), (12, True)])
def test_a_new_category_in_a_small_window_is_no_chance(compare, new, found):
    before, now = frame(20_000), frame(200, seed=1)
    now.loc[: new - 1, "plan"] = "trial"
    looks = compare(before, now, {"plan": "categorical"}).columns
    assert (drifted(looks) == {("", "plan")}) is found
