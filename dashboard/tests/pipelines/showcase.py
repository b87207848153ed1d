"""What the tests of the pages look at: every kind of output that has a preview, logs that go on, and hostile content.

Compile with: python showcase.py
"""

from kfp import compiler, dsl
from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output


@dsl.component
def prepare(rows: int, table: Output[Dataset], notes: Output[Markdown]):
    with open(table.path, "w") as out:
        out.write("index,value,label\n")
        for index in range(rows):
            out.write(f'{index},{index * 0.5},"row {index}, quoted"\n')
    table.metadata["rows"] = rows
    with open(notes.path, "w") as out:
        out.write(
            "# Prepared\n\nA **table** with `rows`.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
            "<script>window.pwned = 'markdown script'</script>\n"
            "<img src=x onerror=\"window.pwned='markdown image'\">\n"
            "[link](javascript:window.pwned='link')\n"
        )


@dsl.component
def train(rate: float, table: Input[Dataset], model: Output[Model], metrics: Output[Metrics], quality: Output[ClassificationMetrics]):
    with open(table.path) as text:
        lines = len(text.readlines())
    with open(model.path, "w") as out:
        out.write('{"weights": [1, 2, 3], "rate": %s, "nested": {"deep": [null, true, "text"]}}' % rate)
    model.metadata["framework"] = "none"
    metrics.log_metric("accuracy", round(0.9 + rate / 10, 4))
    metrics.log_metric("lines", lines)
    quality.log_roc_curve([0.0, 0.1, 0.4, 1.0], [0.0, 0.6 + rate / 10, 0.9, 1.0], [1.0, 0.8, 0.4, 0.0])
    quality.log_confusion_matrix(["cat", "dog"], [[9, 1], [2, 8]])


@dsl.component
def report(html: Output[HTML], image: Output[Artifact], hostile: Output[Artifact]):
    import base64
    import os

    with open(html.path, "w") as out:
        out.write(
            "<!doctype html><h1 id=title>Report</h1><p id=said>not run</p><script>"
            "document.getElementById('said').textContent='script ran';"
            "try { window.top.pwned = 'top'; } catch (e) {}"
            "try { window.parent.document.title = 'pwned'; } catch (e) {}"
            "fetch('/apis/v2beta1/runs').then(() => { document.getElementById('said').textContent='fetched'; }, () => {});"
            "</script>"
        )
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    image.uri += ".png"
    os.makedirs(os.path.dirname(image.path), exist_ok=True)
    with open(image.path, "wb") as out:
        out.write(base64.b64decode(pixel))
    hostile.metadata["<img src=x onerror=\"window.pwned='metadata'\">"] = "<script>window.pwned='value'</script>"
    with open(hostile.path, "w") as out:
        out.write("<script>window.pwned='text'</script>\x1b[31mred\x1b[0m \x1b]0;title\x07 \u202egnp.exe")


@dsl.component
def talk(lines: int, pause: float):
    import sys
    import time

    print("\x1b[1;32mgreen and bold\x1b[0m then plain")
    print("<script>window.pwned='log'</script> & <b>not bold</b>")
    print("a\x07bell \x1b]8;;javascript:window.pwned='osc'\x1b\\link\x1b]8;;\x1b\\ \u202ereversed")
    for line in range(lines):
        print(f"line {line}", flush=pause > 0)
        time.sleep(pause)
    print("last words", file=sys.stderr)


@dsl.pipeline(name="showcase")
def showcase(rows: int = 40, rate: float = 0.2, lines: int = 200, pause: float = 0.0):
    prepared = prepare(rows=rows)
    train(rate=rate, table=prepared.outputs["table"])
    report().after(prepared)
    talk(lines=lines, pause=pause).set_caching_options(False)


if __name__ == "__main__":
    compiler.Compiler().compile(showcase, "showcase.yaml")
