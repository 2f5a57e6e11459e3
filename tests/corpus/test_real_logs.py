"""Real logs: every table equals an independent computation, nothing personal can be read out, every line is read."""

from __future__ import annotations

import gzip
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from logblur import load_policy
from logblur.errors import FormatError
from logblur.inspection import inspect
from logblur.policy.load import builtin_text
from tests import oracle, search

ELASTIC = "logs/big/elastic_apache_10k.log.gz"

# file -> the format it is in; what the corpus' table counts as parseable must be parsed
FORMATS = {
    "logs/advertools/combined_with_errors.log": "combined",
    "logs/advertools/nginx_access.log": "combined",
    "logs/awstats/testglobal.log": "combined",
    "logs/awstats/testsmall.log": "combined",
    ELASTIC: "combined",
    "logs/big/ezproxy_npg.2013-03-12.log.gz": "common",
    "logs/big/ezproxy_sd.2012-11-30.log.gz": "common",
    "logs/big/ezproxy_springer.2013-03-12.log.gz": "common",
    "logs/big/hackers-access.log.gz": "combined",
    "logs/crowdsec-hub/apache-http-probing/apache-http-probing.log": "common",
    "logs/crowdsec-hub/apache2-http-sensitive-files/apache2-http-sensitive-files.log": "common",
    "logs/crowdsec-hub/apache2-logs/apache2-logs.log": "combined",
    "logs/crowdsec-hub/bunkerweb-logs/bunkerweb-logs.log": "vhost_combined_without_port",
    "logs/crowdsec-hub/http-cve-probing/http-cve-probing.log": "combined",
    "logs/crowdsec-hub/http-dos-random-uri/http_dos_random_uri.log": "combined",
    "logs/crowdsec-hub/http-wordpress-scan/http-wordpress-scan.log": "combined",
    "logs/crowdsec-hub/nginx-bad-user-agent/nginx-bad-user-agent.log": "combined",
    "logs/crowdsec-hub/nginx-http-sqli-probing/nginx-http-sqli-probing.log": "combined",
    "logs/elastic-beats/apache_access/test-vhost.log": "vhost_combined_without_port",
    "logs/elastic-beats/apache_access/ubuntu-2.2.22.log": "combined",
    "logs/elastic-beats/nginx_access/access.log": "combined",
    "logs/elastic-integrations/apache_access/test-access-ubuntu.log": "combined",
    "logs/elastic-integrations/apache_access/test-access-vhost.log": "vhost_combined_without_port",
    "logs/elastic-integrations/nginx_access/test-access.log": "combined",
    "logs/ezpaarse/sd.2012-11-30.300.log": "common",
    "logs/lnav/logfile_access_log.0": "combined",
    "logs/lnav/logfile_access_log.1": "combined",  # the table says common: its one line has referrer and agent, both -
    "logs/lnav/playground_access_log.gz": "combined",
    "logs/matomo-log-analytics/common.log": "common",
    "logs/matomo-log-analytics/common.log.bz2": "common",
    "logs/matomo-log-analytics/common.log.gz": "common",
    "logs/matomo-log-analytics/common_complete.log": "vhost_combined_without_port",
    "logs/matomo-log-analytics/common_vhost.log": "vhost_common",
    "logs/matomo-log-analytics/logs_to_tests.log": "combined",
    "logs/matomo-log-analytics/ncsa_extended.log": "combined",
    "logs/matomo/different_hosts.log": "vhost_combined_without_port",
    "logs/matomo/fake_logs.log": "combined",
    "logs/matomo/fake_logs_enable_all.log": "combined",
    "logs/mozilla/pathsetfreq_access.log": "combined",
    "logs/nasa/nasa_jul95_4000.log": "common",
    "logs/netdata/log2journal_nginx-combined.log": "combined",
    "logs/netdata/weblog_common.log": "common",
    "logs/secrepo/access.log.2021-10-22": "combined",
    "logs/webreadr/combined_log.clf": "combined",
    "logs/webreadr/log.clf": "common",
}

# file -> why not every line is read that an independent pattern takes for one
EXCEPTIONS = {
    ELASTIC: "one line's agent has no closing quote",
    "logs/crowdsec-hub/caddy-logs/caddy-logs.log": "a message of the server's own is no request",
    "logs/lnav/logfile_caddy_log.0": "most lines are messages of the server's own, no requests",
}
LEAST = 0.9
"""This share of the files that have three lines or more is told and read in full."""


