# ruff: noqa: E501  one line an entry, code in texts
"""Attempts to raise a score or to read what is not a student's, each in a wrong submission.

One entry an attempt. The first step is wrong (or missing) in all of them, so that any point for
it is a point gained. What an attempt reads it prints after "READ:", and the tests search all
that comes back for what must never be there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from tests.grading.course import cell_named
from tests.grading.scenarios import GAUSSIAN, Change, Spoil, after, own_cell

WRONG = "def gaussian(distance, sigma=1.0):\n    return np.zeros_like(np.asarray(distance, float))"


@dataclass(frozen=True)
class Attack:
    """One attempt. `reads`: the right answer to it is that nothing is read."""

    name: str
    aim: str
    change: Change | None = None
    spoil: Spoil | None = None
    keeps_regression: bool = True


ATTACKS: dict[str, Attack] = {}


def attack(name: str, aim: str, change: Change | None = None, spoil: Spoil | None = None,
           keeps_regression: bool = True) -> None:  # fmt: skip
    assert name not in ATTACKS
    ATTACKS[name] = Attack(name, aim, change, spoil, keeps_regression)


def read(expression: str) -> Change:
    """Print what an expression can read, in the student's own last cell."""
    guarded = (
        f"try:\n    print('READ:', {expression})\nexcept BaseException as e:\n    print(type(e), e)"
    )
    return own_cell(guarded, at=99)


def wrong(nb: NotebookNode) -> None:
    """Make the first step wrong."""
    cell_named(nb, "gaussian").source = WRONG


# Patches of what the check might use
attack("patches numpy", "score", after(
    "np.allclose = np.array_equal = np.all = lambda *a, **k: True\nnp.abs = lambda *a, **k: 0"),
    keeps_regression=False)  # fmt: skip
attack("patches builtins", "score", after(
    "import builtins\nbuiltins.min = lambda *a, **k: 100\nbuiltins.float = lambda *a: 2.0"),
    keeps_regression=False)  # fmt: skip
attack(
    "patches the check in utilities",
    "score",
    after("import utilities\nutilities.test_gaussian = test_gaussian = lambda *a, **k: 2.0"),
)
attack(
    "patches Exercise",
    "score",
    after(
        "from utilities.checks.kernel.exercise import Exercise\n"
        "Exercise.__call__ = Exercise.report = Exercise.judge = lambda *a, **k: 2.0"
    ),
)
attack(
    "brings judges of their own",
    "score",
    after(
        "import sys, types\nfor name in ('judge', 'oracles', 'judging'):\n"
        "    m = types.ModuleType(name); m.gaussian = lambda *a: []\n"
        "    sys.modules['utilities.checks.kernel_regression.' + name] = m"
    ),
)
attack("patches the wire", "score", after(
    "from utilities.checks.kernel import wire\nwire.dump_observations = lambda o: [{'values': {}} for _ in o]"),
    keeps_regression=False)  # fmt: skip
attack(
    "answers True to every comparison",
    "score",
    after(
        "class Yes(np.ndarray):\n    def __eq__(self, o): return True\n    def __array_ufunc__(self, *a, **k): return True\n"
        "def gaussian(distance, sigma=1.0):\n    return np.zeros(np.shape(distance)).view(Yes)"
    ),
)
attack(
    "returns an object that looks right",
    "score",
    after(
        "class Any:\n    shape = ()\n    dtype = np.dtype(float)\n    def __array__(self, *a, **k): return np.ones(())\n"
        "    def __getattr__(self, n): return lambda *a, **k: True\ndef gaussian(distance, sigma=1.0): return Any()"
    ),
)

