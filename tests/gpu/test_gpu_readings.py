"""Cards read from a stand-in for NVML, and from pages as exporters serve them."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.gpu.exporters import MOST_CARDS, ExporterSampler, exporter_url, parse_metrics, read_cards
from tui_batch.gpu.fetching import fetch
from tui_batch.gpu.nvml import NvmlSampler
from tui_batch.gpu.sample import GpuSample, Reading
from tui_batch.gpu.watch import POINTS, GpuWatch

GIB = 1024**3


class NVMLError(Exception):
    """As the library raises."""


@dataclass
class FakeNvml:
    """A machine with cards, or one without a driver. `lacks`: functions that the cards do not support."""

    cards: int = 1
    has_driver: bool = True
    lacks: set[str] = field(default_factory=set)
    opened: int = 0
    NVML_TEMPERATURE_GPU: int = 0
    NVMLError: type[Exception] = NVMLError

    def nvmlInit(self) -> None:
        if not self.has_driver:
            raise NVMLError("Driver Not Loaded")
        self.opened += 1

    def nvmlShutdown(self) -> None:
        self.opened -= 1

    def nvmlDeviceGetCount(self) -> int:
        if not self.opened:
            raise NVMLError("Uninitialized")
        return self.cards

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if not self.has_driver:
            raise NVMLError("GPU is lost")
        return index

    def __getattr__(self, name: str) -> Any:
        def ask(handle: int, *_: object) -> Any:
            if name in self.lacks:
                raise NVMLError("Not Supported")
            return {
                "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=60 * GIB, total=80 * GIB),
                "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=97, memory=40),
                "nvmlDeviceGetComputeRunningProcesses": [object(), object()],
                "nvmlDeviceGetUUID": f"GPU-{handle}",
                "nvmlDeviceGetName": "NVIDIA H100 80GB HBM3",
                "nvmlDeviceGetPowerUsage": 651_250,
                "nvmlDeviceGetEnforcedPowerLimit": 700_000,
                "nvmlDeviceGetTemperature": 64,
            }[name]

        return ask


def test_every_figure_of_a_card_is_read_in_its_unit() -> None:
    (card,) = NvmlSampler(FakeNvml()).read().samples
    assert card == GpuSample(
        index=0,
        uuid="GPU-0",
        name="NVIDIA H100 80GB HBM3",
        utilisation=97.0,
        memory_used=60 * GIB,
        memory_total=80 * GIB,
        power_w=651.25,
        power_limit_w=700.0,
        temperature_c=64.0,
        processes=2,
    )
    assert card.memory_percent == 75.0


@pytest.mark.parametrize(
    ("function", "figure"),
    [
        ("nvmlDeviceGetUtilizationRates", "utilisation"),
        ("nvmlDeviceGetMemoryInfo", "memory_percent"),
        ("nvmlDeviceGetPowerUsage", "power_w"),
        ("nvmlDeviceGetEnforcedPowerLimit", "power_limit_w"),
        ("nvmlDeviceGetTemperature", "temperature_c"),
        ("nvmlDeviceGetComputeRunningProcesses", "processes"),
    ],
)
def test_a_sensor_that_a_card_lacks_is_unknown_and_not_zero(function: str, figure: str) -> None:
    reading = NvmlSampler(FakeNvml(lacks={function})).read()
    assert getattr(reading.samples[0], figure) is None
    assert reading.trouble == ""


@pytest.mark.parametrize("library", [FakeNvml(has_driver=False), FakeNvml(cards=0)])
def test_a_machine_without_a_card_is_one_quiet_line(library: FakeNvml) -> None:
    assert NvmlSampler(library).read() == Reading(trouble="no NVIDIA GPU here", is_absent=True)


def test_a_driver_that_goes_away_is_said_and_opened_anew_when_it_is_back() -> None:
    library = FakeNvml(cards=2)
    sampler = NvmlSampler(library)
    assert len(sampler.read().samples) == 2
    library.has_driver = False
    assert sampler.read().trouble == "the NVIDIA driver says: GPU is lost"
    library.has_driver = True
    assert len(sampler.read().samples) == 2
    assert library.opened == 1
    sampler.close()
    assert library.opened == 0


DCGM = """# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %).
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{gpu="1",UUID="GPU-b",modelName="NVIDIA A100-SXM4-40GB",Hostname="box"} 12
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-a",modelName="NVIDIA A100-SXM4-40GB",Hostname="box"} 98
DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-a",modelName="NVIDIA A100-SXM4-40GB",Hostname="box"} 30720
DCGM_FI_DEV_FB_FREE{gpu="0",UUID="GPU-a",modelName="NVIDIA A100-SXM4-40GB",Hostname="box"} 10240
DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-a",modelName="NVIDIA A100-SXM4-40GB",Hostname="box"} 312.5 1700000000000
DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-a",modelName="NVIDIA A100-SXM4-40GB",Hostname="box"} 61
DCGM_FI_DEV_GPU_TEMP{gpu="1",UUID="GPU-b",modelName="NVIDIA A100-SXM4-40GB",Hostname="box"} 140737488355328
"""
SMI = """nvidia_smi_gpu_info{uuid="df6e",index="0",name="NVIDIA GeForce RTX 2080 SUPER"} 1
nvidia_smi_utilization_gpu_ratio{uuid="df6e"} 0.38
nvidia_smi_memory_used_bytes{uuid="df6e"} 1.073741824e+09
nvidia_smi_memory_total_bytes{uuid="df6e"} 8.589934592e+09
nvidia_smi_power_draw_watts{uuid="df6e"} 30.14
nvidia_smi_enforced_power_limit_watts{uuid="df6e"} 250
nvidia_smi_temperature_gpu{uuid="df6e"} 34
nvidia_smi_fan_speed_ratio{uuid="df6e"} NaN
"""


def test_the_dcgm_exporter_is_understood() -> None:
    first, second = read_cards(DCGM, "box:9400")
    assert first == GpuSample(
        index=0,
        uuid="GPU-a",
        name="NVIDIA A100-SXM4-40GB",
        where="box:9400",
        utilisation=98.0,
        memory_used=30 * GIB,
        memory_total=40 * GIB,
        power_w=312.5,
        temperature_c=61.0,
    )
    assert (second.index, second.utilisation, second.temperature_c) == (1, 12.0, None)


def test_parts_of_a_card_in_mig_mode_are_cards_of_their_own() -> None:
    page = "".join(
        f'DCGM_FI_DEV_FB_USED{{gpu="0",UUID="GPU-a",modelName="H100",GPU_I_PROFILE="1g.10gb",GPU_I_ID="{n}"}} {n}\n'
        for n in (7, 8)
    )
    cards = read_cards(page, "box")
    assert [card.name for card in cards] == ["H100 MIG 1g.10gb"] * 2
    assert len({card.key for card in cards}) == 2


def test_the_nvidia_gpu_exporter_is_understood() -> None:
    (card,) = read_cards(SMI, "box:9835")
    assert card == GpuSample(
        index=0,
        uuid="df6e",
        name="NVIDIA GeForce RTX 2080 SUPER",
        where="box:9835",
        utilisation=38.0,
        memory_used=GIB,
        memory_total=8 * GIB,
        power_w=30.14,
        power_limit_w=250.0,
        temperature_c=34.0,
    )


def test_escapes_in_labels_are_undone() -> None:
    (metric,) = parse_metrics(r'a{name="say \"hi\", \\ and } =",b="2"} 4')
    assert dict(metric.labels) == {"name": 'say "hi", \\ and } =', "b": "2"}


@given(st.text(alphabet='{}="\\ \n#aD_0159.-eN,', max_size=80))
@settings(max_examples=150)
def test_no_page_brings_the_reader_down(page: str) -> None:
    list(parse_metrics(page))
    read_cards(page, "box")
    read_cards(f'DCGM_FI_DEV_GPU_UTIL{{UUID="x",gpu="{page}"}} 1', "box")


def test_a_page_made_to_be_slow_takes_no_time() -> None:
    """A word that is no label's name is walked once: from each of its letters it took the app's only processor."""
    page = f'x{{{"a" * 400_000}}} 1\nDCGM_FI_DEV_GPU_UTIL{{{"b" * 400_000},UUID="u"}} 5'
    (card,) = read_cards(page, "box")
    assert card.utilisation == 5.0


def test_a_cards_number_is_one_that_a_card_can_have() -> None:
    """Python refuses to read thousands of digits, which took all the other cards along."""
    line = 'DCGM_FI_DEV_GPU_UTIL{{gpu="{}",UUID="{}"}} 5\n'
    cards = read_cards(line.format("9" * 5_000, "a") + line.format("4000000000", "b") + line.format(7, "c"), "box")
    assert [(card.uuid, card.index) for card in cards] == [("a", 0), ("b", 1), ("c", 7)]


def test_an_exporter_that_makes_cards_up_fills_neither_screen_nor_memory() -> None:
    page = "".join(f'DCGM_FI_DEV_GPU_UTIL{{gpu="{n}",UUID="u{n}"}} 5\n' for n in range(MOST_CARDS + 50))
    assert len(read_cards(page, "box")) == MOST_CARDS


@pytest.mark.parametrize(
    ("given_url", "meant"),
    [
        ("http://box:9400", "http://box:9400/metrics"),
        ("box:9835/", "http://box:9835/metrics"),
        ("https://box/gpu/metrics", "https://box/gpu/metrics"),
    ],
)
def test_an_exporters_address_may_be_short(given_url: str, meant: str) -> None:
    assert exporter_url(given_url) == meant


@pytest.mark.parametrize(
    "bad", ["file:///etc/passwd", "http://me:secret@box/metrics", "http://", "", "http://box:metrics", "box:70000"]
)
def test_what_is_no_exporters_address_is_refused_without_repeating_it(bad: str) -> None:
    with pytest.raises(ValueError, match=r"address|password") as caught:
        exporter_url(bad)
    assert "secret" not in str(caught.value)


@contextmanager
def served(status: int, page: str, location: str = "") -> Iterator[str]:
    """A page on loopback, or a redirect."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            if location:
                self.send_header("location", location)
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_page_is_fetched_over_http() -> None:
    with served(200, SMI) as url:
        (card,) = ExporterSampler(url).read().samples
    assert card.where == url.removeprefix("http://")
    assert card.utilisation == 38.0


