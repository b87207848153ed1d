"""A task that puts out a Parquet file, of bytes that it is given: what writes Parquet need not be installed to run it.

Compile with: python parquet.py
"""

from kfp import compiler, dsl
from kfp.dsl import Dataset, Output


@dsl.component
def write(base64: str, unnamed: Output[Dataset], named: Output[Dataset]):
    from base64 import b64decode

    named.uri += ".parquet"
    for file in (unnamed, named):
        with open(file.path, "wb") as out:
            out.write(b64decode(base64))


@dsl.pipeline(name="parquet")
def parquet(base64: str):
    write(base64=base64)


if __name__ == "__main__":
    compiler.Compiler().compile(parquet, "parquet.yaml")
