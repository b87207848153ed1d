"""Says what an interpreter is, and whether it has certain packages with all that they need."""
import json
import os
import re
import site
import sys
import sysconfig

# Every run starts with this program, so what takes long to load is loaded when nothing simpler can tell.
NAME_AND_VERSION = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:==\s*([0-9]+(?:\.[0-9]+)*))?\s*")
OLDER_PYTHON = re.compile(r"\s*python_version\s*<\s*[\"']3\.([0-9]+)[\"']\s*")


def directories_of_packages():
    """Versions by name, from the names of the directories that describe packages; the first in sys.path counts."""
    found = {}
    for path in sys.path:
        try:
            names = os.listdir(path or ".")
        except OSError:
            continue
        for name in names:
            stem, dot, kind = name.rpartition(".")
            if kind == "dist-info":
                package, dash, version = stem.rpartition("-")
                found.setdefault(normalized(package), version)
    return found


def normalized(name):
    return re.sub(r"[-_.]+", "_", name).lower()


def version(name):
    known = DIRECTORIES.get(normalized(name))
    if known:
        return known
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def is_plainly_there(text):
    """Whether a requirement without the needs of its package is met, if that can be seen; None if it cannot."""
    rest, semicolon, marker = text.partition(";")
    if semicolon:
        older = OLDER_PYTHON.fullmatch(marker)
        return True if older and sys.version_info >= (3, int(older.group(1))) else None
    match = NAME_AND_VERSION.fullmatch(rest)
    if match is None:
        return None
    known = DIRECTORIES.get(normalized(match.group(1)))
    return True if known and match.group(2) in (None, known) else None


def requirement_type():
    try:
        from packaging.requirements import Requirement
    except ImportError:
        try:
            from pip._vendor.packaging.requirements import Requirement
        except ImportError:
            return None
    return Requirement


def has(text, with_needs, seen, extras=()):
    if not with_needs and is_plainly_there(text):
        return True
    Requirement = requirement_type()
    if Requirement is None:
        return False
    from importlib import metadata

    requirement = Requirement(text)
    if requirement.marker is not None:
        if not any(requirement.marker.evaluate({"extra": extra}) for extra in (extras or ("",))):
            return True
    if requirement.url:
        return False
    installed = version(requirement.name)
    if installed is None or not requirement.specifier.contains(installed, prereleases=True):
        return False
    key = (requirement.name, tuple(sorted(requirement.extras)))
    if key in seen or not with_needs:
        return True
    seen.add(key)
    needs = metadata.requires(requirement.name) or ()
    return all(has(need, True, seen, tuple(requirement.extras)) for need in needs)


def satisfied(groups):
    if not groups:
        return True
    known = {"--no-deps"}
    with_value = {"-i", "--index-url", "--extra-index-url", "--trusted-host", "-f", "--find-links"}
    for group in groups:
        options = iter(group["options"])
        for option in options:
            if option in with_value:
                next(options, None)
            elif option not in known:
                return False
        with_needs = "--no-deps" not in group["options"]
        try:
            if not all(has(text, with_needs, set()) for text in group["requirements"]):
                return False
        except Exception:  # Not a requirement: a path or an address, which only pip can judge.
            return False
    return True


def implementation():
    known = {"cpython": "CPython", "pypy": "PyPy"}.get(sys.implementation.name)
    if known:
        return f"{known}-{sys.version.split()[0]}"
    import platform

    return f"{platform.python_implementation()}-{platform.python_version()}"


DIRECTORIES = directories_of_packages()
paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
if site.ENABLE_USER_SITE:
    paths.add(site.getusersitepackages())
print(json.dumps({
    "executable": sys.executable,
    "version": implementation(),
    "sdk": version("kfp"),
    "site": sorted(paths),
    "satisfied": satisfied(json.loads(sys.argv[1])),
}))
