"""Laws that every method on addresses keeps, whatever the column."""

from __future__ import annotations

import ipaddress
import traceback

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from logblur.errors import KeyMaterialError, UsageError
from logblur.protect import addresses, prefixes
from logblur.protect.cipher_reference import encrypted
from logblur.protect.spellings import unpacked

SIZES = {
    "pseudonym": 16,
    "ipcrypt_deterministic": 16,
    "ipcrypt_pfx": 32,
    "ipcrypt_nd": 16,
    "ipcrypt_ndx": 32,
    "cryptopan": 32,
}
"""Bytes of each method's key."""
WIDTHS = {"ipcrypt_nd": 24, "ipcrypt_ndx": 32}
"""Bytes of each method's result, where they are not 16."""
REVERSIBLE = [name for name in SIZES if name != "pseudonym"]
PREFIXED = ["ipcrypt_pfx", "cryptopan"]
FIXED = ["pseudonym", "ipcrypt_deterministic", *PREFIXED]
"""Methods that give one value for one address."""

MAPPED = 0xFFFF << 32
LOW = st.integers(0, 2**32 - 1) | st.integers(0xC0000200, 0xC00002FF)
ADDRESSES = LOW.map(lambda v: MAPPED | v) | st.integers(0, 2**128 - 1) | LOW.map(lambda v: 0x20010DB8 << 96 | v)
COLUMNS = st.lists(ADDRESSES, max_size=40)


def binary(values):
    """A column of these numbers, None for null."""
    return pa.array([None if v is None else v.to_bytes(16, "big") for v in values], pa.binary(16))


def numbers(column):
    """The numbers of a column."""
    return [None if v is None else int.from_bytes(v, "big") for v in column.to_pylist()]


def key(name, seed=0):
    """A key of the method's size; another for another seed."""
    return bytes((seed * 37 + i * i + 11 * i) % 256 for i in range(SIZES[name]))


def protect(name, column, seed=0):
    """The column through the method under that key."""
    given = {"field": "remote_addr"} if name == "pseudonym" else {}
    return getattr(addresses, name)(column, key(name, seed), **given)


def shared(a, b):
    """How many leading bits two addresses share."""
    return 128 - (a ^ b).bit_length()


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefixes walk in chunks of few addresses here, so that columns cross their borders."""
    monkeypatch.setattr(prefixes, "CHUNK", 7)


laws = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.mark.parametrize("name", REVERSIBLE)
@given(values=COLUMNS)
@laws
def test_decryption_gives_back_what_was_encrypted(name, values):
    """Decrypting under the same key gives the addresses back, nulls as nulls."""
    column = binary([*values, None])
    found = protect(name, column)
    assert found.type == pa.binary(WIDTHS.get(name, 16))
    assert getattr(addresses, f"{name}_decrypt")(found, key(name)).equals(column)


@pytest.mark.parametrize("name", FIXED)
@given(values=COLUMNS)
@laws
def test_equal_addresses_alone_become_equal(name, values):
    """One address always becomes one value, two never become one: the map is one to one."""
    found = numbers(protect(name, binary(values)))
    assert len(set(zip(values, found, strict=True))) == len(set(values)) == len(set(found))
    assert found == [numbers(protect(name, binary([v])))[0] for v in values]


@pytest.mark.parametrize("name", WIDTHS)
@given(value=ADDRESSES)
@laws
def test_random_tweaks_hide_repetition(name, value):
    """Rows of one address share nothing: neither tweak nor ciphertext repeats."""
    found = protect(name, binary([value] * 20)).to_pylist()
    split = WIDTHS[name] - 16
    assert len({v[:split] for v in found}) == len({v[split:] for v in found}) == 20


@pytest.mark.parametrize("name", PREFIXED)
@given(values=COLUMNS)
@laws
def test_shared_prefixes_stay_as_long_as_they_were(name, values):
    """Two addresses of a family share exactly as many leading bits after encryption as before, and IPv4 stays IPv4."""
    found = numbers(protect(name, binary(values)))
    assert [v >> 32 == 0xFFFF for v in found] == [v >> 32 == 0xFFFF for v in values]
    for a, x in zip(values, found, strict=True):
        for b, y in zip(values, found, strict=True):
            if (a >> 32 == 0xFFFF) == (b >> 32 == 0xFFFF):
                assert shared(a, b) == shared(x, y)


@pytest.mark.parametrize("method", addresses.ENCRYPTED)
@given(values=COLUMNS, seed=st.integers(0, 255))
@laws
def test_columns_become_what_the_reference_makes_of_each_address(method, values, seed):
    """Kernels over whole columns and the definition of each cipher, address by address, give the same bytes."""
    name, size = method.replace("-", "_"), {"ipcrypt-nd": 8, "ipcrypt-ndx": 16}.get(method, 0)
    tweaks = [bytes((seed + at * at + i * i) % 256 for i in range(size)) for at in range(len(values))]
    given = {"tweaks": pa.array(tweaks, pa.binary(size))} if size else {}
    found = getattr(addresses, name)(binary(values), key(name, seed), **given).to_pylist()
    plain = [unpacked(value.to_bytes(16)) for value in values]
    assert found == [encrypted(a, method, key(name, seed), tweak=t) for a, t in zip(plain, tweaks, strict=True)]


@given(value=ADDRESSES)
@laws
def test_the_reference_draws_another_tweak_each_time(value):
    """Without a tweak given, the reference's results of one address differ, and decrypt to it."""
    for name, width in WIDTHS.items():
        method = name.replace("_", "-")
        found = [encrypted(unpacked(value.to_bytes(16)), method, key(name)) for _ in range(3)]
        assert len(set(found)) == 3
        column = pa.array(found, pa.binary(width))
        assert numbers(getattr(addresses, f"{name}_decrypt")(column, key(name))) == [value] * 3