def described(corpus: Path) -> dict[str, tuple[int, int]]:
    """By file: how many lines the corpus' table says can be parsed, and how many there are."""
    found = {}
    for line in (corpus / "SOURCES.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if line.startswith("| logs/") and (share := re.fullmatch(r"(\d+)/\d+", cells[7])):
            found[cells[1]] = int(share[1]), int(cells[6])
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_every_line_of_a_known_format_is_read(name: str, corpus: Path) -> None:
    """A log is told for what it is, and no fewer lines fit than an independent pattern found, but for known reasons."""
    found = inspect(str(corpus / name))
    assert found.format == FORMATS[name]
    assert found.parsed >= described(corpus)[name][0] - (name in EXCEPTIONS)


def test_nearly_every_real_log_is_told_and_read(corpus: Path) -> None:
    """Of the logs with three lines or more at least 90 % are told by themselves, and as much of them is read as can."""
    short = []
    files = {name: need for name, (need, lines) in described(corpus).items() if lines >= 3}
    for name, need in files.items():
        try:
            parsed = inspect(str(corpus / name)).parsed
        except FormatError:
            parsed = -1
        if parsed < need and name not in EXCEPTIONS:
            short.append(name)
    assert len(short) + len(EXCEPTIONS) <= (1 - LEAST) * len(files), short


@pytest.fixture(scope="module")
def elastic(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[bytes], Path, bytes]:
    """The lines of a real log, its OUT, and what the run said."""
    folder = tmp_path_factory.mktemp("elastic")
    policy = folder / "policy.toml"  # the default one, but for how long days are kept: the log is of 2015
    policy.write_text(builtin_text("audience").replace('"25 months"', '"100 years"'))
    command = [sys.executable, "-m", "logblur", "run", str(corpus / ELASTIC), "-o", str(folder / "out")]
    done = subprocess.run(
        [*command, "-p", str(policy), "--state", str(folder / "state")], capture_output=True, check=True
    )
    assert done.stdout == b""
    return gzip.decompress((corpus / ELASTIC).read_bytes()).split(b"\n")[:-1], folder / "out", done.stderr


def test_every_table_equals_an_independent_computation(elastic: tuple[list[bytes], Path, bytes]) -> None:
    """All nine tables of every day are those that dicts and sets give, row for row, in order."""
    lines, out, _ = elastic
    policy = load_policy("audience")
    wanted = [oracle.Table(t.name, t.where, t.by, t.min_clients) for t in policy.tables]
    hits = [hit for line in lines if (hit := oracle.hit(line, ZoneInfo(policy.input.timezone)))]
    expected, published = oracle.tables(hits, wanted), oracle.published(out)
    assert expected.keys() == published.keys()
    assert len(expected) == 9 * 5
    for key, rows in expected.items():
        assert rows == published[key], key
    assert sum(bool(rows) for rows in expected.values()) > 25


def test_nothing_personal_can_be_read_out(elastic: tuple[list[bytes], Path, bytes]) -> None:
    """No address, agent or referrer of the log is in OUT or on stderr, in any spelling; a network's name is found."""
    lines, out, said = elastic
    quoted = [re.findall(rb'"((?:[^"\\]|\\.)*)"', line) for line in lines]
    addresses = {line.split(b" ")[0].decode() for line in lines}
    agents = {q[2].decode("latin-1") for q in quoted if len(q) == 3 and len(q[2]) > 24}
    referrers = {q[1].decode("latin-1") for q in quoted if len(q) == 3 and len(q[1]) > 24 and b"://" in q[1]}
    assert (len(addresses), len(agents) > 400, len(referrers) > 500) == (1753, True, True)
    everything = b"\n".join({data for _, data in search.readable(out)} | {said})
    assert search.found(addresses | agents | referrers, [("OUT", everything)]) == set()
    networks = {
        row["network"] for (name, _), rows in oracle.published(out).items() if name == "networks" for row in rows
    }
    assert {network for network, *_ in search.found(networks, [("OUT", everything)])} == networks


def test_the_table_of_shares_is_fresh(corpus: Path) -> None:
    """What docs/thresholds.md says of real logs is what is published of them today."""
    folder = Path(__file__).parents[2] / "docs"
    spec = importlib.util.spec_from_file_location("make_thresholds", folder / "make_thresholds.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    text = (folder / "thresholds.md").read_text(encoding="utf-8")
    assert made.page(text, corpus) == text
