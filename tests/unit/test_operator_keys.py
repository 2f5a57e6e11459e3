"""Keys that the operator names: where they come from, which are refused, and what is made under them."""

from __future__ import annotations

import base64
import itertools
import os
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

import logblur
from logblur.cli import main
from logblur.errors import KeyMaterialError, OutputError, PolicyError
from logblur.filtering import filter_logs
from logblur.keys import create_operator_key, load_operator_key, system_keys
from logblur.policy import Policy
from logblur.policy.diff import diff
from logblur.policy.load import encode, restore, validate
from logblur.policy.plan import KEY_SIZE
from logblur.policy.resolve import resolve
from logblur.protect import addresses

SECRET = bytes(range(120, 152))
HEAD = {"version": 1, "name": "test", "purpose": "test", "legal_basis": "public-task", "retention": "1 day"}
REVERSIBLE = {
    "ipcrypt-deterministic": addresses.ipcrypt_deterministic_decrypt,
    "ipcrypt-pfx": addresses.ipcrypt_pfx_decrypt,
    "ipcrypt-nd": addresses.ipcrypt_nd_decrypt,
    "ipcrypt-ndx": addresses.ipcrypt_ndx_decrypt,
    "cryptopan": addresses.cryptopan_decrypt,
}
NOTED = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{X-Note}i"'
CLIENTS = ["192.0.2.1", "192.0.2.1", "198.51.100.9", "2001:db8::7", "host.example.com", "192.0.2.1"]


def policy(keys: object, **fields: object) -> Policy:
    """Return a policy for records with these keys and rules."""
    return validate(HEAD | {"keys": keys, "fields": {"time": {"method": "second"}, **fields}})


def key_file(folder: Path, content: bytes, name: str = "archive.key") -> Path:
    """Write a key that its owner alone can read."""
    path = folder / name
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def log_of(folder: Path, days: int = 1) -> Path:
    """Write a log of these clients, the same on each day."""
    lines = [
        f'{client} - anna [{17 + day}/May/2026:10:05:{n:02} +0000] "GET /a HTTP/1.1" 200 1234 "-" "-"\n'
        for day in range(days)
        for n, client in enumerate(CLIENTS)
    ]
    path = folder / "access.log"
    path.write_text("".join(lines))
    return path


def packed(texts: list[str]) -> pa.Array:
    """Return values as bytes, from addresses or from hex digits; None for what is neither."""
    as_address = addresses.column_of(addresses.parse_addresses(pa.array(texts, pa.large_string())))
    if as_address.null_count < len(texts) - 1:
        return as_address
    values = [None if text == "(none)" else bytes.fromhex(text) for text in texts]
    return pa.array(values, pa.binary(len(values[0] or b"")))


# Where they come from


@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize(
    "written",
    [bytes, lambda s: s.hex().encode() + b"\n", lambda s: s.hex().upper().encode(), base64.b64encode,
     lambda s: base64.urlsafe_b64encode(s) + b"\r\n"],
    ids=["raw", "hex", "HEX", "base64", "base64url"],
)  # fmt: skip
def test_a_key_is_read_in_each_way_it_is_written(tmp_path: Path, size: int, written) -> None:
    """Raw bytes, hex digits and base64 give the same key with the same id, from a file, a pipe and the environment."""
    secret = SECRET[:size]
    read = [load_operator_key("a", "file", str(key_file(tmp_path, written(secret))))]
    end, start = os.pipe()
    os.write(start, written(secret))
    os.close(start)
    read.append(load_operator_key("b", "fd", str(end)))
    os.close(end)
    if written is not bytes:
        os.environb[b"LOGBLUR_TEST_KEY"] = written(secret)
        read.append(load_operator_key("c", "env", "LOGBLUR_TEST_KEY"))
    assert {key.secret for key in read} == {secret}
    assert len({key.id for key in read}) == 1