@pytest.mark.parametrize("name", SIZES)
@given(values=st.lists(ADDRESSES, min_size=8, max_size=20, unique=True))
@laws
def test_another_key_gives_another_result(name, values):
    """Under two keys a column becomes two columns, and the wrong key does not decrypt."""
    column = binary(values)
    one, other = protect(name, column), protect(name, column, seed=1)
    assert not one.equals(other)
    if name != "pseudonym":
        assert not getattr(addresses, f"{name}_decrypt")(one, key(name, 1)).equals(column)


@pytest.mark.parametrize("name", ["truncate", *SIZES])
def test_what_is_no_address_becomes_null(name):
    """Hostnames, ports, zones and other text become null over zeros, and every spelling of an address is that one."""
    texts = ["192.0.2.1", "host.example.com", None, "192.0.2.1:80", "[2001:db8::1]", "fe80::1%eth0", "", "-",
             "192.0.2.01", "::ffff:192.0.2.1", "2001:DB8:0:0::1", "2001:db8::1", "0x7f000001", "1.2.3"]  # fmt: skip
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        column = pa.array(texts, kind)
        if name == "truncate":
            found = addresses.truncate(column, ipv4_prefix=24, ipv6_prefix=48)
        else:
            found = protect(name, column)
        assert [i for i, v in enumerate(found.to_pylist()) if v is not None] == [0, 9, 10, 11]
        if name not in WIDTHS:
            assert found[0] == found[9]
            assert found[10] == found[11]
        raw, width = found.buffers()[1].to_pybytes(), found.type.byte_width
        assert all(not any(raw[i * width : (i + 1) * width]) for i, v in enumerate(found.to_pylist()) if v is None)


@pytest.mark.parametrize("name", ["truncate", *SIZES])
def test_slices_chunks_and_empty_columns_are_columns(name):
    """A slice, a chunked column and an empty one give what their rows give, in buffers that hold no other row."""

    def through(column):
        if name == "truncate":
            return addresses.truncate(column, ipv4_prefix=24, ipv6_prefix=48)
        if name in WIDTHS:
            tweaks = pa.array([bytes(WIDTHS[name] - 16)] * len(column), pa.binary(WIDTHS[name] - 16))
            return getattr(addresses, name)(column, key(name), tweaks=tweaks)
        return protect(name, column)

    values = [MAPPED | v for v in range(5)] + [None, 1 << 100]
    whole = binary(values)
    text = pa.array([None if v is None else str(ipaddress.IPv6Address(v)) for v in values])
    expected = through(whole)
    for column in (whole, text):
        assert through(column).equals(expected)
        part = through(column.slice(2, 4))
        assert part.equals(expected.slice(2, 4))
        assert len(part.buffers()[1]) == 4 * part.type.byte_width
        chunked = pa.chunked_array([column.slice(0, 3), column.slice(3)])
        assert through(chunked).equals(expected)
        assert len(through(column.slice(0, 0))) == 0
        assert len(through(pa.chunked_array([], column.type))) == 0


