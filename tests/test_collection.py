"""Names of tests do not depend on time and place of their collection."""

import gzip
import re
import tempfile


def test_no_name_has_an_address_or_a_temporary_path(request):
    volatile = re.compile(f"0x[0-9a-f]{{6}}|{re.escape(tempfile.gettempdir())}")
    assert not [item.nodeid for item in request.session.items if volatile.search(item.nodeid)]


def test_no_name_is_made_of_bytes(request):
    def name(value):
        make = request.config.hook.pytest_make_parametrize_id
        return make(config=request.config, val=value, argname="content")

    assert name(gzip.compress(b"")) == "content"
    assert name("text") is None  # as pytest has it
