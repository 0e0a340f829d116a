"""The setting MEDIA_URL."""

import subprocess
import sys
from pathlib import Path

import pytest

from recsite import create_app
from recsite.config.parsers import BadSetting
from recsite.storage import media


@pytest.mark.parametrize(
    ("value", "message"),
    (
        ("media", "MEDIA_URL is no address of a folder, use 's3://BUCKET/FOLDER' or 'file:///FOLDER'"),
        ("s3://", "MEDIA_URL is no address of a folder"),
        ("s3://bucket/a b", "MEDIA_URL is no address of a folder"),
        ("s4://bucket", "MEDIA_URL begins with s4://, which fsspec does not know"),
        ("abfs://container", "MEDIA_URL begins with abfs://, which takes the package adlfs: pip install adlfs"),
    ),
)
def test_a_media_url_that_cannot_be_used_stops_the_start(
    value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIA_URL", value)

    with pytest.raises(BadSetting, match=message):
        create_app({"SECRET_KEY": "test", "DATABASE_URL": "sqlite://"})


def test_messages_do_not_repeat_a_password() -> None:
    assert media.shown("sftp://me:secret@files.example/recsite") == "sftp://files.example/recsite"


def test_without_a_media_url_nothing_of_it_is_imported(tmp_path: Path) -> None:
    settings = {"SECRET_KEY": "test", "DATABASE_URL": f"sqlite:///{tmp_path}/db"}
    program = (
        f"import sys; from recsite import create_app; create_app({settings}); "
        "print(sorted({'fsspec', 's3fs', 'botocore'} & set(sys.modules)))"
    )

    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert output == "[]\n"