def test_a_file_in_memory_is_a_descriptor_like_a_pipe() -> None:
    """A file without a name, whatever its mode, can be read by nobody else; it can be read twice."""
    handle = os.memfd_create("key")
    os.write(handle, SECRET)
    assert [load_operator_key("a", "fd", str(handle)).secret for _ in range(2)] == [SECRET, SECRET]
    os.close(handle)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """A key open to group or others is not used, by its path or by a descriptor; the message says what to do."""
    path = key_file(tmp_path, SECRET)
    path.chmod(mode)
    with pytest.raises(KeyMaterialError, match="chmod 600"):
        load_operator_key("archive", "file", str(path))
    with path.open("rb") as file, pytest.raises(KeyMaterialError, match="chmod 600"):
        load_operator_key("archive", "fd", str(file.fileno()))


def test_a_key_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file belongs to this user or to root: another one could have read it, or put it there."""
    path = key_file(tmp_path, SECRET)
    if os.getuid() == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(KeyMaterialError, match="another user"):
        load_operator_key("archive", "file", str(path))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        SECRET[:15],
        SECRET + b"x",
        SECRET.hex().encode()[:-1],
        b"x" * 5000,
        bytes(32),
        bytes(16),
        b"0" * 64,
        b"correct horse ba",
        b"the only copy of something else\n",
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(tmp_path: Path, content: bytes) -> None:
    """Another length, zeros of a key that was being destroyed, and text are refused, and not a byte is repeated."""
    with pytest.raises(KeyMaterialError) as refused:
        load_operator_key("archive", "file", str(key_file(tmp_path, content)))
    said = str(refused.value)
    assert "archive" in said
    assert "\n" not in said
    assert SECRET.hex()[:20] not in said


def test_a_key_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, a folder, a closed descriptor, a variable that is not set: each says so."""
    monkeypatch.delenv("LOGBLUR_NO_KEY", raising=False)
    for kind, place, says in (
        ("file", str(tmp_path / "none"), "missing"),
        ("file", str(tmp_path), "no plain file"),
        ("fd", "1000", "bad file descriptor"),
        ("env", "LOGBLUR_NO_KEY", "not set"),
    ):
        with pytest.raises(KeyMaterialError, match=says):
            load_operator_key("archive", kind, place)  # type: ignore[arg-type]


def test_no_text_shows_a_key(tmp_path: Path) -> None:
    """What Python prints of a key is its name and id."""
    key = load_operator_key("archive", "file", str(key_file(tmp_path, SECRET)))
    assert repr(key) == f"OperatorKey(name='archive', id='{key.id}')"
    assert key.id not in SECRET.hex()


def test_a_new_key_takes_the_place_of_none(tmp_path: Path) -> None:
    """A new key is private whatever the umask, can be read, is another each time, and never replaces a file."""
    before = os.umask(0)
    try:
        made = create_operator_key(tmp_path / "a", 16, system_keys)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    read = load_operator_key("a", "file", str(tmp_path / "a"))
    assert (read.id, len(read.secret)) == (made, 16)
    with pytest.raises(OutputError, match="stays"):
        create_operator_key(tmp_path / "a", 16, system_keys)
    assert load_operator_key("a", "file", str(tmp_path / "a")) == read
    assert create_operator_key(tmp_path / "b", 16, system_keys) != made
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