# Forged outputs and observations
attack("prints the score", "score", own_cell("print(2.0)\ndisplay(2.0)\n2.0", at=3))
attack(
    "replaces the display hook",
    "score",
    after(
        "import sys\nget_ipython().displayhook.__class__.__call__ = lambda self, r=None: print('2.0')\n"
        "sys.displayhook = lambda r: print('2.0')"
    ),
)
attack(
    "rewrites what runs after it",
    "score",
    after(
        "import ast\nclass T(ast.NodeTransformer):\n    def visit_Call(self, n): return ast.Constant(2.0)\n"
        "get_ipython().ast_transformers.append(T())"
    ),
    keeps_regression=False,
)
attack(
    "rewrites the text of cells",
    "score",
    after("get_ipython().input_transformers_cleanup.append(lambda lines: ['2.0'])"),
    keeps_regression=False,
)
attack(
    "hooks before each cell",
    "score",
    after(
        "get_ipython().events.register('pre_run_cell', lambda i: display(2.0))\n"
        "get_ipython().events.register('post_run_cell', lambda r: display(2.0))"
    ),
)
FORGED = (
    "from utilities.checks.kernel import wire\nfrom utilities.checks.kernel.case import Observation\n"
    "one = wire.dump_observations([Observation({'kernel_value': np.ones(())})])\n"
)
attack(
    "sends observations unasked",
    "score",
    own_cell(
        FORGED
        + "get_ipython().display_pub.publish({wire.MIME: {'request': 'x', 'observations': one * 11}})",
        at=3,
    ),
)
attack(
    "sends observations twice",
    "score",
    after(
        FORGED
        + "from utilities.checks.kernel import observer\nsend = get_ipython().display_pub.publish\n"
        "def twice(data, *a, **k):\n    send(data, *a, **k); send(data, *a, **k)\n"
        "get_ipython().display_pub.publish = twice"
    ),
    keeps_regression=False,
)
attack(
    "sends its own observations in place",
    "score",
    after(
        FORGED + "send = get_ipython().display_pub.publish\n"
        "def forge(data, *a, **k):\n"
        "    if wire.MIME in data and len(data[wire.MIME]['observations'][0].get('values', {})) == 1:\n"
        "        data[wire.MIME]['observations'] = one * len(data[wire.MIME]['observations'])\n"
        "    send(data, *a, **k)\nget_ipython().display_pub.publish = forge"
    ),
)
attack(
    "answers another request",
    "score",
    after(
        "from utilities.checks.kernel import wire\nsend = get_ipython().display_pub.publish\n"
        "def forge(data, *a, **k):\n    data[wire.MIME]['request'] = '0' * 16; send(data, *a, **k)\n"
        "get_ipython().display_pub.publish = forge"
    ),
    keeps_regression=False,
)
for bad, what in {
    "pickled array": "np.save(b, np.array([print], dtype=object), allow_pickle=True)",
    "array said to be a terabyte": "np.lib.format.write_array_header_1_0("
    "b, {'descr': '<f8', 'fortran_order': False, 'shape': (10**11,)})",
    "array of texts": "np.save(b, np.array(['2.0']))",
    "header that is code": "b.write(b'\\x93NUMPY\\x01\\x00\\x20\\x00' + b'__import__(\"os\").abort()      \\n')",
}.items():
    attack(f"sends a {bad}", "harm", after(
        f"import base64, io\nfrom utilities.checks.kernel import wire\nb = io.BytesIO(); {what}\n"
        "text = base64.b64encode(b.getvalue()).decode()\n"
        "wire.dump_observations = lambda o: [{'values': {'kernel_value': text}} for _ in o]"),
        keeps_regression=False)  # fmt: skip
attack(
    "sends numbers that are none",
    "score",
    after("def gaussian(distance, sigma=1.0): return np.full(np.shape(distance), np.nan)"),
)
attack(
    "sends infinities",
    "score",
    after("def gaussian(distance, sigma=1.0): return np.full(np.shape(distance), np.inf)"),
)
attack(
    "says it was observed with trusted steps",
    "score",
    after(
        "from utilities.checks.kernel import observer\nold = observer._reply\n"
        "observer._reply = lambda *a: {**old(*a), 'in_use': ['gaussian', 7, None], 'score': 2.0}"
    ),
)
attack(
    "overwrites what the check showed",
    "score",
    after(
        "from IPython.display import display, update_display\nimport threading, time\n"
        "ids = [display(0.0, display_id=f'd{i}') for i in range(3)]\n"
        "def later():\n    for _ in range(50):\n        time.sleep(0.02)\n"
        "        for i in range(3): update_display(2.0, display_id=f'd{i}')\n"
        "threading.Thread(target=later).start()"
    ),
)
attack(
    "clears the outputs",
    "score",
    after(
        "from IPython.display import clear_output\nimport threading, time\n"
        "threading.Thread(target=lambda: [(time.sleep(0.02), clear_output()) for _ in range(50)]).start()"
    ),
)
attack(
    "speaks for the kernel over its sockets",
    "score",
    after(
        "k = get_ipython().kernel\n"
        "for kind, content in (('execute_result', {'data': {'text/plain': '2.0'}, 'metadata': {}, 'execution_count': 1}),\n"
        "                      ('status', {'execution_state': 'idle'})):\n"
        "    k.session.send(k.iopub_socket, kind, content, parent=k.get_parent('shell'), ident=b'x')"
    ),
)

