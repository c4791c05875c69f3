#!/usr/bin/env python3
"""Workloads against peers from Python; command line and output are those of
../workloads.cc.

    python_workloads.py --workload get|put|handover
      --peer vineyard|plasma|shared_memory|iceoryx2|eventfd
      --address SOCKET ...

Vineyard and iceoryx2 have no C++ client in their packages.  What the
interpreter costs is seen where the same peer is measured from C++ too:
Plasma, shared memory, and the eventfd beside the futex.
"""
import argparse
import ctypes
import gc
import json
import mmap
import os
import signal
import statistics
import struct
import time


class Vineyard:
    """Blobs; the server gives them their ids."""

    def __init__(self, address):
        import vineyard
        self.client = vineyard.connect(address)
        self.ids = {}

    def put(self, number, data):
        builder = self.client.create_blob(len(data))
        builder.copy(0, data.address, len(data))
        self.ids[number] = builder.id
        builder.seal(self.client)

    def share_ids(self, other):
        self.ids.update(other.ids)

    def get(self, number):
        return self.client.get_blob(self.ids[number])

    def get_many(self, numbers):
        return self.client.get_blobs([self.ids[n] for n in numbers])

    def delete(self, numbers):
        self.client.delete([self.ids.pop(n) for n in numbers])


class Plasma:
    def __init__(self, address):
        import pyarrow.plasma as plasma
        self.plasma = plasma
        self.client = plasma.connect(address)

    def _id(self, number):
        return self.plasma.ObjectID(struct.pack("<Q12s", number, b"v" * 12))

    def put(self, number, data):
        name = self._id(number)
        buffer = memoryview(self.client.create(name, len(data))).cast("B")
        buffer[:] = data.view
        del buffer
        self.client.seal(name)

    def share_ids(self, other):
        pass

    def get(self, number):
        return self.client.get_buffers([self._id(number)], 0)[0]

    def get_many(self, numbers):
        return self.client.get_buffers([self._id(n) for n in numbers], 0)

    def delete(self, numbers):
        self.client.delete([self._id(n) for n in numbers])


class SharedMemory:
    def __init__(self, address):
        from multiprocessing import shared_memory
        self.make = shared_memory.SharedMemory

    def put(self, number, data):
        memory = self.make(f"vitrine-benchmark-{number}", True, len(data))
        memory.buf[:len(data)] = data.view
        memory.close()

    def share_ids(self, other):
        pass

    def get(self, number):
        memory = self.make(f"vitrine-benchmark-{number}")
        memory.close()
        return memory

    def get_many(self, numbers):
        return [self.get(n) for n in numbers]

    def delete(self, numbers):
        for number in numbers:
            memory = self.make(f"vitrine-benchmark-{number}")
            memory.close()
            memory.unlink()


class Data:
    """Bytes at a known address."""

    def __init__(self, size):
        self.array = bytearray(b"*") * size
        self.view = memoryview(self.array)
        self.address = ctypes.addressof(
            (ctypes.c_char * size).from_buffer(self.array))

    def __len__(self):
        return len(self.array)


def time_each(step, count):
    start = time.perf_counter_ns()
    for i in range(count):
        step(i)
    return (time.perf_counter_ns() - start) / count


def time_steps(args, step):
    """One figure for each repetition, each of some 30 ms."""
    wanted_ns = 3e6 if args.quick else 30e6
    count = 1
    each = time_each(step, count)
    while each * count < wanted_ns / 4:
        count *= 4
        each = time_each(step, count)
    count = max(1, int(wanted_ns / each))
    return [time_each(step, count) for _ in range(args.repetitions)]


def say(args, case, values, size=None):
    print(json.dumps({
        "workload": args.workload, "case": case, "peer": args.peer,
        "size_bytes": args.size if size is None else size, "unit": "ns",
        "values": values}), flush=True)


def gets_in_one_repetition(args, most):
    """As in ../workload_get.h."""
    return min(most, max(1, (64 << 20) // args.size))


def run_get(args, connect):
    peer, writer = connect(args.address), connect(args.address)
    data = Data(args.size)
    count = gets_in_one_repetition(args, 1000)
    numbers = range(count)
    for number in numbers:
        peer.put(number, data)
    held = peer.get(0)
    say(args, "held", time_steps(args, lambda i: peer.get(0)))
    del held
    say(args, "resident", time_steps(args, lambda i: peer.get(i % count)))
    values = []
    in_one = gets_in_one_repetition(args, 100)
    for repetition in range(args.repetitions + 1):
        first = count + in_one * repetition
        fresh = range(first, first + in_one)
        for number in fresh:
            writer.put(number, data)
        peer.share_ids(writer)
        values.append(time_each(lambda i: peer.get(fresh[i]), in_one))
        writer.delete(fresh)
    say(args, "just sealed", values[1:])
    values = time_steps(args, lambda i: peer.get_many(numbers))
    say(args, f"{count} in one call, each",
        [value / count for value in values])
    peer.delete(numbers)


def warm_memory(size):
    """As in ../measure.h."""
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(memory)), 1, size)


