"""Compiles the pipeline of a Python file: FILE FUNCTION PACKAGE RESULT. An empty FUNCTION means the only one.

The outcome goes to RESULT as JSON, so nothing that the file prints can be taken for it.
"""
import importlib.util
import json
import os
import re
import sys
import traceback


def main(file, function, package, result):
    def finish(**outcome):
        with open(result, "w", encoding="utf-8") as stream:
            json.dump(outcome, stream)

    try:
        from kfp import compiler
        from kfp.dsl import base_component, graph_component
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] == "kfp":
            return finish(error="no-kfp")
        return finish(error="kfp-broken", text=short_trace(error, file))
    except Exception as error:
        return finish(error="kfp-broken", text=short_trace(error, file))

    if os.environ.get("KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT", "").lower() in ("1", "true", "yes", "t", "y", "on"):
        from kfp.dsl.pipeline_context import Pipeline

        Pipeline._execution_caching_default = False

    # The file sees what it would see as an imported module: its folder first on the path, no arguments of ours.
    sys.argv = [file]
    sys.path[0:1] = [os.path.dirname(file)]
    stem = os.path.splitext(os.path.basename(file))[0]
    name = stem if stem.isidentifier() and stem not in sys.modules else "pipeline_" + re.sub(r"\W", "_", stem)
    try:
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except SystemExit as error:
        return finish(error="import", text="the file ended the interpreter (exit %r) while it was imported" % (error.code,))
    except BaseException as error:
        return finish(error="import", text=short_trace(error, file))

    found = {}
    for attribute, value in sorted(vars(module).items()):
        if isinstance(value, base_component.BaseComponent) and not any(value is other for other in found.values()):
            found[attribute] = value
    pipelines = {key: value for key, value in found.items() if isinstance(value, graph_component.GraphComponent)}
    if function:
        chosen = getattr(module, function, None)
        if not isinstance(chosen, base_component.BaseComponent):
            return finish(error="no-such-function", names=sorted(pipelines) or sorted(found))
    else:
        candidates = pipelines or found
        if len(candidates) > 1:
            # What other files define is only imported here to be used.
            own = {key: value for key, value in candidates.items() if defined_in(value, name)}
            candidates = own if len(own) == 1 else candidates
        if len(candidates) != 1:
            return finish(error="several" if candidates else "none", names=sorted(candidates), pipelines=bool(pipelines))
        (chosen,) = candidates.values()

    try:
        compiler.Compiler().compile(pipeline_func=chosen, package_path=package)
    except BaseException as error:
        return finish(error="compile", text=short_trace(error, file))
    finish()


def defined_in(component, module):
    function = getattr(component, "pipeline_func", None) or getattr(component, "python_func", None)
    return getattr(function, "__module__", None) == module


def short_trace(error, file):
    """The traceback from the user's own file on."""
    frames = traceback.extract_tb(error.__traceback__)
    for index, frame in enumerate(frames):
        if frame.filename == file:
            frames = frames[index:]
            break
    else:
        frames = frames[-3:]
    own = [frame for frame in frames if not frame.filename.startswith("<frozen")]
    text = "".join(traceback.format_list(own)) + "".join(traceback.format_exception_only(type(error), error))
    return text.rstrip()


main(*sys.argv[1:])