# Changes of the notebook
attack(
    "makes the check worth 100",
    "score",
    lambda nb: cell_named(nb, GAUSSIAN).metadata.nbgrader.update(points=100),
)
attack(
    "gives a minus worth",
    "score",
    lambda nb: cell_named(nb, "check_nadaraya_watson").metadata.nbgrader.update(points=-4),
)
attack("unlocks and rewrites the check", "score", lambda nb: (
    cell_named(nb, GAUSSIAN).metadata.nbgrader.update(locked=False, solution=True),
    cell_named(nb, GAUSSIAN).update(source="2.0"),
))  # fmt: skip
attack(
    "skips the check",
    "score",
    lambda nb: cell_named(nb, GAUSSIAN).metadata.update(tags=["skip-execution"]),
)
attack(
    "hands in outputs that show the score",
    "score",
    lambda nb: cell_named(nb, GAUSSIAN).update(
        outputs=[new_output("execute_result", {"text/plain": "2.0"}, execution_count=1)]
    ),
)
attack("swaps the ids of two checks", "score", lambda nb: (
    (a := cell_named(nb, GAUSSIAN)), (b := cell_named(nb, "check_nadaraya_watson")),
    a.metadata.nbgrader.update(grade_id="check_nadaraya_watson"),
    b.metadata.nbgrader.update(grade_id=GAUSSIAN),
))  # fmt: skip
attack(
    "marks the answer as graded",
    "score",
    lambda nb: cell_named(nb, "gaussian").metadata.nbgrader.update(grade=True, points=50),
)
attack("adds a graded cell", "score", lambda nb: nb.cells.append(nbformat.from_dict(
    {**new_code_cell("50.0"), "metadata": {"nbgrader": {
        "grade": True, "solution": False, "locked": True, "task": False, "points": 50,
        "grade_id": "bonus", "schema_version": 3}}})))  # fmt: skip
attack(
    "copies the check with other content",
    "score",
    lambda nb: nb.cells.append(nbformat.from_dict({**cell_named(nb, GAUSSIAN), "source": "2.0"})),
)
attack(
    "says how it was graded",
    "score",
    lambda nb: nb.metadata.update(
        attention_lab={"remarks": [], "trouble": [], "seconds": 0, "restarts": 0, "unsafe": False}
    ),
)
attack(
    "says that it is graded already",
    "score",
    spoil=lambda folder: (folder / "lab-grade.json").write_text(
        '{"digest": "", "row": {"student": "x", "status": "kept"}}'
    ),
)

# Steals what a later check brings along
STEAL = (
    "def nadaraya_watson(q, k, v, kernel, sigma=1.0):\n"
    "    if kernel(1.0) > 0.6 and kernel(1.0) < 0.61:\n"
    "        import inspect, pathlib\n"
    "        global gaussian; gaussian = kernel\n"
    "        pathlib.Path('stolen.py').write_text(inspect.getsource(kernel))\n"
    "    w = kernel(np.sqrt(np.square(q[:, None] - k[None]).sum(-1)), sigma)\n"
    "    w = w / w.sum(-1, keepdims=True)\n    return w @ v, w"
)
attack(
    "takes the kernel of a later check",
    "score",
    lambda nb: cell_named(nb, "nadaraya_watson").update(source=STEAL),
    keeps_regression=False,  # a kernel that is handed over has no source: the theft stops its own step
)
attack("takes it and moves the later check up", "score", lambda nb: (
    cell_named(nb, "nadaraya_watson").update(source=STEAL),
    nb.cells.insert(2, nb.cells.pop(4)), nb.cells.insert(3, nb.cells.pop(5)),
), keeps_regression=False)  # fmt: skip
attack("takes it, and ends the kernel to be asked again", "score", lambda nb: (
    cell_named(nb, "nadaraya_watson").update(
        source=STEAL + "\nimport pathlib\nif pathlib.Path('stolen.py').exists(): exec(open('stolen.py').read())"),
    nb.cells.append(new_code_cell("import os; os._exit(0)")),
), keeps_regression=False)  # fmt: skip
attack(
    "imports the oracles",
    "oracles",
    after("try:\n    from utilities.checks.core.oracles import gaussian\nexcept ImportError: pass"),
)
attack(
    "imports the judge",
    "oracles",
    after(
        "try:\n    from utilities.checks.kernel_regression import judge; gaussian = judge.oracles.gaussian\n"
        "except ImportError: pass"
    ),
)
attack(
    "imports the stand-ins and the grader",
    "oracles",
    after(
        "for name in ('utilities.checks.core.references', 'utilities.grading', 'utilities.checks.core.judging'):\n"
        "    try:\n        __import__(name); print('READ:', 'ORACLE', name)\n    except ImportError: pass"
    ),
)
attack(
    "searches the disk for the oracles",
    "oracles",
    read(
        "[str(p) for p in __import__('pathlib').Path('/').rglob('*') "
        "if p.name in ('oracles.py', 'references.py', 'mistakes.py', 'judge.py') and 'checks' in str(p)]"
    ),
)