def test_an_exporter_that_fails_is_named_with_its_words() -> None:
    with served(503, "") as url:
        assert ExporterSampler(url).read().trouble == "answered 503"
    assert ExporterSampler(url).read().trouble.startswith("does not answer: ")
    with served(200, "up 1\n") as url:
        assert ExporterSampler(url).read().trouble.startswith("tells of no card")


def test_an_exporter_leads_to_no_other_protocol() -> None:
    """An FTP server is waited for without a bound on the whole, and leaving the program with it."""
    with served(302, "", "ftp://127.0.0.1:9/metrics") as url:
        assert ExporterSampler(url).read().trouble == "does not answer: it redirects to ftp"


def test_a_port_of_another_program_is_no_exporter() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        greeting = threading.Thread(target=greet, args=(listening, b"SSH-2.0-OpenSSH_9.6\r\n"))
        greeting.start()
        reading = ExporterSampler(f"http://127.0.0.1:{listening.getsockname()[1]}").read()
        greeting.join()

    assert reading.trouble == "answers something that is not HTTP"


def greet(listening: socket.socket, words: bytes) -> None:
    """What a server says that speaks first, and no HTTP."""
    peer, _ = listening.accept()
    with peer:
        peer.recv(4096)
        peer.sendall(words)


def drip(listening: socket.socket, head: bytes, over: threading.Event) -> None:
    """A server that sends a byte every twentieth of a second, for ever: it is never silent, and never done."""
    peer, _ = listening.accept()
    with peer, suppress(OSError):
        peer.recv(4096)
        peer.sendall(head)
        while not over.wait(0.05):
            peer.sendall(b"#")


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nx-slow: "])
def test_a_page_that_comes_in_drops_is_given_up_after_a_bound_in_all(head: bytes) -> None:
    """The look happens in a thread that leaving the program waits for."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        dripping = threading.Thread(target=drip, args=(listening, head, over))
        dripping.start()
        try:
            with pytest.raises(OSError, match="took longer than"):
                fetch(f"http://127.0.0.1:{listening.getsockname()[1]}", patience_s=0.3)
        finally:
            over.set()
            dripping.join()


async def test_histories_are_bounded_and_a_silent_source_does_not_empty_the_others() -> None:
    ticks = iter(range(10_000))
    here, there = NvmlSampler(FakeNvml(cards=2)), ExporterSampler("http://box:1", lambda _: SMI)
    watch = GpuWatch((here, there), lambda: float(next(ticks)))
    assert watch.cards == ()
    for _ in range(POINTS + 5):
        await watch.look(watch.sources[0])
    await watch.look(watch.sources[1])
    assert [(card.last.where, card.last.index) for card in watch.cards] == [("", 0), ("", 1), ("box:1", 0)]
    points = watch.cards[0].points
    assert len(points) == POINTS
    assert points[-1].at - points[0].at == POINTS - 1
    assert (points[-1].utilisation, points[-1].memory) == (97.0, 75.0)


async def test_cards_that_are_gone_are_forgotten_once_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_batch.gpu.watch.MOST_KEPT", 20)
    pages = iter(f'DCGM_FI_DEV_GPU_UTIL{{gpu="0",UUID="u{n}"}} {n}\n' for n in range(200))
    here, there = NvmlSampler(FakeNvml(cards=2)), ExporterSampler("http://box:1", lambda _: next(pages))
    watch = GpuWatch((here, there), lambda: 0.0)
    await watch.look(watch.sources[0])
    for _ in range(200):
        await watch.look(watch.sources[1])
        assert len(watch._cards) <= 20
    assert [card.last.uuid for card in watch.cards] == ["GPU-0", "GPU-1", "u199"]


async def test_troubles_name_their_source_and_leave_out_what_is_no_fault() -> None:
    def refuse(_: str) -> str:
        raise OSError("no route to host")

    nothing = NvmlSampler(FakeNvml(has_driver=False))
    alone = GpuWatch((nothing,), lambda: 0.0)
    await alone.look(alone.sources[0])
    assert alone.troubles == ("no NVIDIA GPU here",)
    both = GpuWatch((nothing, ExporterSampler("http://box:1", refuse)), lambda: 0.0)
    for source in both.sources:
        await both.look(source)
    assert both.troubles == ("box:1: no route to host",)


async def test_following_goes_on_until_it_is_cancelled_and_then_closes() -> None:
    library = FakeNvml()
    watch = GpuWatch((NvmlSampler(library),), lambda: 0.0)
    task = asyncio.create_task(watch.follow(watch.sources[0]))
    while watch.sources[0].reading is None:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert library.opened == 0
