"""What is measured, against which peers, and in which order."""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from driver import peers as peer_packages
from driver import floors, sandbox, servers

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
PYTHON_WORKLOADS = peer_packages.SOURCES / "python_workloads.py"
WORKLOADS = ("get", "put", "handover", "crowd", "files", "scale", "floors")

GET_BYTES = (KIB, 16 * KIB, 16 * MIB)
PUT_BYTES = (100, KIB, 16 * KIB, 64 * KIB, MIB, 16 * MIB, 64 * MIB, 256 * MIB,
             GIB)
MAX_QUICK_PUT_BYTES = 16 * MIB

# Beyond this size pinning says nothing that the memory does not.
MAX_PINNED_PUT_BYTES = 64 * MIB


def put_count(size, quick):
    """As in workload_put.h."""
    return min(200, max(1, (4 if quick else 64) * MIB // size))


def available_bytes():
    with open("/proc/meminfo", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * KIB
    return 0


def name_of(store):
    """Where more than one kind is measured."""
    return "vitrine" if store.kind == "service" else \
        "vitrine, an ordinary user's"


def mark(store):
    """Of a result that depends on the kind of store."""
    return {"store": store.kind}


class Plan:
    def __init__(self, args, build, work, peers, plasma_program):
        self.args = args
        self.build = pathlib.Path(build)
        self.work = pathlib.Path(work)
        self.peers = peers
        self.plasma_program = plasma_program
        self.results = []
        self.not_measured = []
        self.seconds = {}
        self.workloads = ()
        self.cpus = sorted(os.sched_getaffinity(0))
        self.stores = [servers.Vitrine(build, work, kind)
                       for kind in args.stores]

    # --- Running programs ---------------------------------------------------

    def say(self, text):
        print(f"   {text}", flush=True)

    def skip(self, workload, peer, reason):
        entry = {"workload": workload, "peer": peer, "reason": reason}
        if entry not in self.not_measured:
            self.not_measured.append(entry)
            self.say(f"{workload}: {peer}: not measured: {reason}")

    def server_cpus(self, pinned):
        return self.cpus[:1] if pinned else []

    def client_cpus(self, pinned):
        """The first process away from the server."""
        return self.cpus[1:] + self.cpus[:1] if pinned else []

    def run(self, program, label, pinned, options, environment=None,
            extra=None, user=None):
        """Runs one program and keeps what it found under `label`."""
        settings = {"repetitions": self.args.repetitions,
                    "quick": int(self.args.quick), **options}
        cpus = self.client_cpus(pinned)
        if cpus:
            settings["cpus"] = ",".join(map(str, cpus))
        timeout_s = 180 + options.get("objects", 0) // 1000
        command = [str(word) for word in program]
        for name, value in settings.items():
            command += [f"--{name}", str(value)]
        try:
            found = subprocess.run(
                command, capture_output=True, text=True, timeout=timeout_s,
                env=environment, check=False, **servers.as_user(user))
            lines, error = found.stdout, found.stderr.strip()
            failed = found.returncode != 0
        except subprocess.TimeoutExpired:
            lines, failed = "", True
            error = f"it took more than {timeout_s} s"
        if failed:
            last = (error.splitlines() or ["no reason was given"])[-1]
            self.skip(options["workload"], label, f"failed: {last}")
        for line in lines.splitlines():
            if line.startswith("{"):
                self.keep({**json.loads(line), "peer": label,
                           "pinned": pinned, **(extra or {})})

    def keep(self, result):
        self.results.append(result)

    def run_own(self, peer, label, pinned, options, extra=None, user=None):
        self.run([self.build / "benchmarks/workloads"], label, pinned,
                 {"peer": peer, **options}, extra=extra, user=user)

    def run_files(self, label, pinned, options, extra, user=None):
        self.run([self.build / "benchmarks/file_workloads"], label, pinned,
                 {"peer": "files", **options}, extra=extra, user=user)

    def run_python(self, peer, label, pinned, options):
        package = self.peers.get("plasma" if peer == "plasma" else peer)
        environment = peer_packages.python_environment(package) \
            if package else None
        self.run([sys.executable, PYTHON_WORKLOADS], label, pinned,
                 {"peer": peer, **options}, environment)

    @contextlib.contextmanager
    def tolerating(self, workload, peer):
        """A server that does not start is a peer that is not measured."""
        try:
            yield
        except (servers.ServerError, OSError) as error:
            self.skip(workload, peer, str(error))

    def has(self, workload, name, label=None):
        peer = self.peers.get(name)
        if peer is None:
            return False  # Not asked for.
        if peer.missing:
            self.skip(workload, label or name, peer.missing)
        return not peer.missing

    def modes(self):
        if len(self.cpus) < 2:
            self.skip("all", "pinned", "there is only one CPU")
            return [False]
        return [False, True]

    def on_vitrine(self, workload, capacity, pinned, options, extra=None):
        for store in self.stores:
            with self.tolerating(workload, name_of(store)), \
                    store.run(capacity, self.server_cpus(pinned)):
                self.run_own("vitrine", "vitrine", pinned,
                             {"workload": workload, "address": store.socket,
                              **options}, {**(extra or {}), **mark(store)},
                             store.user)

    def on_plasma(self, workload, capacity, pinned, options, extra=None,
                  python=False):
        label = "plasma (Python)" if python else "plasma"
        if not self.has(workload, "plasma", label):
            return
        if not python and isinstance(self.plasma_program, str):
            self.skip(workload, label, self.plasma_program)
            return
        with self.tolerating(workload, label), servers.plasma(
                self.peers["plasma"], self.work, capacity,
                self.server_cpus(pinned)) as path:
            settings = {"workload": workload, "address": path, **options}
            if python:
                self.run_python("plasma", label, pinned, settings)
            else:
                self.run([self.plasma_program], label, pinned,
                         {"peer": "plasma", **settings}, extra=extra)

    def on_vineyard(self, workload, capacity, pinned, options):
        label = "vineyard (Python)"
        if not self.has(workload, "vineyard", label):
            return
        with self.tolerating(workload, label), servers.vineyard(
                self.peers["vineyard"], self.work, capacity,
                self.server_cpus(pinned)) as path:
            self.run_python("vineyard", label, pinned,
                            {"workload": workload, "address": path, **options})

    def on_plain(self, workload, capacity, pinned, options, python):
        """Shared memory and files; both are there on every machine."""
        self.run_own("shm", "shared memory", pinned,
                     {"workload": workload, **options})
        if python:
            self.run_python("shared_memory", "shared memory (Python)", pinned,
                            {"workload": workload, **options})
        for store in self.stores:
            with self.tolerating(workload, "file on tmpfs"), servers.tmpfs(
                    self.work / "bare", store.huge, capacity) as path:
                self.run_own("file", "file on tmpfs", pinned,
                             {"workload": workload, "address": path,
                              **options}, mark(store))

    # --- Workloads ----------------------------------------------------------

    def look_at_stores(self):
        """Keeps those that start; returns whether there is one."""
        self.stores = [store for store in self.stores if self.starts(store)]
        return bool(self.stores)

    def starts(self, store):
        """The bare tmpfs is to have the pages that the store's has."""
        with self.tolerating("all", name_of(store)), \
                store.run(64 * MIB, mount=True):
            status = store.status()
            store.huge = sandbox.option_of(
                status["memory"]["directory"], "huge")
            store.mount_mode = status["mount"]["mode"]
            return True
        return False

    def get(self):
        for size in GET_BYTES:
            for pinned in self.modes():
                self.get_size(size, 512 * MIB, pinned)

    def get_size(self, size, capacity, pinned):
        options = {"size": size}
        self.on_vitrine("get", capacity, pinned, options)
        self.on_plasma("get", capacity, pinned, options)
        self.on_plain("get", capacity, pinned, options, python=True)
        self.on_vineyard("get", capacity, pinned, options)
        self.on_plasma("get", capacity, pinned, options, python=True)

    def put(self):
        for size in PUT_BYTES:
            if self.args.quick and size > MAX_QUICK_PUT_BYTES:
                continue
            repetitions = self.args.repetitions if size < GIB else 2
            bytes_put = size * put_count(size, self.args.quick) * repetitions
            capacity = max(256 * MIB, bytes_put * 5 // 4)
            if available_bytes() < capacity + 2 * size + GIB:
                self.skip(f"put of {size} bytes", "all", "too little memory")
                continue
            for pinned in self.modes():
                if not pinned or size <= MAX_PINNED_PUT_BYTES:
                    self.put_size(size, capacity, pinned)

    def put_size(self, size, capacity, pinned):
        options = {"size": size}
        self.on_vitrine("put", capacity, pinned, options)
        self.run_own("memcpy", "memcpy", pinned,
                     {"workload": "put", **options})
        self.on_plasma("put", capacity, pinned, options)
        self.on_plain("put", capacity, pinned, options,
                      python=size <= MAX_PINNED_PUT_BYTES)
        if size <= MAX_PINNED_PUT_BYTES:
            self.on_vineyard("put", capacity, pinned, options)
            self.on_plasma("put", capacity, pinned, options, python=True)

    def handover(self):
        capacity = 64 * MIB
        for pinned in self.modes():
            options = {"size": 100}
            self.on_vitrine("handover", capacity, pinned, options)
            self.on_plasma("handover", capacity, pinned, options)
            with tempfile.TemporaryDirectory(dir=self.work) as directory:
                self.run_own("futex", "futex", pinned,
                             {"workload": "handover", "address": directory,
                              **options})
            self.run_python("eventfd", "eventfd (Python)", pinned,
                            {"workload": "handover", **options})
            if self.has("handover", "iceoryx2", "iceoryx2 (Python)"):
                self.run_python("iceoryx2", "iceoryx2 (Python)", pinned,
                                {"workload": "handover", **options})

    def crowd(self):
        capacity = (128 if self.args.quick else 256) * MIB
        for pinned in self.modes():
            for pairs in (1, 2) if self.args.quick else (1, 2, 4, 8):
                self.crowd_of(pairs, capacity, pinned)

    def crowd_of(self, pairs, capacity, pinned):
        options = {"pairs": pairs, "capacity": capacity}
        extra = {"pairs": pairs}
        self.on_vitrine("crowd", capacity, pinned, options, extra)
        self.on_plasma("crowd", capacity, pinned, options, extra)

    def files(self):
        for pinned in self.modes():
            for store in self.stores:
                self.files_on_vitrine("vitrine", store, [], pinned)
                if not store.passthrough:
                    self.files_on_vitrine(
                        "vitrine, passthrough off", store,
                        ["--passthrough", "off"], pinned)
                self.files_beside(store, pinned)

    def files_on_vitrine(self, label, store, options, pinned):
        with self.tolerating("files", label), store.run(
                2 * GIB, self.server_cpus(pinned), mount=True,
                options=options):
            self.files_in(label, store, pinned, store.mount / "sealed",
                          store.mount / "unsealed", store.user)

    def files_beside(self, store, pinned):
        with self.tolerating("files", "bare tmpfs"), servers.tmpfs(
                self.work / "bare", store.huge, 2 * GIB) as bare:
            self.files_in("bare tmpfs", store, pinned, bare, bare)
            if self.has("files", "bindfs"):
                with self.tolerating("files", "bindfs"), servers.bindfs(
                        self.peers["bindfs"], self.work, bare,
                        self.server_cpus(pinned)) as point:
                    self.files_in("bindfs", store, pinned, point, point)

    def files_in(self, label, store, pinned, read_dir, write_dir, user=None):
        # What is there from the file system before is in the way of `ls`.
        if read_dir == write_dir:
            read_dir = write_dir = read_dir / label.replace(" ", "-")
            read_dir.mkdir()
        with servers.tmpfs(self.work / "source", store.huge, GIB) as source:
            self.run_files(label, pinned,
                           {"workload": "files", "address": read_dir,
                            "write-dir": write_dir, "source": source,
                            "objects": 1000, "size": 100}, mark(store), user)

    def scale(self):
        for store in self.stores:
            for count in (1000, self.args.objects):
                label = f"vitrine, {count} objects"
                with self.tolerating("scale", label), store.run(
                        max(GIB, count * 8 * KIB), mount=True):
                    self.scale_on(store, count, label)
            self.scale_beside(store, self.args.objects)

    def scale_beside(self, store, count):
        """A listing of as many files."""
        label = f"bare tmpfs, {count} objects"
        with self.tolerating("scale", label), servers.tmpfs(
                self.work / "bare", store.huge, GIB) as bare:
            found = {"workload": "scale", "of": "files", **mark(store)}
            self.run_files(label, False,
                           {"workload": "make-files", "address": bare,
                            "objects": count, "size": 100}, found)
            self.run_files(label, False,
                           {"workload": "listing", "address": bare}, found)

    def scale_on(self, store, count, label):
        options = {"address": store.socket, "size": 100, "objects": count}
        before = store.bytes_for_objects()

        def own(workload, **more):
            self.run_own("vitrine", label, False,
                         {**options, "workload": workload, **more},
                         {"workload": "scale", "of": workload, **mark(store)},
                         store.user)

        own("fill")
        store.wait_for_catalog()
        after = store.bytes_for_objects()
        self.keep({"workload": "scale", "case": "store memory, each",
                   "peer": label, "size_bytes": 100, "unit": "B",
                   "values": [(after - before) / count], "pinned": False,
                   "of": "fill", **mark(store)})
        own("scale")
        own("get")
        own("put")
        own("handover")
        self.run_files(label, False,
                       {"workload": "listing",
                        "address": store.mount / "sealed"},
                       {"workload": "scale", "of": "files", **mark(store)},
                       store.user)
        values = [store.time_restart_ns()
                  for _ in range(min(3, self.args.repetitions))]
        self.keep({"workload": "scale", "case": "restart after SIGKILL",
                   "peer": label, "size_bytes": 0, "unit": "ns",
                   "values": values, "pinned": False, "of": "scale",
                   **mark(store)})

    # --- Floors (driver/floors.py) ------------------------------------------

    def floors(self):
        """The parts, and of the rows those that no workload has measured."""
        for store in self.stores:
            self.parts_of_floors(store)
        if "put" not in self.workloads:
            self.put_for_floors()
        if "handover" not in self.workloads:
            self.on_vitrine("handover", 64 * MIB, False, {"size": 100})
            with tempfile.TemporaryDirectory(dir=self.work) as directory:
                self.run_own("futex", "futex", False,
                             {"workload": "handover", "address": directory,
                              "size": 100})
        if "crowd" not in self.workloads:
            for pairs in (2,) if self.args.quick else (2, 4, 8):
                self.crowd_of(pairs, 256 * MIB, False)
        sizes = [] if "files" in self.workloads else [16 * MIB]
        for size in (*sizes, 64 * MIB if self.args.quick else 4 * GIB):
            self.copies(size)

    def parts_of_floors(self, store):
        with self.tolerating("floors", floors.MACHINE), servers.tmpfs(
                self.work / "bare", store.huge, GIB) as bare, store.run(
                    64 * MIB, mount=True):
            self.run([self.build / "benchmarks/floors"], floors.MACHINE, False,
                     {"workload": "floors", "address": bare,
                      "write-dir": store.mount / "unsealed"},
                     extra=mark(store), user=store.user)

    def put_for_floors(self):
        options = {"size": MIB}
        self.on_vitrine("put", GIB, False, options)
        self.on_plasma("put", GIB, False, options)
        self.run_own("memcpy", "memcpy", False,
                     {"workload": "put", **options})

    def copies(self, size):
        """cp of one size; a user's store has no floor for it."""
        if available_bytes() < 3 * size + 2 * GIB:
            self.skip(f"cp of {size} bytes", "all", "too little memory")
            return
        capacity = size + 2 * GIB
        for store in self.stores:
            if not store.passthrough:
                with self.tolerating("files", "vitrine"), store.run(
                        capacity, mount=True):
                    self.copies_in("vitrine", store,
                                   store.mount / "unsealed", size)
                with self.tolerating("files", "bare tmpfs"), servers.tmpfs(
                        self.work / "bare", store.huge, capacity) as bare:
                    self.copies_in("bare tmpfs", store, bare, size)

    def copies_in(self, label, store, directory, size):
        with servers.tmpfs(self.work / "source", store.huge,
                           size + GIB) as source:
            # Few where one takes a second.
            repetitions = min(self.args.repetitions, 2 if size >= GIB else 5)
            self.run_files(label, False,
                           {"workload": "copies", "write-dir": directory,
                            "source": source, "size": size,
                            "repetitions": repetitions},
                           {"workload": "files", **mark(store)})

    # --- All of it ----------------------------------------------------------

    def measure(self, workloads):
        self.workloads = workloads
        for name in workloads:
            print(f"\n== {name}", flush=True)
            start = time.monotonic()
            getattr(self, name)()
            self.seconds[name] = round(time.monotonic() - start, 1)
            self.say(f"{self.seconds[name]} s")
