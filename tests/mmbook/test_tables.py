"""The table helper: names rows by the first key and leaves no header cell empty."""

import pytest

from mmbook.tables import table_of


def test_the_first_key_names_the_rows_and_no_header_cell_is_empty():
    table = table_of({"arm": name, "accuracy": score} for name, score in [("text", 0.5), ("both", 0.75)])
    assert list(table.index) == ["text", "both"]
    assert list(table.columns) == ["accuracy"]
    markup = table.to_html()
    assert "<th>arm</th>" in markup
    assert "<th></th>" not in markup


def test_no_rows_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="at least one row"):
        table_of([])