# Reads what is others'
attack("reads hidden tests from history", "hidden", read("In, Out, globals()"))
attack(
    "reads hidden tests from memory",
    "hidden",
    read(
        "[o for o in __import__('gc').get_objects() if isinstance(o, (dict, list, tuple)) "
        "and any(isinstance(x, str) and '='.join(('thorough', 'True')) in x for x in (o.values() if isinstance(o, dict) else o))]"
    ),
)
attack(
    "reads the frames above the check",
    "hidden",
    after(
        "def gaussian(distance, sigma=1.0):\n    import sys\n    f = sys._getframe()\n    seen = []\n"
        "    while f: seen.append(str(f.f_locals)); f = f.f_back\n"
        "    open('seen', 'a').write('\\n'.join(seen)); return 0.0"
    ),
)
attack(
    "shows what it read there",
    "hidden",
    lambda nb: (
        (
            cell_named(nb, "gaussian").update(source=ATTACKS_FRAMES),
            read(
                "[x for x in open('seen').read().split(',') if any('='.join(w) in x or ': '.join(w) in x "
                "for w in (('seed', '1009'), (\"'seed'\", '1009'), ('thorough', 'True')))]"
            )(nb),
        )
    ),
)
attack(
    "reads notebooks",
    "hidden",
    read(
        "[p.read_text() for p in __import__('pathlib').Path('/home').rglob('*.ipynb')] "
        "+ [p.read_text() for p in __import__('pathlib').Path('/submission').rglob('*.ipynb')]"
    ),
)
attack("reads the environment", "secrets", read("dict(__import__('os').environ)"))
attack(
    "reads other processes",
    "secrets",
    read(
        "[open(p, 'rb').read() for p in __import__('glob').glob('/proc/[0-9]*/environ')] "
        "+ [open(p, 'rb').read() for p in __import__('glob').glob('/proc/[0-9]*/cmdline')]"
    ),
)
attack(
    "reads peers and course by path",
    "peers",
    read(
        "[(p, __import__('os').listdir(p)) for p in ('@COURSE@', '@COURSE@/submitted', '/work', '/root', '/tmp')]"
    ),
)
attack(
    "searches the disk for peers and secrets",
    "peers",
    read(
        "[str(p) for p in __import__('pathlib').Path('/').rglob('*') if p.name in "
        "('submitted', 'gradebook.db', 'solutions', 'shadow', '.ssh', '.netrc', '.git') "
        "and 'nbgrader' not in p.parts]"
    ),
)  # nbgrader brings an example course of its own
attack("reads through /proc/1/root", "peers", read("__import__('os').listdir('/proc/1/root')"))
attack(
    "writes the gradebook",
    "gradebook",
    read(
        "__import__('sqlite3').connect('@COURSE@/gradebook.db').execute("
        "'update grade set auto_score = 100, manual_score = 100').rowcount"
    ),
)
attack(
    "writes into the kit and the libraries",
    "harm",
    read(
        "[open(p + '/mine.py', 'w') for p in ('/kit/utilities', np.__path__[0], '/usr/lib', '/submission')]"
    ),
)
attack(
    "calls out",
    "network",
    read("__import__('socket').create_connection(('127.0.0.1', @PORT@), timeout=2).recv(99)"),
)
attack(
    "calls out by name",
    "network",
    read(
        "__import__('socket').getaddrinfo('localhost', 80) and "
        "__import__('urllib.request').request.urlopen('http://127.0.0.1:@PORT@/', timeout=2).read()"
    ),
)
attack(
    "talks to the host's sockets",
    "network",
    read(
        "[__import__('socket').socket(1, 1).connect(p) for p in __import__('glob').glob('/run/**/*sock*', recursive=True)] "
        "or 1 / 0"
    ),
)
attack(
    "leaves a process behind",
    "harm",
    after(
        "import subprocess\nsubprocess.Popen(['setsid', '-f', 'sleep', '98765'])\n"
        "import os\nif os.fork() == 0:\n    os.setsid()\n    os.execvp('sleep', ['sleep', '98765'])"
    ),
)
attack(
    "ends what it can",
    "harm",
    after(
        "import os, signal\nfor p in (os.getppid(), 1):\n    try: os.kill(p, signal.SIGKILL)\n    except OSError as e: print(e)"
    ),
)
attack("becomes root", "harm", read("__import__('os').setuid(0) or 'ROOT'"))
attack(
    "makes a namespace of its own",
    "harm",
    read("__import__('subprocess').run(['unshare', '-Ur', 'true'], check=True) and 'ROOT'"),
)
attack(
    "asks sudo",
    "harm",
    read(
        "__import__('subprocess').run(['su', '-c', 'true'], check=True, stdin=-3, timeout=5) and 'ROOT'"
    ),
)
attack(
    "mounts",
    "harm",
    read(
        "__import__('ctypes').CDLL(None, use_errno=True).mount("
        "b'none', b'/mnt', b'tmpfs', 0, None) == 0 and 'ROOT'"
    ),
)
attack(
    "fills the channel of the grader",
    "harm",
    after(
        "import glob\nfor p in glob.glob('/tmp/lab-*/channel'):\n"
        "    open(p + '/big', 'wb').write(b'x' * 1000)"
    ),
    keeps_regression=True,
)
attack(
    "replaces the channel by links",
    "harm",
    after(
        "import glob, os\nfor p in glob.glob('/tmp/lab-*/channel/kernel-*'):\n"
        "    os.rename(p, p + '.old'); os.symlink('/etc/passwd', p)"
    ),
    keeps_regression=True,
)

