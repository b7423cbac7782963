"""What players say of themselves is counted and read ahead of, and never makes a request wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from prometheus_client import CollectorRegistry

from ottserver.delivery.cmcd import LONGEST, Report, from_query, read
from ottserver.delivery.reports import OTHERS, PlayerReports
from ottserver.media import segment_key
from tests.delivery.films import VIDEO_ID
from tests.delivery.two_ways import HOST, address, get, prepared

if TYPE_CHECKING:
    from pathlib import Path

    from tests.delivery.conftest import Stage

CASES = {
    "": Report(),
    "bs": Report(starved=True),
    "bs,su": Report(starved=True, starting=True),
    'br=3200,bs,d=4004,mtp=25400,ot=v,sid="6e2fb550",su': Report(starved=True, starting=True, throughput=25400),
    'nor="..%2F300kbps%2F9.m4s",mtp=100': Report(throughput=100, following="../300kbps/9.m4s"),
    'cid="a,b=\\"c\\",bs",su': Report(starting=True),
    "mtp=(25400 1200),v=2,bs=?0": Report(throughput=25400),
    'nor=("9.m4s" "10.m4s"),e=ps': Report(following="9.m4s"),
    "bs=?1, su=true": Report(starved=True, starting=True),
    "mtp=fast,bs=1,su=maybe": Report(),
    "mtp=-5": Report(),
    "mtp=99999999999999": Report(),
    "nor=9.m4s": Report(),
    'nor="9.m4s': Report(),
    "bs,bs=false,mtp=100,mtp=200": Report(starved=True, throughput=100),
    "com.example-x=(1 2),bs": Report(starved=True),
    ",,,": Report(),
    "=,bs": Report(),
    "BS,Su": Report(),
    "bs\0,su": Report(starting=True),
    "x" * 100_000 + ",bs": Report(),
}


@pytest.mark.parametrize("text", CASES)
def test_report_is_what_is_written_as_the_standard_says(text: str) -> None:
    assert read(text) == CASES[text]


def test_many_broken_quotes_and_lists_take_no_time() -> None:
    for piece in ('"', '\\"', "(", '=("', 'a="\\', ",", "a=(", " "):
        read("nor=" + piece * LONGEST)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("CMCD=bs%2Cmtp%3D100", "bs,mtp=100"),
        ("a=1&CMCD=su", "su"),
        ("cmcd=su", ""),
        ("XCMCD=su", ""),
        ("CMCD=%ff%zz", "\ufffd%zz"),
        ("CMCD", ""),
    ],
)
def test_argument_is_found_in_a_query(query: str, text: str) -> None:
    assert from_query(query) == text


def sample(registry: CollectorRegistry, name: str, title: str, rendition: str = "v480") -> float | None:
    return registry.get_sample_value(name, {"title": title, "rendition": rendition})


def test_titles_told_apart_are_bounded_and_nothing_counted_is_lost() -> None:
    registry = CollectorRegistry()
    reports = PlayerReports(registry, titles=3)
    for number in range(10):
        reports.add(f"t{number}", "v480", Report(starved=True, throughput=100))
        reports.add("t0", "v480", Report(starting=True))
    assert sample(registry, "ott_player_stalls_total", "t0") == 1
    assert sample(registry, "ott_player_starts_total", "t0") == 10
    assert sample(registry, "ott_player_stalls_total", "t9") == 1
    assert sample(registry, "ott_player_stalls_total", "t5") is None
    assert sample(registry, "ott_player_stalls_total", OTHERS) == 7
    assert sample(registry, "ott_player_throughput_bits_sum", OTHERS) == 700_000


async def test_reports_in_both_forms_are_counted_by_title_and_rendition_both_ways(tmp_path: Path) -> None:
    async with prepared(tmp_path) as ways:
        said = quote('bs,mtp=2400,sid="x",su')
        await ways.same([get(f"{address(ways)}?CMCD={said}")])
        await ways.same([get(address(ways), HOST + b"CMCD-Request: mtp=1000,su\r\nCMCD-Status: bs\r\n")])
        await ways.same([get(address(ways), HOST + b"CMCD-Request: \xff,=,\r\n")])
        for way in (ways.at_once, ways.parsed):
            for name in ("stalls_total", "starts_total", "throughput_bits_count"):
                assert sample(way.registry, f"ott_player_{name}", VIDEO_ID) == 2
            assert sample(way.registry, "ott_player_throughput_bits_sum", VIDEO_ID) == 3_400_000
        assert len(ways.at_once.taken) == 2


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0.002)


@pytest.mark.parametrize(
    ("following", "read_ahead"),
    [("2.m4s", "v480/2"), ("..%2Fv720%2F1.m4s", "v720/1"), ("2.m4s?x=1", "v480/2")],
)
async def test_next_object_that_a_player_names_is_read_ahead(stage: Stage, following: str, read_ahead: str) -> None:
    url = stage.url("{p}/v480/0.m4s")
    async with stage.client.get(url, headers={"CMCD-Request": f'nor="{following}"'}) as response:
        assert response.status == 200
    await settle()
    rendition, _, index = read_ahead.partition("/")
    assert stage.segments.asked[1:] == [segment_key(stage.film.id, rendition, int(index))]


@pytest.mark.parametrize(
    "following",
    [
        "..%2Fv1080%2F1.m4s",
        "99.m4s",
        "init.mp4",
        "..%2F..%2Fother%2Fv480%2F1.m4s",
        "%2Fapi%2Fv1%2Fhome",
        "https%3A%2F%2Fevil.example%2F1.m4s",
        "..%2F" * 50,
        "..%2Fa0%2F%252e.m4s",
    ],
)
async def test_next_object_that_the_ticket_does_not_open_is_not_read(stage: Stage, following: str) -> None:
    url = stage.url("{p}/v480/0.m4s", max_height=720)
    async with stage.client.get(url, headers={"CMCD-Request": f'nor="{following}"'}) as response:
        assert response.status == 200
    await settle()
    assert len(stage.segments.asked) == 1
