"""Says what an interpreter is, and whether it has certain packages with all that they need."""
import json
import platform
import site
import sys
import sysconfig
from importlib import metadata

try:
    from packaging.requirements import Requirement
except ImportError:
    try:
        from pip._vendor.packaging.requirements import Requirement
    except ImportError:
        Requirement = None


def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def has(text, with_needs, seen, extras=()):
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
    if Requirement is None:
        return False
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


paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
if site.ENABLE_USER_SITE:
    paths.add(site.getusersitepackages())
print(json.dumps({
    "executable": sys.executable,
    "version": f"{platform.python_implementation()}-{platform.python_version()}",
    "sdk": version("kfp"),
    "site": sorted(paths),
    "satisfied": satisfied(json.loads(sys.argv[1])),
}))