def run_put(args, connect):
    peer = connect(args.address)
    data = Data(args.size)
    total = (4 if args.quick else 64) << 20
    count = min(200, max(1, total // args.size))
    huge = args.size > 1 << 29
    repetitions = min(args.repetitions, 2) if huge else args.repetitions
    warm_memory(repetitions * count * args.size)
    values = []
    for repetition in range(repetitions):
        first = repetition * count
        values.append(time_each(lambda i: peer.put(first + i, data), count))
    say(args, "first", values)
    peer.delete(range(repetitions * count))
    values = []
    for repetition in range(-1 if huge else -2, repetitions):
        value = time_each(lambda i: peer.put(i, data), count)
        peer.delete(range(count))
        if repetition >= 0:
            values.append(value)
    say(args, "steady", values)


class Iceoryx2:
    """A sample is published, and the other side notified."""

    def __init__(self, sends):
        import iceoryx2
        self.lib = iceoryx2
        iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
        node = iceoryx2.NodeBuilder.new().create(iceoryx2.ServiceType.Ipc)
        self.node = node
        name = iceoryx2.ServiceName.new("vitrine/benchmark")
        event = node.service_builder(name).event().open_or_create()
        data = node.service_builder(name).publish_subscribe(
            ctypes.c_uint64).open_or_create()
        if sends:
            self.notifier = event.notifier_builder().create()
            self.publisher = data.publisher_builder().create()
        else:
            self.listener = event.listener_builder().create()
            self.subscriber = data.subscriber_builder().create()

    def prepare(self, number):
        return self.publisher.loan_uninit().write_payload(
            ctypes.c_uint64(number))

    def send(self, sample):
        sample.send()
        self.notifier.notify()

    def receive(self):
        while True:
            sample = self.subscriber.receive()
            if sample is not None:
                return sample.payload().contents.value
            self.listener.timed_wait(self.lib.Duration.from_secs(10))


class Eventfd:
    """What the kernel and the interpreter cost together."""

    fd = None  # Made before the fork.

    def __init__(self, sends):
        pass

    def prepare(self, number):
        return number

    def send(self, number):
        os.eventfd_write(Eventfd.fd, number + 1)

    def receive(self):
        return os.eventfd_read(Eventfd.fd) - 1


class Page:
    """Memory that both processes share: how many were received, and when the
    last was."""

    def __init__(self):
        self.words = memoryview(mmap.mmap(-1, 16)).cast("q")

    def received(self, number):
        self.words[1] = time.monotonic_ns()
        self.words[0] = number

    def wait_for(self, number, child):
        deadline = time.monotonic() + 20
        while self.words[0] < number:
            time.sleep(0.00002)
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                raise SystemExit("the receiver does not answer")
        return self.words[1]


def receive_all(args, kind, count, page):
    pin(args, 1)
    peer = kind(sends=False)
    page.received(1)  # It is connected.
    for number in range(count):
        got = peer.receive()
        page.received(number + 2)
        if got != number:
            raise SystemExit(f"{args.peer}: {got} came instead of {number}")


def run_handover(args, kind):
    in_one = 30 if args.quick else 200
    count = (args.repetitions + 1) * in_one
    if kind is Eventfd:
        Eventfd.fd = os.eventfd(0)
    page = Page()
    child = os.fork()
    if child == 0:
        try:
            receive_all(args, kind, count, page)
            os._exit(0)
        finally:
            os._exit(1)
    page.wait_for(1, child)
    peer = kind(sends=True)
    time.sleep(0.2)
    times = []
    for number in range(count):
        sample = peer.prepare(number)
        time.sleep(0.0003)
        start = time.monotonic_ns()
        peer.send(sample)
        times.append(page.wait_for(number + 2, child) - start)
    os.waitpid(child, 0)
    say(args, "seal until a get returns",
        [statistics.median(times[i * in_one:(i + 1) * in_one])
         for i in range(1, args.repetitions + 1)])


def pin(args, index):
    if args.cpus:
        os.sched_setaffinity(0, {args.cpus[index % len(args.cpus)]})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workload", required=True)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--address", default="")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--quick", type=int, default=0)
    parser.add_argument("--cpus", default=[], type=lambda text: [
        int(part) for part in text.split(",")])
    args = parser.parse_args()
    pin(args, 0)
    gc.disable()
    stores = {"vineyard": Vineyard, "plasma": Plasma,
              "shared_memory": SharedMemory}
    messengers = {"iceoryx2": Iceoryx2, "eventfd": Eventfd}
    if args.workload == "get" and args.peer in stores:
        run_get(args, stores[args.peer])
    elif args.workload == "put" and args.peer in stores:
        run_put(args, stores[args.peer])
    elif args.workload == "handover" and args.peer in messengers:
        run_handover(args, messengers[args.peer])
    else:
        raise SystemExit(f"{args.peer} cannot run the workload "
                         f"{args.workload}")


if __name__ == "__main__":
    main()
