"""Values for the prose, and files for demonstrations: the records that the build reads."""

import base64

import nbformat
import pytest
from nbclient import NotebookClient

from mmbook import artifacts
from mmbook.glue import PREFIX, glue, percent, points


def run(code: str) -> list:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook).execute()
    return notebook.cells[0].outputs


def test_words():
    assert percent(0.273) == "27\u00a0%"
    assert percent(0.2734, 1) == "27.3\u00a0%"
    assert points(-0.031, 1) == "−3.1\u00a0points"


def test_the_record_is_the_one_of_myst_nb():
    from myst_nb.ext.glue import GLUE_PREFIX

    assert PREFIX == GLUE_PREFIX
    outputs = run("from mmbook.glue import glue\nglue('gain', '27 points')\nglue('loss', -0.12345)")
    assert [o.data[f"{PREFIX}text/plain"] for o in outputs] == ["27 points", "−0.123"]
    assert [o.metadata["scrapbook"]["name"] for o in outputs] == ["gain", "loss"]
    assert all(len(o.data) == 1 for o in outputs)  # nothing is shown in Jupyter


def test_away_from_notebooks_nothing_happens(capsys):
    glue("gain", 1.0)
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="no name"):
        glue("two words", 1.0)


def test_an_artifact_reaches_the_notebook():
    (output,) = run("from mmbook.artifacts import publish\npublish('weights.bin', b'abc')")
    record = output.data[artifacts.MIME]
    assert (record["name"], base64.b64decode(record["data"])) == ("weights.bin", b"abc")


@pytest.mark.parametrize(("name", "data"), [("../x", b""), ("X.bin", b""), ("x.bin", b"0" * (artifacts.LARGEST + 1))])
def test_an_artifact_of_another_name_or_too_large_is_refused(name, data):
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        artifacts.publish(name, data)
