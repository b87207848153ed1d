"""Writes the Parquet files of the tests of `table/parquet`, as users' tools write them.

Needs pyarrow and polars: python make.py
"""

import datetime
import decimal
import pathlib

import polars
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
UTC = datetime.timezone.utc
AT = datetime.datetime(2026, 8, 1, 10, tzinfo=UTC)

mixed = pa.table({
    "id": pa.array([1, 2, -3, 9007199254740993], pa.int64()),
    "share": pa.array([0.5, None, float("nan"), 1e300], pa.float64()),
    "small": pa.array([0.1, 0.2, None, -1.5], pa.float32()),
    "ok": [True, False, None, True],
    "name": ["a", 'ä "b"', None, ""],
    "day": [datetime.date(2026, 8, 1), datetime.date(1969, 12, 31), None, datetime.date(2026, 8, 1)],
    "at": pa.array([AT, AT + datetime.timedelta(microseconds=1), None, AT], pa.timestamp("us", "UTC")),
    "price": pa.array([decimal.Decimal(it) if it else None for it in ["1.50", "-0.05", None, "100.00"]], pa.decimal128(12, 2)),
    "tags": [["x", "y"], [], None, ["z", None]],
})
for codec in ["snappy", "gzip", "zstd"]:
    pq.write_table(mixed, HERE / f"{codec}.parquet", compression=codec)
pq.write_table(mixed, HERE / "plain_v2.parquet", compression="none", data_page_version="2.0", use_dictionary=False)
polars.from_arrow(mixed).write_parquet(HERE / "polars.parquet")

odd = pa.table({
    "nested": [[[1], [2, 3]], []],
    "delta": ["abc", "abd"],
    "point": pa.array([{"x": 1, "y": 2.5}, None], pa.struct({"x": pa.int32(), "y": pa.float64()})),
    "bytes": pa.array([b"\xff\x00", b"text"], pa.binary()),
    "long": ["x" * 2000, "y"],
    "many": [list(range(1000)), [1]],
})
pq.write_table(odd, HERE / "odd.parquet", use_dictionary=["long"], column_encoding={"delta": "DELTA_BYTE_ARRAY"})

rows = range(40_000)
large = pa.table({"n": pa.array(rows, pa.int32()), "text": [f"row {n}" for n in rows]})
pq.write_table(large, HERE / "large.parquet", compression="zstd", use_dictionary=False, row_group_size=10_000,
               data_page_size=8_192, write_statistics=False)