# What a policy says of them


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"archive": SECRET.hex()}, "keys.archive"),
        ({"archive": {"value": SECRET.hex()}}, "keys.archive.value"),
        ({"archive": {"env": SECRET[:16].hex()}}, "keys.archive.env"),
        ({"archive": {"file": SECRET.hex()}}, "keys.archive.file"),
        ({"archive": {"file": "/" + base64.b64encode(SECRET).decode()[1:]}}, "keys.archive.file"),
        ({"archive": {}}, "keys.archive"),
        ({"archive": {"file": "/a", "env": "A"}}, "keys.archive"),
        ({"archive": {"fd": 0}}, "keys.archive.fd"),
        ({"archive": {"file": "archive.key"}}, "keys.archive.file"),
    ],
)
def test_a_policy_holds_no_key(keys: object, path: str) -> None:
    """A key in a policy, or a place that is none, is refused by its path, and not repeated."""
    with pytest.raises(PolicyError) as refused:
        policy(keys)
    assert refused.value.path == path
    assert SECRET.hex()[:12] not in str(refused.value)
    assert base64.b64encode(SECRET).decode()[4:16] not in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "path", "says"),
    [
        ({"remote_addr": {"method": "cryptopan"}}, "fields.remote_addr.key", "missing"),
        ({"remote_addr": {"method": "cryptopan", "key": "archiv"}}, "fields.remote_addr.key", "did you mean 'archive'"),
        ({"remote_user": {"method": "cryptopan", "key": "archive"}}, "fields.remote_user.method", "choose from"),
        ({"remote_user": {"method": "keep", "key": "archive"}}, "fields.remote_user.key", "no such key"),
        ({"status": {"method": "bucket"}}, "fields.status.method", "choose from"),
        ({"path": {"method": "second"}}, "fields.path.method", "choose from"),
        (
            {
                "remote_addr": {"method": "ipcrypt-nd", "key": "archive"},
                "cookies": {"method": "pseudonym", "key": "archive"},
            },
            "fields.cookies.key",
            "each its own",
        ),
    ],
)
def test_what_a_field_cannot_carry_is_refused_by_its_path(fields: dict, path: str, says: str) -> None:
    """A method without its key, with one that is not there or is another method's, or on another field, is refused."""
    with pytest.raises(PolicyError, match=says) as refused:
        resolve(policy({"archive": {"file": "/archive.key"}}, **fields))
    assert refused.value.path == path


def test_two_keys_come_from_two_places() -> None:
    """Two names of one file would be one key for two methods."""
    with pytest.raises(PolicyError, match="own place"):
        resolve(policy({"a": {"fd": 3}, "b": {"fd": 3}}))


def test_a_policy_with_keys_is_kept_as_it_is() -> None:
    """What a day keeps of its policy names the keys as before; the digest is of their names, not of their places."""
    rules = {"remote_addr": {"method": "ipcrypt-pfx", "key": "archive"}}
    one, other = (policy({"archive": place}, **rules) for place in ({"file": "/a"}, {"env": "A"}))
    renamed = policy({"b": {"file": "/a"}}, remote_addr={"method": "ipcrypt-pfx", "key": "b"})
    assert restore(encode(one)) == one
    assert resolve(one).digest == resolve(other).digest != resolve(renamed).digest


def test_longer_keys_and_reversible_methods_are_more() -> None:
    """A pseudonym that outlives its day tells more than one that does not, and an encrypted address more than both."""
    keys = {"a": {"fd": 3}, "b": {"fd": 4}, "c": {"fd": 5}}
    ladder = [
        {"method": "keep", "reason": "x"},
        {"method": "ipcrypt-pfx", "key": "a"},
        {"method": "ipcrypt-deterministic", "key": "b"},
        {"method": "pseudonym", "key": "c"},
        {"method": "pseudonym"},
        {"method": "truncate", "ipv4_prefix": 16, "ipv6_prefix": 32},
        {"method": "drop"},
    ]
    for more, less in itertools.pairwise(ladder):
        (change,) = diff(policy(keys, remote_addr=more), policy(keys, remote_addr=less))
        assert change.effect == "less"
        signals = {"objection": {"http_dnt": ["1"]}, "fields": {"remote_addr": less}}
        fields = {"time": {"method": "day"}, "remote_addr": more}
        resolve(validate(HEAD | {"keys": keys, "fields": fields, "signals": signals}))
        fields["remote_addr"], signals["fields"] = less, {"remote_addr": more}
        with pytest.raises(PolicyError, match="keeps more"):
            resolve(validate(HEAD | {"keys": keys, "fields": fields, "signals": signals}))
    (change,) = diff(*(policy(keys, remote_user={"method": "pseudonym", "key": key}) for key in "ab"))
    assert (change.effect, "'a'" in change.before, "'b'" in change.after) == ("other", True, True)


