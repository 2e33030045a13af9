"""What an insight is: a question about all customers, and its answer from one sweep of them.

The API's route, the section of the report, the table of the command line, the CSV and the documentation are made from
the declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import numpy.typing as npt
from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, eq=False)
class Shop:
    """All customers as of `as_of`, microseconds UTC.

    `columns` maps each feature and each scored target to one value per customer; `stays` are the values that the stage
    aggregate keeps, by name, one row per customer.
    """

    columns: Mapping[str, npt.NDArray[Any]]
    stays: Mapping[str, npt.NDArray[Any]]
    as_of: int


class Schema(BaseModel):
    """The schema of an answer, or of a part of it. Unknown values are None; NaN and infinity are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, json_schema_serialization_defaults_required=True
    )


@dataclass(frozen=True)
class Insight:
    """A question, and the function that answers it.

    `name` is its name in the API and on the command line. `compute` answers in the form of `schema`, whose docstring
    and fields are the documentation; the first field that is a list of schemas is the table, one row per item.
    `template` is the file of `serving/web/templates/` that shows the `answer` as a section of the report; by default it
    shows the table.
    """

    name: str
    question: str
    compute: Callable[[Shop], Schema]
    schema: type[Schema]
    template: str = "insights/table.html"

    @property
    def title(self) -> str:
        """The heading of the section in the report."""
        return self.name.replace("-", " ").capitalize()

    @property
    def doc(self) -> str:
        """What the answer is, in a sentence or two."""
        return " ".join((self.schema.__doc__ or "").split())

    @property
    def table(self) -> str:
        """The field that holds the rows of the table. TypeError when the schema has none."""
        return self._table[0]

    @property
    def row(self) -> type[Schema]:
        """The schema of a row of the table."""
        return self._table[1]

    @property
    def _table(self) -> tuple[str, type[Schema]]:
        for name, field in self.schema.model_fields.items():
            parts = get_args(field.annotation)
            if get_origin(field.annotation) is list and isinstance(parts[0], type) and issubclass(parts[0], Schema):
                return name, parts[0]
        raise TypeError(f"{self.schema.__name__} has no table; expected a field such as rows: list[Row(Schema)]")

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of the table."""
        return tuple(self.row.model_fields)

    def rows(self, answer: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The table of an answer in JSON values."""
        return [tuple(part[column] for column in self.columns) for part in answer[self.table]]
