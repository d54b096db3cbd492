"""Which function translates which expectation. What is not here is left to Great Expectations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_mlops.backends.pushdown import (
    aggregates,
    distinct,
    outliers,
    per_row,
    quantiles,
    several,
    tables,
)
from airflow_mlops.backends.pushdown.arguments import Arguments
from airflow_mlops.backends.pushdown.asking import Found, Steps

Translator = Callable[[Arguments], Steps | Found]
"""A generator of questions; or at once what was found, where the file's footer tells. Both raise
``NotPushedDown`` before the first question."""

TRANSLATORS: Mapping[str, Translator] = {
    "expect_column_values_to_not_be_null": per_row.not_null,
    "expect_column_values_to_be_null": per_row.null,
    "expect_column_values_to_be_between": per_row.between,
    "expect_column_values_to_be_in_set": per_row.in_set,
    "expect_column_values_to_not_be_in_set": per_row.not_in_set,
    "expect_column_values_to_be_unique": per_row.unique,
    "expect_column_values_to_match_regex": per_row.matches,
    "expect_column_values_to_not_match_regex": per_row.matches_not,
    "expect_column_values_to_match_regex_list": per_row.matches_of_list,
    "expect_column_values_to_not_match_regex_list": per_row.matches_none_of_list,
    "expect_column_value_lengths_to_be_between": per_row.lengths_between,
    "expect_column_value_lengths_to_equal": per_row.lengths_equal,
    "expect_column_value_z_scores_to_be_less_than": outliers.z_scores,
    "expect_column_values_to_be_of_type": tables.values_of_type,
    "expect_column_values_to_be_in_type_list": tables.values_in_type_list,
    "expect_column_min_to_be_between": aggregates.minimum,
    "expect_column_max_to_be_between": aggregates.maximum,
    "expect_column_mean_to_be_between": aggregates.mean,
    "expect_column_stdev_to_be_between": aggregates.stdev,
    "expect_column_sum_to_be_between": aggregates.total,
    "expect_column_median_to_be_between": quantiles.median,
    "expect_column_quantile_values_to_be_between": quantiles.quantiles,
    "expect_column_proportion_of_non_null_values_to_be_between": aggregates.non_null_proportion,
    "expect_column_unique_value_count_to_be_between": distinct.count,
    "expect_column_proportion_of_unique_values_to_be_between": distinct.proportion,
    "expect_column_distinct_values_to_be_in_set": distinct.in_set,
    "expect_column_distinct_values_to_contain_set": distinct.contain_set,
    "expect_column_distinct_values_to_equal_set": distinct.equal_set,
    "expect_column_most_common_value_to_be_in_set": distinct.most_common,
    "expect_compound_columns_to_be_unique": distinct.compound,
    "expect_column_pair_values_to_be_equal": several.pair_equal,
    "expect_column_pair_values_a_to_be_greater_than_b": several.pair_greater,
    "expect_column_pair_values_to_be_in_set": several.pair_in_set,
    "expect_multicolumn_sum_to_equal": several.sum_equals,
    "expect_multicolumn_values_to_be_equal": several.all_equal,
    "expect_select_column_values_to_be_unique_within_record": several.all_different,
    "expect_table_row_count_to_be_between": tables.row_count_between,
    "expect_table_row_count_to_equal": tables.row_count_equals,
    "expect_table_column_count_to_be_between": tables.column_count_between,
    "expect_table_column_count_to_equal": tables.column_count_equals,
    "expect_table_columns_to_match_set": tables.columns_match_set,
    "expect_table_columns_to_match_ordered_list": tables.columns_match_list,
    "expect_column_to_exist": tables.column_exists,
}