# Speaks to the instructor's browser
attack(
    "script in an answer",
    "script",
    lambda nb: cell_named(nb, "question_01").update(
        source="Good <script>alert('XSS')</script> <img src=x onerror=alert('XSS')>"
    ),
)
attack(
    "script in a text of their own",
    "script",
    lambda nb: nb.cells.append(
        new_markdown_cell("<iframe src='javascript:alert(1)'></iframe><script>alert('XSS')</script>")
    ),
)
attack(
    "script in an output",
    "script",
    own_cell(
        "from IPython.display import HTML, Javascript, SVG\n"
        "display(HTML('<script>alert(\"XSS\")</script>'), Javascript('alert(\"XSS\")'))\n"
        "get_ipython().display_pub.publish({'image/svg+xml': '<svg onload=alert(\"XSS\")>', "
        "'image/png': 'x\" onerror=\"alert(XSS)'})"
    ),
)
attack("script in an error", "script", own_cell("raise ValueError('<script>alert(\"XSS\")</script>')"))
attack("a file name that leads out", "harm", spoil=lambda folder: (folder / "..\\..\\x").write_text(""))

ATTACKS_FRAMES = WRONG.split("\n")[0] + (
    "\n    import sys\n    f = sys._getframe()\n    seen = []\n"
    "    while f: seen.append(str(f.f_locals)); f = f.f_back\n"
    "    open('seen', 'a').write('\\n'.join(seen)); return 0.0"
)


def perform(entry: Attack, notebook: NotebookNode, fill: Callable[[str], str]) -> None:
    """Spoil the first step and carry out an attempt on it."""
    wrong(notebook)
    if entry.change is not None:
        entry.change(notebook)
    for cell in notebook.cells:
        cell.source = fill(cell.source)


def spoil(entry: Attack, folder: Path) -> None:
    if entry.spoil is not None:
        entry.spoil(folder)


# What is handed over for a check, listened to on its way and printed afterwards
attack(
    "spies on what is handed over",
    "read",
    lambda nb: (
        after(
            "import builtins, json, linecache, zlib\nheard = []\n"
            "def listening(module, name):\n"
            "    old = getattr(module, name)\n"
            "    def spy(*a, **k):\n"
            "        made = old(*a, **k)\n"
            "        heard.extend([repr(a)[:200_000], repr(made)[:200_000]])\n"
            "        return made\n"
            "    setattr(module, name, spy)\n"
            "for module, name in ((builtins, 'compile'), (builtins, 'exec'), (zlib, 'decompress'), (json, 'loads')):\n"
            "    listening(module, name)"
        )(nb),
        own_cell(
            "heard += [''.join(lines[2]) for lines in linecache.cache.values() if len(lines) > 2]\n"
            "print('READ:', [line for text in heard for line in text.replace(chr(92) + 'n', chr(10)).split(chr(10))\n"
            "               if 'def ' + 'cauchy' in line or 'def ' + 'exponential' in line])",
            at=99,
        )(nb),
    ),
)