def test_what_lies_under_a_null_stays_there():
    """Arrow may hold an address under a null; no method reads it."""
    secret = b"\x20\x01TOKENTOKENTOKE"
    hidden = pa.Array.from_buffers(pa.binary(16), 2, [pa.py_buffer(b"\x02"), pa.py_buffer(secret * 2)])
    nothing = pa.array([None, secret], pa.binary(16))
    for name in FIXED:
        assert protect(name, hidden).buffers()[1].to_pybytes() == protect(name, nothing).buffers()[1].to_pybytes()
    found = addresses.truncate(hidden, ipv4_prefix=32, ipv6_prefix=128)
    assert found.buffers()[1].to_pybytes() == bytes(16) + secret


@pytest.mark.parametrize("name", [*SIZES, *(f"{name}_decrypt" for name in REVERSIBLE)])
@given(size=st.integers(0, 64), fill=st.sampled_from(list(range(0x41, 0x5B))))
@laws
def test_a_key_of_another_length_is_refused_without_a_word_of_it(name, size, fill):
    """A key that is too short or too long is a KeyMaterialError whose text and traceback hold nothing of the key."""
    method = name.removesuffix("_decrypt")
    assume(size != SIZES[method])
    bad = bytes([fill]) * size
    width = WIDTHS.get(method, 16) if name.endswith("_decrypt") else 16
    given = {"field": "remote_addr"} if name == "pseudonym" else {}
    with pytest.raises(KeyMaterialError) as caught:
        getattr(addresses, name)(pa.array([bytes(width)], pa.binary(width)), bad, **given)
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert size < 3 or chr(fill) * 3 not in told
    assert size < 3 or (bytes([fill]) * 3).hex() not in told


@pytest.mark.parametrize("name", ["ipcrypt_pfx", "ipcrypt_ndx", "ipcrypt_pfx_decrypt", "ipcrypt_ndx_decrypt"])
def test_equal_halves_are_refused(name):
    """A key of one half twice is refused: ipcrypt-pfx would give every address back as it was."""
    width = 32 if name == "ipcrypt_ndx_decrypt" else 16
    with pytest.raises(KeyMaterialError):
        getattr(addresses, name)(pa.array([bytes(width)], pa.binary(width)), bytes(range(16)) * 2)


def test_without_that_check_pfx_changes_nothing():
    """The control: a key of one half twice really does give addresses back."""
    high, low = addresses._words(addresses._binary(binary([MAPPED | 5, 1 << 100]), 16)[0])
    out = prefixes.pfx(high, low, bytes(range(16)) * 2, inverse=False)
    assert (out[0] == high).all()
    assert (out[1] == low).all()


def test_columns_and_tweaks_of_other_types_are_refused():
    """What the methods cannot read is an error that names the type they take, never a guess."""
    addresses_ = binary([1, 2])
    for wrong in (pa.array([1]), pa.array([b"192.0.2.1"]), pa.array([bytes(4)], pa.binary(4))):
        with pytest.raises(UsageError):
            addresses.ipcrypt_deterministic(wrong, bytes(16))
    with pytest.raises(UsageError):
        addresses.ipcrypt_nd_decrypt(pa.array(["192.0.2.1"]), bytes(16))
    for tweaks in (
        pa.array([bytes(8)], pa.binary(8)),
        pa.array([bytes(8), None], pa.binary(8)),
        pa.array([bytes(16)] * 2, pa.binary(16)),
    ):
        with pytest.raises(UsageError):
            addresses.ipcrypt_nd(addresses_, bytes(16), tweaks=tweaks)


def test_hostile_columns_cost_no_more_than_others():
    """A column of one address, or of neighbours alone, is as right as any: nothing is hashed, all is sorted."""
    same, near = binary([5] * 500), binary([MAPPED | v for v in range(500)])
    for name in FIXED:
        assert len(set(protect(name, same).to_pylist())) == 1
        assert len(set(protect(name, near).to_pylist())) == 500
