"""Vendored data: packages are what was pinned, a rebuild is compared by content, problems are one line."""

import json
import shutil
import struct
import subprocess
import wave
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import prepare_data
import pytest
from PIL import Image

from bookkit.data import PREPARERS, clipart, espeak, photos, pictures, prompts, shipped, voices
from bookkit.data.packages import DebPackage, NpmPackage, PackageError, PipWheel


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A shipped data set 'toy' and a rebuild of it."""
    monkeypatch.setattr(shipped, "DATASETS", tmp_path / "datasets")
    built = tmp_path / "built"
    for folder in (built, tmp_path / "datasets/toy/files"):
        folder.mkdir(parents=True)
    Image.fromarray(np.full((8, 8, 3), 100, dtype=np.uint8)).save(built / "a.png")
    pd.DataFrame({"x": [1, 2]}).to_parquet(built / "b.parquet")
    (built / "c.json").write_text("{}")
    shipped.install(built, "toy")
    return built, tmp_path / "datasets/toy"


def test_install_lists_every_file_and_compare_is_content(files):
    built, target = files
    assert set(json.loads((target / "checksums.json").read_text())) == {"a.png", "b.parquet", "c.json"}
    assert shipped.compare(built, "toy") == []


def test_another_writer_of_the_same_content_is_no_difference(files):
    built, _ = files
    Image.fromarray(np.full((8, 8, 3), 101, dtype=np.uint8)).save(built / "a.png", compress_level=0)
    pd.DataFrame({"x": [1, 2]}).to_parquet(built / "b.parquet", compression="gzip")
    assert shipped.compare(built, "toy") == []


@pytest.mark.parametrize("name", ["a.png", "b.parquet", "c.json"])
def test_other_content_is_a_difference(files, name):
    built, _ = files
    Image.fromarray(np.full((8, 8, 3), 130, dtype=np.uint8)).save(built / "other.png")
    pd.DataFrame({"x": [1, 3]}).to_parquet(built / "other.parquet")
    (built / "other.json").write_text("[]")
    (built / f"other.{name.split('.')[1]}").replace(built / name)
    for rest in built.glob("other.*"):
        rest.unlink()
    assert [name in line for line in shipped.compare(built, "toy")] == [True]


def test_a_damaged_or_missing_shipped_file_is_named(files):
    built, target = files
    (target / "files/c.json").write_text("[]")
    (target / "files/a.png").unlink()
    lines = "\n".join(shipped.compare(built, "toy"))
    assert "c.json: differs from checksums.json" in lines
    assert "a.png: missing" in lines


def test_a_package_of_other_content_is_refused(tmp_path, monkeypatch):
    (tmp_path / "toy-1.0.tgz").write_bytes(b"not what was pinned")
    with pytest.raises(PackageError, match="SHA-512"):
        NpmPackage("toy", "1.0", "x").fetch(tmp_path)
    (tmp_path / "toy-1.0-py3-none-any.whl").write_bytes(b"not what was pinned")
    with pytest.raises(PackageError, match="SHA-256"):
        PipWheel("toy", "1.0", "x").fetch(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(PackageError, match="npm is needed"):
        NpmPackage("other", "1.0", "x").fetch(tmp_path)
    failed = subprocess.CompletedProcess([], 1, "", "no such thing")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: failed)
    with pytest.raises(PackageError, match="no such thing"):
        PipWheel("other", "1.0", "x").fetch(tmp_path)


def test_a_package_problem_is_one_line_and_exit_2(monkeypatch, capsys):
    def fail(out, downloads):
        raise PackageError("toy@1.0: not to be had")

    monkeypatch.setitem(PREPARERS, "emoji", fail)
    assert prepare_data.main(["emoji", "--check"]) == 2
    assert capsys.readouterr().err == "prepare_data: toy@1.0: not to be had\n"


def test_a_sound_file_counts_as_the_same_by_its_samples(files):
    built, _ = files
    np.savez_compressed(built / "c.npz", samples=np.arange(5))
    shipped.install(built, "toy")
    np.savez(built / "c.npz", samples=np.arange(5))
    assert shipped.compare(built, "toy") == []
    np.savez(built / "c.npz", samples=np.arange(6))
    assert ["c.npz" in line for line in shipped.compare(built, "toy")] == [True]


def test_no_two_synthetic_speakers_share_a_variant():
    variants = [f"v{i}" for i in range(60)] + sorted(voices.UNFIT)
    people = voices.cast(variants, 50)
    assert people == voices.cast(variants, 50)
    assert len({v.variant for v in people}) == 50
    assert not {v.variant for v in people} & voices.UNFIT
    with pytest.raises(ValueError, match="60 different speakers"):
        voices.cast(variants, 61)


def test_every_recording_has_a_source_and_a_known_check():
    listed = json.loads((Path(voices.__file__).parent / "real_clips.json").read_text(encoding="utf-8"))
    assert {row[0] for row in listed} == {source.package.name for source in voices.SOURCES}
    assert {row[4] for row in listed} <= set(voices.CHECKS)
    assert len({(row[0], row[1]) for row in listed}) == len(listed)


def test_a_debian_package_of_other_content_is_refused(tmp_path, monkeypatch):
    (tmp_path / "toy_1%3a2.0_all.deb").write_bytes(b"not what was pinned")
    with pytest.raises(PackageError, match="SHA-256"):
        DebPackage("toy", "1:2.0", "x").fetch(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(PackageError, match="apt-get is needed"):
        DebPackage("other", "1.0", "x").fetch(tmp_path)


def test_a_synthesiser_that_can_not_be_loaded_is_one_line(tmp_path, monkeypatch):
    folder = tmp_path / "espeakng_loader"
    folder.mkdir()
    (folder / "libespeak-ng.so").write_bytes(b"not a library")
    monkeypatch.setattr(PipWheel, "fetch", lambda self, downloads: tmp_path)
    with pytest.raises(PackageError, match="Linux on x86-64"):
        espeak.Synthesiser(tmp_path)


def test_a_picture_fills_its_square_as_far_as_it_goes_and_a_sheet_gives_it_back(tmp_path):
    red = Image.new("RGB", (40, 20), (200, 30, 40))
    assert pictures.box(red.size, 24, margin=2) == [7, 17, 2, 22]
    tile = pictures.fitted(red, 24, margin=2)
    assert (tile[7:17, 2:22] == (200, 30, 40)).all()
    assert tile[:7].min() == tile[17:].min() == tile[:, :2].min() == tile[:, 22:].min() == 255
    pictures.write_sheet(tmp_path / "sheet.webp", [tile, 255 - tile, tile], columns=2)
    with Image.open(tmp_path / "sheet.webp") as sheet:
        assert sheet.size == (48, 48)
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    assert np.abs(pixels[24:, :24] - tile).mean() < 6
    assert np.abs(pixels[:24, 24:] - (255 - tile)).mean() < 6
    assert pixels[24:, 24:].min() > 240


def test_every_drawing_and_photograph_has_words_of_its_own():
    folder = Path(clipart.__file__).parent
    drawings = json.loads((folder / "clipart_words.json").read_text(encoding="utf-8"))
    assert len({row[0] for row in drawings}) == len(drawings) == 1838
    named = json.loads((folder / "photo_words.json").read_text(encoding="utf-8"))
    assert len({row["path"] for row in named}) == len(named) == 209


def qt_resource(files: dict[str, bytes], packed: bool) -> bytes:
    """A Qt resource file of format 2 with these files below one folder, "in"."""
    names, offsets = b"", []
    for name in ("in", *files):
        offsets.append(len(names))
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    data, starts = b"", []
    for content in files.values():
        starts.append(len(data))
        kept = struct.pack(">I", len(content)) + zlib.compress(content) if packed else content
        data += struct.pack(">I", len(kept)) + kept
    tree = struct.pack(">IHIIQ", 0, 2, 1, 1, 0) + struct.pack(">IHIIQ", offsets[0], 2, len(files), 2, 0)
    for offset, start in zip(offsets[1:], starts, strict=True):
        tree += struct.pack(">IHIIQ", offset, 1 if packed else 0, 0, start, 0)
    head = 20
    where = (2, head, head + len(tree), head + len(tree) + len(data))
    return b"qres" + struct.pack(">4I", *where) + tree + data + names


@pytest.mark.parametrize("packed", [False, True])
def test_a_qt_resource_file_is_unpacked(packed):
    files = {"a.txt": b"hello", "bé.bin": bytes(range(256))}
    assert dict(photos.unpacked(qt_resource(files, packed))) == {f"/in/{name}": data for name, data in files.items()}
    with pytest.raises(ValueError, match="not a Qt resource file"):
        dict(photos.unpacked(b"PK\x03\x04"))


def test_a_photograph_that_is_not_free_is_refused(tmp_path, monkeypatch):
    row = json.loads((Path(photos.__file__).parent / "photo_words.json").read_text(encoding="utf-8"))[0]
    activity, _, rest = row["path"].partition("/")
    readme = f"Copyright: A\nLicense: GPLv2+\nSource: https://x\nFiles:\n{Path(rest).name}\n"
    files = {f"{activity}/{Path(rest).parent}/README": readme.encode(), row["path"]: b""}
    monkeypatch.setattr(
        photos, "unpacked", lambda archive: [(f"/{'/'.join(p.split('/')[1:])}", d) for p, d in files.items()]
    )
    monkeypatch.setattr(photos, "ACTIVITIES", (activity,))
    monkeypatch.setattr(DebPackage, "fetch", lambda self, downloads: tmp_path)
    (tmp_path / photos.FOLDER).mkdir(parents=True)
    (tmp_path / photos.FOLDER / f"{activity}.rcc").write_bytes(b"")
    with pytest.raises(ValueError, match=r"GPLv2\+"):
        photos.prepare(tmp_path / "out", tmp_path)


def test_prompts_are_of_packages_whose_licence_is_known(tmp_path):
    text = voices.licences([s for s in voices.SOURCES if s.package.name in prompts.FOLDERS], "a.npz, a.json")
    assert set(prompts.FOLDERS) == {name for name in prompts.FOLDERS if name in text}
    assert text.count("creativecommons.org") == 5
    with wave.open(str(tmp_path / "fast.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", "NONE"))
        file.writeframes(b"\0\1" * 100)
    with pytest.raises(ValueError, match="not 8 kHz"):
        voices.recording(tmp_path / "fast.wav")
