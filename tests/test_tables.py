"""Tables: from the columns of a frame to inputs and targets, beside scikit-learn and plain float64 NumPy."""

import json
import sys
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from capas import datasets
from capas.datasets import CategoryColumn, ClassTarget, NumberColumn, NumberTarget, TablePreparation
from capas.errors import ArgumentError, DataError, MissingExtraError

CITIES = np.array(["Rome", "Lima", "Oslo"], object)


def people(rows=60, seed=0):
    """A table with a column of every kind."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 90, rows),
            "height": random.normal(170, 10, rows),
            "income": np.where(random.random(rows) < 0.3, np.nan, random.normal(3e4, 1e4, rows)),
            "city": random.choice(CITIES, rows),
            "smokes": random.random(rows) < 0.4,
            "planet": "Earth",
            "nothing": np.full(rows, np.nan),
            "asked": np.where(random.random(rows) < 0.5, 1.0, np.nan),
            "ill": random.choice(["no", "yes", "maybe"], rows),
            "weight": random.normal(70, 9, rows),
        }
    )
    pet = random.choice(["cat", "dog", None], rows)
    return frame.assign(pet=pd.Series(pet, dtype=object))


def fit_one(values, **column):
    """How a column is encoded beside another that always is."""
    frame = pd.DataFrame({"column": pd.Series(values, **column), "other": np.arange(len(values)) % 2 + 0.5})
    return TablePreparation.fit(frame, target="other", task="regression")


def refused(error, function, *arguments):
    with pytest.raises(error) as caught:
        function(*arguments)
    return str(caught.value)


def standardized(values):
    values = np.asarray(values, np.float64)
    return (values - np.nanmean(values)) / np.nanstd(values)


def test_a_table_becomes_standardized_numbers_and_one_input_per_value():
    frame = people()
    preparation = TablePreparation.fit(frame, target="ill")
    assert preparation.dropped == ("planet", "nothing")
    assert preparation.features == (
        *("age", "height", "income", "income is missing", "city=Lima", "city=Oslo", "city=Rome"),
        *("smokes=False", "smokes=True", "asked=1.0", "asked is missing", "weight"),
        *("pet=cat", "pet=dog", "pet is missing"),
    )
    assert preparation.input_shape == (15,)
    expected = [standardized(frame["age"]), standardized(frame["height"])]
    expected += [np.nan_to_num(standardized(frame["income"]), nan=0), np.isnan(frame["income"])]
    expected += [[value == city for value in frame["city"]] for city in ("Lima", "Oslo", "Rome")]
    expected += [[not value for value in frame["smokes"]], frame["smokes"]]
    expected += [[value == 1 for value in frame["asked"]], frame["asked"].isna()]
    expected += [standardized(frame["weight"])]
    expected += [[value == pet for value in frame["pet"]] for pet in ("cat", "dog")]
    expected += [[value not in ("cat", "dog") for value in frame["pet"]]]
    x = preparation.prepare(frame)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, np.array(expected, np.float64).T, rtol=0, atol=1e-6)
    classes = ("maybe", "no", "yes")
    assert preparation.classes == classes
    expected = np.array([classes.index(value) for value in frame["ill"]], np.int32)
    np.testing.assert_array_equal(preparation.targets(frame), expected, strict=True)


def test_numbers_are_those_of_standard_scaler_and_categories_those_of_one_hot_encoder():
    frame, new = people(), people(30, seed=1)
    preparation = TablePreparation.fit(frame, target="weight")
    numbers, categories = ["age", "height", "income"], ["city", "smokes", "pet"]
    x = dict(zip(preparation.features, preparation.prepare(new).T, strict=True))
    scaled = StandardScaler().fit(frame[numbers]).transform(new[numbers])
    found = np.stack([x[name] for name in numbers], axis=1)
    np.testing.assert_allclose(found, np.nan_to_num(scaled, nan=0), rtol=0, atol=1e-6)
    encoder = OneHotEncoder(sparse_output=False).fit(frame[categories])
    inputs = [
        name.removesuffix("_nan").removesuffix("_None") + " is missing" if name[-4:] in ("_nan", "None") else name
        for name in encoder.get_feature_names_out()
    ]
    inputs = [name.replace("_", "=") for name in inputs]
    found = np.stack([x[name] for name in inputs], axis=1)
    np.testing.assert_array_equal(found, encoder.transform(new[categories]))


def test_targets_of_numbers_are_standardized_and_brought_back():
    frame = people()
    preparation = TablePreparation.fit(frame, target="weight")
    assert preparation.classes == ()
    y = preparation.targets(frame)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, standardized(frame["weight"])[:, None], rtol=0, atol=1e-6)
    back = preparation.unscale(y)
    assert back.dtype == np.float64
    np.testing.assert_allclose(back[:, 0], frame["weight"], rtol=1e-6)


def test_csv_and_parquet_give_equal_arrays(tmp_path):
    frame = people()
    frame.to_csv(tmp_path / "people.csv", index=False)
    frame.to_parquet(tmp_path / "people.PARQUET")
    csv, parquet = (datasets.read_table(tmp_path / name) for name in ("people.csv", "people.PARQUET"))
    for target in ("ill", "weight", "smokes", "age"):
        preparation = TablePreparation.fit(csv, target)
        assert preparation == TablePreparation.fit(parquet, target) == TablePreparation.fit(frame, target)
        for other in (parquet, frame):
            np.testing.assert_array_equal(preparation.prepare(csv), preparation.prepare(other), strict=True)
            np.testing.assert_array_equal(preparation.targets(csv), preparation.targets(other), strict=True)


@pytest.mark.parametrize("target", ["ill", "weight", "age", "smokes"])
def test_a_preparation_survives_json_bit_for_bit(target):
    frame = people()
    preparation = TablePreparation.fit(frame, target)
    back = datasets.from_json(json.loads(json.dumps(datasets.to_json(preparation))))
    assert back == preparation
    assert [type(value) for value in back.classes] == [type(value) for value in preparation.classes]
    np.testing.assert_array_equal(back.prepare(frame), preparation.prepare(frame), strict=True)
    np.testing.assert_array_equal(back.targets(frame), preparation.targets(frame), strict=True)


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ([1, 2, 2, 3], {}, NumberColumn("column", 2.0, 0.5**0.5, False)),
        ([1.0, np.nan, 3.0], {}, NumberColumn("column", 2.0, 1.0, True)),
        ([1, None, 3], {"dtype": "Int64"}, NumberColumn("column", 2.0, 1.0, True)),
        ([1, None, 3.0], {"dtype": object}, NumberColumn("column", 2.0, 1.0, True)),
        ([Decimal("1.5"), Decimal(2)], {"dtype": object}, NumberColumn("column", 1.75, 0.25, False)),
        ([2**70, 0], {"dtype": object}, NumberColumn("column", 2.0**69, 2.0**69, False)),
        (["b", "a", "b"], {}, CategoryColumn("column", ("a", "b"))),
        (["2", "1"], {}, CategoryColumn("column", ("1", "2"))),
        (["b", None], {}, CategoryColumn("column", ("b", None))),
        ([True, False, True], {}, CategoryColumn("column", (False, True))),
        ([True, None], {"dtype": "boolean"}, CategoryColumn("column", (True, None))),
        ([True, None, False], {"dtype": object}, CategoryColumn("column", (False, True, None))),
        ([3, 1, 3], {"dtype": "category"}, CategoryColumn("column", (1, 3))),
        ([3.5, None, 3.5], {}, CategoryColumn("column", (3.5, None))),
        ([7, 7], {}, None),
        ([7.5, 7.5], {}, None),
        (["a", "a"], {}, None),
        ([None, None], {"dtype": object}, None),
        ([None, None], {"dtype": float}, None),
        ([True, True], {}, None),
        (["2024-01-05", "soon"], {}, CategoryColumn("column", ("2024-01-05", "soon"))),
        (["1-2/2024", "b"], {}, CategoryColumn("column", ("1-2/2024", "b"))),
    ],
)
def test_the_kind_of_a_column(values, options, expected):
    frame = pd.DataFrame({"column": pd.Series(values, **options), "other": np.arange(len(values)) + 0.5})
    if expected is None:
        other = frame.assign(third=frame["other"])
        assert TablePreparation.fit(other, "other").dropped == ("column",)
    else:
        assert TablePreparation.fit(frame, "other").columns == (expected,)


@pytest.mark.parametrize(
    ("values", "task", "expected"),
    [
        (["b", "a"], None, ClassTarget("target", ("a", "b"))),
        ([True, False], None, ClassTarget("target", (False, True))),
        ([2, 1, 2], None, ClassTarget("target", (1, 2))),
        (list(range(20)), None, ClassTarget("target", tuple(range(20)))),
        (list(range(21)), None, NumberTarget("target", 10.0, np.std(np.arange(21.0)))),
        ([1.0, 3.0], None, NumberTarget("target", 2.0, 1.0)),
        ([1.0, 3.0], "classification", ClassTarget("target", (1.0, 3.0))),
        ([1, 3], "regression", NumberTarget("target", 2.0, 1.0)),
        ([True, False], "regression", NumberTarget("target", 0.5, 0.5)),
        (["1", "3"], "regression", NumberTarget("target", 2.0, 1.0)),
        (pd.Categorical([3, 1]), None, ClassTarget("target", (1, 3))),
        (list(range(30)) * 2, "classification", ClassTarget("target", tuple(range(30)))),
    ],
)
def test_the_kind_of_a_target(values, task, expected):
    frame = pd.DataFrame({"target": values, "input": np.arange(len(values)) + 0.5})
    assert TablePreparation.fit(frame, "target", task).target == expected


def test_columns_are_found_by_name_and_others_ignored():
    frame = people()
    preparation = TablePreparation.fit(frame, target="ill")
    x = preparation.prepare(frame)
    other = frame[frame.columns[::-1]].drop(columns=["ill", "planet"]).assign(extra="new")
    np.testing.assert_array_equal(preparation.prepare(other), x)
    np.testing.assert_array_equal(preparation.prepare(frame[5:7]), x[5:7])


def test_values_are_matched_whatever_type_they_arrive_in(tmp_path):
    """A gap makes pandas read integers as floats, and a lone code as a number."""
    codes = pd.DataFrame({"grade": pd.Categorical([1, 2, 1]), "zip": ["07", "11", "07"], "y": ["0", "1", "0"]})
    preparation = TablePreparation.fit(codes, target="y")
    (tmp_path / "new.csv").write_text("zip,grade,y\n11,2.0,1\n07,1.0,0\n")
    new = datasets.read_table(tmp_path / "new.csv", preparation)
    np.testing.assert_array_equal(preparation.prepare(new), [[0, 1, 0, 1], [1, 0, 1, 0]])
    np.testing.assert_array_equal(preparation.targets(new), [1, 0])
    (tmp_path / "new.csv").write_text("zip,grade\n11,2\n")
    new = datasets.read_table(tmp_path / "new.csv", preparation)
    np.testing.assert_array_equal(preparation.prepare(new), [[0, 1, 0, 1]])


@pytest.mark.parametrize(
    ("values", "expected"),
    [(["1", " 3 "], [-1, 1]), (pd.array([1, 3], dtype="Int64"), [-1, 1]), ([True, False], [-1, -2])],
)
def test_numbers_are_read_from_text_too(values, expected):
    x = NumberColumn("column", 2.0, 1.0, False).prepare(pd.DataFrame({"column": values}))
    np.testing.assert_array_equal(x[:, 0], expected)


MISSING = "Fill it in, or train again with rows in which it is missing."
UNSEEN = "Correct the cell, or train again with rows that have this value."


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("age", np.nan, f"a value in every row, as in training, got none in row 2 (the first is row 0). {MISSING}"),
        ("city", None, f"a value in every row, as in training, got none in row 2 (the first is row 0). {MISSING}"),
        ("age", "old", "finite numbers, got 'old' in row 2 (the first is row 0). Correct the cell."),
        ("age", np.inf, "finite numbers, got inf in row 2 (the first is row 0). Correct the cell."),
        ("income", -np.inf, "finite numbers, got -inf in row 2 (the first is row 0). Correct the cell."),
        ("age", 1j, "finite numbers, got complex numbers. Make two columns of their parts."),
        (
            "age",
            date(2024, 1, 5),
            "finite numbers, got datetime.date(2024, 1, 5) in row 2 (the first is row 0). Correct the cell.",
        ),
        (
            "age",
            1e300,
            "numbers of the size of those of training, got 1e+300 in row 2 (the first is row 0). Correct the cell.",
        ),
        (
            "city",
            "Ulm",
            f"the values of training, 'Lima', 'Oslo', 'Rome', got 'Ulm' in row 2 (the first is row 0). {UNSEEN}",
        ),
        (
            "pet",
            "fox",
            f"the values of training, 'cat', 'dog', None, got 'fox' in row 2 (the first is row 0). {UNSEEN}",
        ),
        ("asked", 2, f"the values of training, 1.0, None, got 2 in row 2 (the first is row 0). {UNSEEN}"),
    ],
)
def test_cells_that_training_did_not_have_are_named(column, value, message):
    frame = people()
    preparation = TablePreparation.fit(frame, target="ill")
    cells = frame[column].astype(object)
    cells.iloc[2] = value
    assert refused(DataError, preparation.prepare, frame.assign(**{column: cells})) == (
        f"column {column!r}: expected {message}"
    )


def test_the_first_bad_row_is_named_whatever_its_label():
    frame = people().set_index(np.arange(100, 160))
    preparation = TablePreparation.fit(frame, target="ill")
    frame.loc[[107, 103], "city"] = ["Ulm", "Bonn"]
    assert "got 'Bonn' in row 3 (the first is row 0)" in refused(DataError, preparation.prepare, frame)


def test_targets_that_are_missing_or_unknown_are_named():
    frame = people(4).assign(ill=["no", "yes", "no", "yes"])
    for target in ("ill", "weight"):
        preparation = TablePreparation.fit(frame, target)
        gap = frame.assign(**{target: frame[target].mask([False, False, True, False])})
        message = (
            f"column {target!r}: expected a target in every row, got none in row 2 (the first is row 0). "
            f"Remove such rows: frame.dropna(subset=[{target!r}])."
        )
        assert refused(DataError, preparation.targets, gap) == message
        assert refused(DataError, TablePreparation.fit, gap, target) == message
    preparation = TablePreparation.fit(frame, "ill")
    assert refused(DataError, preparation.targets, frame.assign(ill=["no", "perhaps", "no", "yes"])) == (
        "column 'ill': expected the values of training, 'no', 'yes', got 'perhaps' in row 1 (the first is row 0). "
        f"{UNSEEN}"
    )
    preparation = TablePreparation.fit(frame, "weight")
    assert refused(DataError, preparation.targets, frame.assign(weight=["1", "2", "three", "4"])) == (
        "column 'weight': expected finite numbers, got 'three' in row 2 (the first is row 0). Correct the cell."
    )
    assert refused(DataError, preparation.targets, frame.assign(weight=[1, 2, 3, -1e300])) == (
        "column 'weight': expected numbers of the size of those of training, "
        "got -1e+300 in row 3 (the first is row 0). Correct the cell."
    )


def test_missing_columns_are_named():
    frame = people()
    preparation = TablePreparation.fit(frame, target="ill")
    remedy = "Check the names; a model needs every column it was trained on."
    assert refused(DataError, preparation.prepare, frame[["age", "ill"]]) == (
        "table: expected columns 'height', 'income', 'city', 'smokes', 'asked', 'weight', 'pet', "
        f"got only 'age', 'ill'. {remedy}"
    )
    assert refused(DataError, preparation.targets, frame[["age"]]) == (
        f"table: expected columns 'ill', got only 'age'. {remedy}"
    )
    wide = pd.DataFrame(np.ones((1, 12)), columns=list("abcdefghijkl"))
    shown = ", ".join(repr(name) for name in "abcdefghij")
    assert refused(DataError, TablePreparation.fit, wide, "y") == (
        f"table: expected columns 'y', got only {shown}, … (12 in all). {remedy}"
    )


@pytest.mark.parametrize(
    ("frame", "got", "remedy"),
    [
        ([[1, 2]], "list", "Make one: pandas.DataFrame(data)."),
        (pd.DataFrame([[1, 2]]), "columns 0, 1", "Name them: frame.columns = frame.columns.astype(str)."),
        (pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]), "twice 'a'", "Rename one of them."),
        (pd.DataFrame({"a": [], "b": []}), "no rows", "Check how the table was made."),
    ],
)
def test_a_table_is_a_frame_with_rows_and_names(frame, got, remedy):
    preparation = TablePreparation((NumberColumn("a", 0.0, 1.0, False),), NumberTarget("b", 0.0, 1.0))
    message = f"table: expected a pandas DataFrame with rows, and named, distinct columns, got {got}. {remedy}"
    assert refused(DataError, TablePreparation.fit, frame, "b") == message
    assert refused(DataError, preparation.prepare, frame) == message
    assert refused(DataError, preparation.targets, frame) == message


KINDS = "numbers, or values of one kind out of str, bool, int and float"
TURN = "Turn dates and times into numbers (year, month, days since a day), mixtures into text; or drop the column."


@pytest.mark.parametrize(
    ("values", "options", "expected", "got", "remedy"),
    [
        (["2024-01-05", None, "2024-02-06"], {}, KINDS, "dates or times like '2024-01-05'", TURN),
        (["5.1.2024", "06/02/2024 12:30:00"], {}, KINDS, "dates or times like '5.1.2024'", TURN),
        (["2024/01/05T12:30", "2024-01-05"], {}, KINDS, "dates or times like '2024/01/05T12:30'", TURN),
        (pd.to_datetime(["2024-01-05", "2024-02-06"]), {}, KINDS, "Timestamp", TURN),
        (pd.to_timedelta([1, 2], unit="D"), {}, KINDS, "Timedelta", TURN),
        ([date(2024, 1, 5), date(2024, 2, 6)], {}, KINDS, "date", TURN),
        ([1, "a"], {"dtype": object}, KINDS, "int and str", TURN),
        ([True, 2], {"dtype": object}, KINDS, "bool and int", TURN),
        ([1j, 2j], {}, KINDS, "complex", TURN),
        ([[1], [2]], {}, "single values", "lists or other containers", "Drop the column."),
        ([1.0, np.inf], {}, "finite numbers", "inf in row 1 (the first is row 0)", "Correct the cell."),
        (
            [f"name {i}" for i in range(21)],
            {},
            "categories that recur",
            "21 different values in 21 rows",
            "Names, notes and identifiers say nothing about new rows: drop the column, or group its values.",
        ),
        (
            [1e300, -1e300],
            {},
            "numbers with a standard deviation that double precision can hold",
            "numbers from -1e+300 to 1e+300",
            "Rescale them; leave cells empty that hold a placeholder.",
        ),
        (
            [5e-324, 0.0],
            {},
            "numbers with a standard deviation that double precision can hold",
            "numbers from 0.0 to 5e-324",
            "Rescale them; leave cells empty that hold a placeholder.",
        ),
    ],
)
def test_columns_that_no_network_can_use_are_named(values, options, expected, got, remedy):
    message = f"column 'column': expected {expected}, got {got}. {remedy}"
    with pytest.raises(DataError) as caught:
        fit_one(values, **options)
    assert str(caught.value) == message


def test_the_bound_on_categories():
    """Twenty values may each stand once; more must be at most half as many as the rows that have one."""
    values = [f"{i:02}" for i in range(30)]
    assert len(fit_one(values[:20]).features) == 20
    assert len(fit_one(values * 2).features) == 30
    assert "got 30 different values in 59 rows" in refused(DataError, fit_one, [*values, *values[1:], None])


@pytest.mark.parametrize(
    ("values", "task", "expected", "got", "remedy"),
    [
        ([3, 3], None, "targets that differ", "3 in every row", "Choose another target, or more rows."),
        (["a", "a"], None, "targets that differ", "'a' in every row", "Choose another target, or more rows."),
        ([3.5, 3.5], None, "targets that differ", "3.5 in every row", "Choose another target, or more rows."),
        (["a", "b"], "regression", "finite numbers", "'a' in row 0 (the first is row 0)", "Correct the cell."),
        ([1j, 2j], "regression", "finite numbers", "complex numbers", "Make two columns of their parts."),
        (
            np.arange(30) / 7,
            "classification",
            "categories that recur",
            "30 different values in 30 rows",
            "Names, notes and identifiers say nothing about new rows: drop the column, or group its values.",
        ),
    ],
)
def test_targets_that_cannot_be_learned_are_named(values, task, expected, got, remedy):
    frame = pd.DataFrame({"y": values, "x": np.arange(len(values)) % 2})
    assert refused(DataError, TablePreparation.fit, frame, "y", task) == (
        f"column 'y': expected {expected}, got {got}. {remedy}"
    )


def test_the_task_is_one_of_two():
    frame = pd.DataFrame({"y": [1, 2], "x": [1, 2]})
    assert refused(ArgumentError, TablePreparation.fit, frame, "y", "ranking") == (
        "task: expected 'classification', 'regression', or None, got 'ranking'. "
        "Choose one of them; None looks at the target."
    )


@pytest.mark.parametrize(("columns", "got"), [({}, "none"), ({"a": [7, 7], "b": "b"}, "'a', 'b'")])
def test_something_to_predict_from_is_needed(columns, got):
    frame = pd.DataFrame({"y": [1, 2], **columns})
    assert refused(DataError, TablePreparation.fit, frame, "y") == (
        f"table: expected columns beside 'y' that are not the same in every row, got {got}. "
        "Add columns to predict from."
    )


def test_classes_have_no_unit():
    preparation = TablePreparation.fit(people(), target="ill")
    assert refused(ArgumentError, preparation.unscale, np.zeros((2, 3))) == (
        "TablePreparation: expected a target of numbers, got 'ill', a target of classes. "
        "Look the class up: preparation.classes[outputs.argmax(axis=-1)[row]]."
    )


@pytest.mark.parametrize(
    ("name", "content", "got", "remedy"),
    [
        ("a.txt", b"a,b\n1,2\n", "the suffix '.txt'", "Save the table as one of the two."),
        ("a", b"a,b\n1,2\n", "the suffix ''", "Save the table as one of the two."),
        ("a.csv", None, "no such file", "Check the path."),
        ("a.parquet", None, "no such file", "Check the path."),
        ("a.csv", b"", "one that cannot be read (No columns to parse from file)", "Repair it or save it anew."),
        (
            "a.csv",
            b"a,b\n1,2\n3,4,5\n",
            "one that cannot be read (Error tokenizing data. C error: Expected 2 fields in line 3, saw 3)",
            "Repair it or save it anew.",
        ),
        (
            "a.csv",
            b"a,b\n1,2,3\n4,5,6\n",
            "one that cannot be read (rows have more cells than the first line has names)",
            "Repair it or save it anew.",
        ),
    ],
)
def test_files_that_are_no_tables_are_named(tmp_path, name, content, got, remedy):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert refused(DataError, datasets.read_table, tmp_path / name) == (
        f"{tmp_path / name}: expected a table in a .csv or .parquet file, got {got}. {remedy}"
    )


@pytest.mark.parametrize(("name", "content"), [("a.parquet", b"no parquet here"), ("a.csv", b"a,b\n1,\xff\n")])
def test_damaged_tables_say_what_is_wrong(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    message = refused(DataError, datasets.read_table, tmp_path / name)
    reader = pd.read_csv if name == "a.csv" else pd.read_parquet
    reason = refused(ValueError, reader, tmp_path / name).splitlines()[0].removesuffix(".")
    assert message == (
        f"{tmp_path / name}: expected a table in a .csv or .parquet file, got one that cannot be read ({reason}). "
        "Repair it or save it anew."
    )


def test_cells_never_move_to_another_column(tmp_path):
    for text in ("a,b\n1,2,\n4,5,\n", "a,b\n1,2\n4,5\n"):
        (tmp_path / "a.csv").write_text(text)
        assert datasets.read_table(tmp_path / "a.csv").to_dict("list") == {"a": [1, 4], "b": [2, 5]}


def test_columns_without_a_name_are_refused(tmp_path):
    people(3).to_csv(tmp_path / "a.csv")
    people(3).reset_index(names="Unnamed: 0").to_parquet(tmp_path / "a.parquet")
    for file in (tmp_path / "a.csv", tmp_path / "a.parquet"):
        assert refused(DataError, datasets.read_table, file) == (
            f"{file}: expected a name for every column, got none for column 0 (the first is column 0). "
            "Name it, or remove it: pandas leaves row numbers out with frame.to_csv(path, index=False)."
        )


def test_two_columns_of_one_name_are_refused(tmp_path):
    """pandas would read the second one as another input: the target under another name."""
    (tmp_path / "a.csv").write_text("a,kind,kind\n1,x,x\n2,y,y\n")
    assert refused(DataError, datasets.read_table, tmp_path / "a.csv") == (
        f"{tmp_path / 'a.csv'}: expected columns of different names, got 'kind' twice. Rename one of them, or remove it."
    )


def test_a_parquet_file_keeps_rows_whatever_their_labels(tmp_path):
    frame = people()
    frame[frame["smokes"]].to_parquet(tmp_path / "a.parquet")
    assert datasets.read_table(tmp_path / "a.parquet")["age"].tolist() == frame["age"][frame["smokes"]].tolist()


@pytest.mark.parametrize(
    ("package", "feature", "function"),
    [
        ("pandas", "datasets.read_table", lambda folder: datasets.read_table(folder / "a.csv")),
        ("pandas", "datasets.read_table", lambda folder: datasets.read_table(folder / "a.parquet")),
        ("pyarrow", "datasets.read_table", lambda folder: datasets.read_table(folder / "a.parquet")),
        ("pandas", "datasets.TablePreparation", lambda _: TablePreparation.fit({"a": [1, 2]}, "a")),
    ],
)
def test_tables_need_pandas_and_parquet_needs_pyarrow(tmp_path, monkeypatch, package, feature, function):
    people().to_parquet(tmp_path / "a.parquet")
    people().to_csv(tmp_path / "a.csv", index=False)
    monkeypatch.setitem(sys.modules, package, None)
    assert refused(MissingExtraError, function, tmp_path) == (
        f"{feature}: expected the package {package!r} to be installed, got none. "
        "Install it with: pip install 'capas[data]'"
    )