# What is made under them


@pytest.mark.parametrize("method", REVERSIBLE)
def test_records_are_read_again_by_the_key(tmp_path: Path, method: str) -> None:
    """What a scan and a filter print of addresses decrypts to them under the key, and what is no address is nothing."""
    secret = SECRET[: KEY_SIZE[method]]  # type: ignore[index]
    path = key_file(tmp_path, secret.hex().encode())
    said = policy({"archive": {"file": str(path)}}, remote_addr={"method": method, "key": "archive"})
    truth = addresses.column_of(addresses.parse_addresses(pa.array(CLIENTS, pa.large_string())))
    log = log_of(tmp_path)
    scanned = logblur.scan(log, policy=said).collect()["remote_addr"].to_list()
    with (tmp_path / "filtered").open("w+b") as file:
        filter_logs([str(log)], policy=said, output=file.fileno())
        printed = [line.split()[0] for line in (tmp_path / "filtered").read_text().splitlines()]
    for made in (scanned, ["(none)" if text == "-" else text for text in printed]):
        assert REVERSIBLE[method](packed(made), secret) == truth
        assert (len({made[0], made[1], made[5]}) == 1) is (method not in {"ipcrypt-nd", "ipcrypt-ndx"})
        assert not set(made) & set(CLIENTS)


def test_a_pseudonym_under_a_named_key_joins_days_and_scans(tmp_path: Path) -> None:
    """Under a named key one value has one pseudonym on every day; under another key another; fields stay apart."""
    log = log_of(tmp_path, days=2)

    def scanned(name: str) -> pl.DataFrame:
        rule = {"method": "pseudonym", "key": "archive"}
        said = policy({"archive": {"file": str(tmp_path / name)}}, remote_addr=rule, remote_user=rule)
        return logblur.scan(log, policy=said).collect()

    create_operator_key(tmp_path / "a", 16, system_keys)
    create_operator_key(tmp_path / "b", 16, system_keys)
    one, again, other = scanned("a"), scanned("a"), scanned("b")
    assert one.equals(again)
    first, second = one.filter(pl.col("date") == one["date"][0]), one.filter(pl.col("date") != one["date"][0])
    assert first["remote_addr"].to_list() == second["remote_addr"].to_list()
    assert one["remote_user"].n_unique() == 1
    assert not (set(one["remote_addr"]) | set(one["remote_user"])) & (
        set(other["remote_addr"]) | set(other["remote_user"])
    ) - {"(none)"}
    assert one["remote_user"][0] not in set(one["remote_addr"])


