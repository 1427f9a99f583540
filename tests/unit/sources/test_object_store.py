"""What is told of an address in an object store, without a store."""

from __future__ import annotations

import pytest

from stillwatch.errors import InputError
from stillwatch.sources.object_store import list_objects, plain_name


@pytest.mark.parametrize("secret", ["wJalrXUtn", "wJalr/XUtn", "wJa/lr/XUtn", "wJalr%2FXUtn"])
def test_no_name_has_keys_also_where_a_secret_has_a_slash(secret: str) -> None:
    assert plain_name(f"s3://AKID:{secret}@bucket/a%20b/c?region=x") == "s3://bucket/a b/c"
    assert plain_name("s3://bucket/a:b/c@d") == "s3://bucket/a:b/c@d"


def test_an_address_that_cannot_be_read_is_told_without_keys() -> None:
    with pytest.raises(InputError) as told:
        list(list_objects("s3://AKID:wJalr/XUtn@bucket/week?region=x"))
    words = str(told.value)
    assert "s3://bucket/week: cannot list" in words
    assert "written %2F" in words
    assert "AKID" not in words
    assert "XUtn" not in words
