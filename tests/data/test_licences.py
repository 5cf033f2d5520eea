from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxaudio.data.fsd50k import FSD50K_CREDIT, LICENCES, licence_name
from ctxaudio.data.selection import SelectionOptions
from ctxaudio.errors import CtxAudioError
from ctxaudio.provenance import Credit, write_attribution


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("version", ["1.0", "2.0", "2.5", "3.0", "4.0"])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("publicdomain/zero", "cc0"),
        ("licenses/by", "cc-by"),
        ("licenses/by-nc", "cc-by-nc"),
        ("licenses/sampling+", "sampling+"),
        ("licenses/by-sa", "unknown"),
        ("licenses/by-nc-nd", "unknown"),
        ("licenses/by-nc-sa", "unknown"),
    ],
)
def test_any_version_and_scheme_of_a_licence_has_its_short_name(
    scheme: str, version: str, path: str, name: str
) -> None:
    for uri in (
        f"{scheme}://creativecommons.org/{path}/{version}/",
        f"{scheme}://creativecommons.org/{path}/{version}",
    ):
        assert licence_name(uri) == licence_name(f"{uri.rstrip('/')}/legalcode") == name
        assert licence_name(uri.replace("creative", "www.creative")) == name
    assert licence_name(f"{scheme}://example.org/{path}/{version}/") == "unknown"


@pytest.mark.parametrize("uri", ["", "unknown", "https://pixabay.com/service/license-summary/", "CC0", "cc-by"])
def test_what_is_no_licence_uri_is_unknown(uri: str) -> None:
    assert licence_name(uri) == "unknown"


@given(st.text())
def test_every_text_has_one_of_the_names(text: str) -> None:
    assert licence_name(text) in LICENCES


@pytest.mark.parametrize("names", [(), ("gpl",), ("cc0", "CC-BY")])
def test_unknown_names_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(CtxAudioError, match=r"choose one of cc0, cc-by, cc-by-nc|licences is empty"):
        SelectionOptions(licences=names)


def attribution_text(credits: list[Credit]) -> str:
    with TemporaryDirectory() as folder:
        write_attribution(Path(folder) / "A.md", credits, "About.")
        return (Path(folder) / "A.md").read_text(encoding="utf-8")


def test_fsd50k_is_credited_only_where_its_clips_are() -> None:
    assert "About.\n" in attribution_text([Credit("Rain-0", "Rain", "", "CC0 (synthesised)")])


def test_the_attribution_lists_each_clip_once_under_its_licence() -> None:
    by, zero = "http://creativecommons.org/licenses/by/3.0/", "http://creativecommons.org/publicdomain/zero/1.0/"
    credits = [
        Credit("12", "Rain", "ann", by),
        Credit("9", "Wind", "bob", by),
        Credit("7", "", "", zero),
        Credit("12", "Rain", "ann", by),
        Credit("x", "Bowl", "eve", "https://pixabay.com/service/license-summary/"),
    ]
    assert attribution_text(credits).splitlines() == [
        "# Attribution",
        "",
        f"About. {FSD50K_CREDIT}",
        "",
        "## CC0 (no credit needed, given all the same): 1 clips",
        "",
        f"- Untitled by an unnamed uploader, clip 7, https://freesound.org/s/7/, {zero}",
        "",
        "## CC BY (credit the uploader): 2 clips",
        "",
        f'- "Wind" by bob, clip 9, https://freesound.org/s/9/, {by}',
        f'- "Rain" by ann, clip 12, https://freesound.org/s/12/, {by}',
        "",
        "## Other or unknown licences: 1 clips",
        "",
        '- "Bowl" by eve, clip x, https://pixabay.com/service/license-summary/',
    ]


@given(st.text(), st.text(), st.text(), st.text())
def test_no_text_of_the_metadata_can_break_a_line_or_bring_markup(
    clip_id: str, title: str, uploader: str, licence: str
) -> None:
    lines = attribution_text([Credit(clip_id, title, uploader, licence)]).split("\n")
    assert len(lines) == 8
    for mark in "<[`*|":
        assert lines[6].count(mark) == lines[6].count(f"\\{mark}")