def test_a_key_at_fault_ends_everything_before_the_first_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scan and filter end with 3 and print nothing where a key is missing, too short, or another one's twin."""
    log = log_of(tmp_path)
    monkeypatch.setenv("ONE", SECRET.hex())
    monkeypatch.setenv("TWO", SECRET.hex())
    monkeypatch.setenv("EQUAL", SECRET[:16].hex() * 2)
    rule = '{ method = "ipcrypt-pfx", key = "archive" }'
    text = "version = 1\nname = 'x'\npurpose = 'x'\nlegal_basis = 'public-task'\nretention = '1 day'\n[fields]\n"
    text += f"time = {{ method = 'minute' }}\nremote_addr = {rule}\n"
    twin = "[keys]\narchive = { env = 'ONE' }\nother = { env = 'TWO' }\n"
    cookies = "cookies = { method = 'pseudonym', key = 'other' }\n"
    for keys in ("archive = { fd = 999 }", "archive = { env = 'EQUAL' }", "archive = { file = '/dev/null' }"):
        (tmp_path / "p.toml").write_text(f"{text}[keys]\n{keys}\n")
        assert main(["filter", "-p", str(tmp_path / "p.toml"), str(log)]) == 3
        with pytest.raises(KeyMaterialError):
            logblur.scan(log, policy=tmp_path / "p.toml")
    (tmp_path / "p.toml").write_text(text + cookies + twin)
    assert main(["filter", "-p", str(tmp_path / "p.toml"), str(log)]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert SECRET.hex()[:16] not in said.err


def test_restricted_requests_have_their_own_method_and_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that objects goes through its own rule and key; of a number that it drops nothing is left."""
    monkeypatch.setenv("A", SECRET[:16].hex())
    monkeypatch.setenv("B", SECRET[8:24].hex())
    log = tmp_path / "access.log"
    line = '192.0.2.1 - anna [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "-" "{}"\n'
    log.write_text(line.format(0) + line.format(1) + line.format(1))
    fields = {"time": {"method": "day"}, "bytes_sent": {"method": "keep", "reason": "x"}}
    fields |= {"remote_addr": {"method": "ipcrypt-deterministic", "key": "a"}, "remote_user": {"method": "pseudonym"}}
    less = {"remote_addr": {"method": "pseudonym", "key": "b"}, "bytes_sent": {"method": "drop"}}
    said = validate(
        HEAD
        | {"keys": {"a": {"env": "A"}, "b": {"env": "B"}}, "fields": fields}
        | {"signals": {"objection": {"http_dnt": ["1"]}, "fields": less}}
        | {"input": {"format": NOTED.replace("X-Note", "DNT")}}
    )
    rows = logblur.scan(log, policy=said).collect()
    client = pa.array(["192.0.2.1"], pa.large_string())
    usual = addresses.column_of(addresses.parse_addresses(client))
    encrypted = addresses.ipcrypt_deterministic(usual, SECRET[:16])
    replaced = addresses.pseudonym(usual, SECRET[8:24], field="remote_addr")
    wanted = [addresses.address_texts(addresses.addresses_of(encrypted))[0], *[replaced[0].as_py().hex()] * 2]
    assert rows["remote_addr"].to_list() == wanted
    assert rows["bytes"].to_list() == [5, 0, 0]
    assert rows["remote_user"].n_unique() == 1


def test_times_and_numbers_are_as_coarse_as_asked(tmp_path: Path) -> None:
    """A scan has times by second or minute in the policy's zone, and sizes and durations in buckets; null for none."""
    log = tmp_path / "access.log"
    log.write_text(
        "".join(
            f'192.0.2.1 - - [17/May/2026:10:05:{n:02} +0000] "GET / HTTP/1.1" 200 {size} "-" "-" {duration}\n'
            for n, (size, duration) in enumerate([(0, 0), (1234, 17), (999, 2_600_000), ("-", "-")])
        )
    )
    form = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D'
    coarse = {"bytes_sent": {"method": "bucket"}, "duration": {"method": "bucket"}}
    said = validate(
        HEAD
        | {"fields": {"time": {"method": "minute"}, **coarse}}
        | {"input": {"format": form, "timezone": "Europe/Riga"}}
    )
    rows = logblur.scan(log, policy=said).collect()
    assert rows["duration"].to_list() == [0, 10, 2_000_000, None]
    assert rows["bytes"].to_list() == [0, 1000, 500, 0]
    assert {str(time) for time in rows["time"]} == {"2026-05-17 13:05:00+03:00"}
    assert rows["hour"].to_list() == [13] * 4


def test_what_a_method_cannot_treat_is_nothing_and_counted(tmp_path: Path) -> None:
    """Clients that are no address, hosts that can be no name, referrers of no site: counted by field, and no more.

    In tables as in lines.
    """
    log = tmp_path / "access.log"
    line = '{} {} - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "{}" "Mozilla/5.0 Firefox/140.0"\n'
    log.write_text(
        line.format("www.example.com", "192.0.2.1", "https://example.org/") * 3
        + line.format("203.0.113.7", "host.example.com", "https://203.0.113.7/") * 2
        + line.format("-", "192.0.2.1", "-")
    )
    fields = {
        "time": {"method": "day"},
        "remote_addr": {"method": "truncate", "ipv4_prefix": 16, "ipv6_prefix": 32},
        "host": {"method": "keep", "reason": "x"},
    }
    form = '%v %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'
    for method, column in (("domain", "referrer_domain"), ("origin", "referrer_origin"), ("path", "referrer")):
        table = {"name": "t", "where": "all", "by": ["site", column], "measures": ["requests"], "min_clients": 2}
        said = validate(
            HEAD | {"retention": "99 years", "fields": fields | {"referer": {"method": method}}, "table": [table]}
            | {"input": {"format": form}}
        )  # fmt: skip
        summary = logblur.run(log, tmp_path / method, policy=said, state=tmp_path / f"{method} state")
        assert summary.nulled == {"host": 2, "referer": 2, "remote_addr": 2}
        with (tmp_path / "filtered").open("wb") as out:
            assert filter_logs([str(log)], policy=said, output=out.fileno()).nulled == summary.nulled


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ({"method": "drop"}, "from {ip} via {ip}:80, 1.2.3"),
        ({"method": "keep", "reason": "x"}, "from {ip} via {ip}:80, 1.2.3"),
        ({"method": "pseudonym"}, "from {ip} via {ip}:80, 1.2.3"),
        ({"method": "ipcrypt-nd", "key": "k16"}, "from {ip} via {ip}:80, 1.2.3"),
        ({"method": "truncate", "ipv4_prefix": 16, "ipv6_prefix": 32}, "from 203.0.0.0 via [2001:db8::]:80, 1.2.3"),
        ({"method": "ipcrypt-pfx", "key": "k32"}, "from <0> via [<1>]:80, 1.2.3"),
        ({"method": "cryptopan", "key": "k32"}, "from <0> via [<1>]:80, 1.2.3"),
        ({"method": "ipcrypt-deterministic", "key": "k16"}, "from <0> via [<1>]:80, 1.2.3"),
        ({"method": "pseudonym", "key": "k16"}, "from <0> via <1>:80, 1.2.3"),
    ],
)  # fmt: skip
def test_an_address_in_kept_text_is_treated_like_the_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: dict, kept: str
) -> None:
    """In a header that is kept an address becomes what the same address becomes as a client, or a word in braces."""
    monkeypatch.setenv("K16", SECRET[:16].hex())
    monkeypatch.setenv("K32", SECRET.hex())
    log = tmp_path / "access.log"
    note = "from 203.0.113.9 via [2001:db8::77]:80, 1.2.3"
    line = '{} - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "-" "{}"\n'
    log.write_text(line.format("203.0.113.9", note) + line.format("2001:db8::77", note))
    said = validate(
        HEAD
        | {"keys": {"k16": {"env": "K16"}, "k32": {"env": "K32"}}, "input": {"format": NOTED}}
        | {"fields": {"time": {"method": "day"}, "http_x_note": {"method": "keep", "reason": "x"}, "remote_addr": rule}}
    )
    rows = logblur.scan(log, policy=said).collect()
    clients = rows["remote_addr"].to_list() if "remote_addr" in rows.columns else []
    for number, client in enumerate(clients):
        kept = kept.replace(f"<{number}>", client)
    assert rows["http_x_note"].to_list() == [kept] * 2
    if rule["method"] != "ipcrypt-nd" and rule != {"method": "pseudonym"}:
        with (tmp_path / "filtered").open("w+b") as file:
            filter_logs([str(log)], policy=said, output=file.fileno())
        for line_, client in zip((tmp_path / "filtered").read_text().splitlines(), clients or "--", strict=True):
            assert line_.endswith(f'"{kept}"')
            assert line_.startswith(client) or rule["method"] == "truncate"
    assert not {"203.0.113.9", "2001:db8::77"} & set(clients) or rule["method"] == "keep"
