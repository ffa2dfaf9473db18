"""The same telephone prompts in five languages, with the lines that two of the speakers read."""

from __future__ import annotations

import json
from pathlib import Path

from bookkit.data.voices import SOUNDS, SOURCES, licences, recording
from mmbook.datasets.sound import write_clips

FOLDERS = {  # package -> the speaker's folder in it
    "asterisk-core-sounds-en-wav": "en_US_f_Allison",
    "asterisk-core-sounds-es-wav": "es_MX_f_Allison",
    "asterisk-core-sounds-fr-wav": "fr_CA_f_June",
    "asterisk-core-sounds-it-wav": "it_IT_m_Carlo",
    "asterisk-core-sounds-ru-wav": "ru_RU_f_IvrvoiceRU",
}


def prepare(out: Path, downloads: Path) -> None:
    """Write the sounds of each language, ``prompts.json`` and ``LICENSES.txt`` into ``out``.

    ``prompt_lines.json`` has name, English line and Russian line of each prompt, from the lists that the publishers of
    the recordings hand out beside them (core-sounds-en.txt, core-sounds-ru.txt).
    """
    lines = json.loads((Path(__file__).parent / "prompt_lines.json").read_text(encoding="utf-8"))
    sources = [source for source in SOURCES if source.package.name in FOLDERS]
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for source in sources:
        clips = []
        folder = source.package.fetch(downloads) / SOUNDS / FOLDERS[source.package.name]
        for name, english, russian in lines:
            clips.append(recording(folder / f"{name}.wav"))
            said = {"en": english, "ru": russian}.get(source.language, "")
            rows.append([name, source.language, source.person, said, english])
        write_clips(out / f"{source.language}.npz", clips)
    text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (out / "prompts.json").write_text(f"[\n{text}\n]\n", encoding="utf-8")
    (out / "LICENSES.txt").write_text(licences(sources, "*.npz, prompts.json"), encoding="utf-8")
