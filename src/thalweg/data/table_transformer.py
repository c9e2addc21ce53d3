"""Text and missing entries as numbers, by scikit-learn's transformers."""

from typing import Any

# levels of text in fewer rows than this, or than this share of them, are pooled
RARE_ROWS, RARE_SHARE = 5, 0.01
ABSENT = "(missing)"


def transformer(numeric: list[str], text: list[str], rows: int) -> Any:
    """A ColumnTransformer, not fitted yet, which takes data frames with these columns.

    Numbers: missing ones become the median of the rows it is fitted on, beside a column 1 where they were missing.
    Text: a 0/1 column a level; rare levels, and those that were never seen, share one; of two levels one column.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rare = max(RARE_ROWS, round(RARE_SHARE * rows))
    levels = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=ABSENT, missing_values=None),  # pyright: ignore
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=rare, sparse_output=False, drop="if_binary"),
    )
    parts: list[tuple[str, Any, list[str]]] = []
    if numeric:
        parts.append(
            ("numbers", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), numeric)
        )
    if text:
        parts.append(("text", levels, text))
    return ColumnTransformer(parts, verbose_feature_names_out=False)
