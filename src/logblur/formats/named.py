"""The formats known by name; each function says which documentation it follows.

A format's log grows fields over the years: those that came later are optional, so that old lines are read too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from logblur.formats import CLF, Escape, Field, Format, Kind, apache, json, nginx, w3c

_ISO: Final = "%Y-%m-%dT%H:%M:%S%f%z"


def _time(layout: str) -> Field:
    return Field("time", Kind.TIME, layout=layout)


_TIME_ISO: Final = _time(_ISO)
_SKIP: Final = Field("", Kind.TEXT)
_QUOTED: Final = Field("", Kind.TEXT, quoted=True)
_CLIENT: Final = Field("remote_addr", Kind.ADDRESS)
_STATUS: Final = Field("status", Kind.STATUS)
_SENT: Final = Field("bytes_sent", Kind.SIZE)
_RECEIVED: Final = Field("bytes_received", Kind.SIZE)
_REQUEST: Final = Field("request", Kind.REQUEST, quoted=True)
_PROXIED: Final = Field("absolute_request", Kind.REQUEST, quoted=True)
_REFERER: Final = Field("referer", Kind.TEXT, quoted=True)
_AGENT: Final = Field("user_agent", Kind.TEXT, quoted=True)


def _duration(unit: str) -> Field:
    return Field("duration", Kind.DURATION, layout=unit)


def _built(*parts: str | Field, optional: int = 0, local_time: bool = False) -> Format:
    """Return the format of literals and fields, in turn; a literal between two fields that is left out is a space."""
    fields: list[Field] = []
    literals = [""]
    for part in parts:
        if isinstance(part, str):
            literals[-1] += part
            continue
        if not literals[-1]:
            closing = '"' if fields and fields[-1].quoted else ""
            literals[-1] = closing + (" " if fields else "") + ('"' if part.quoted else "")
        fields.append(part)
        literals.append("")
    literals[-1] += '"' if fields[-1].quoted else ""
    return Format("", tuple(fields), tuple(x.encode() for x in literals), optional=optional, local_time=local_time)


def common() -> Format:
    """Apache httpd 2.4, mod_log_config, "Examples": Common Log Format."""
    return apache.compile_log_format('%h %l %u %t "%r" %>s %b')


def combined() -> Format:
    """Apache httpd 2.4, mod_log_config, "Examples": NCSA extended/combined; nginx's predefined ``combined``."""
    return apache.compile_log_format('%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"')


def vhost_common() -> Format:
    """Apache httpd 2.4, mod_log_config, "Examples": Common Log Format with Virtual Host."""
    return apache.compile_log_format('%v %h %l %u %t "%r" %>s %b')


def vhost_combined() -> Format:
    """Debian's apache2.conf: ``vhost_combined``."""
    return apache.compile_log_format('%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"')


def vhost_combined_without_port() -> Format:
    """`vhost_combined` as many sites write it."""
    return apache.compile_log_format('%v %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"')


def combined_duration() -> Format:
    """`combined` and ``%D``, microseconds, behind it (Apache httpd 2.4, mod_log_config)."""
    return apache.compile_log_format('%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D')


def nginx_default() -> Format:
    """nginx, ngx_http_log_module: the predefined ``combined``, used where a server names no format."""
    return nginx.compile_log_format(
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
        '"$http_user_agent"'
    )


def nginx_main() -> Format:
    """The ``main`` format of nginx.conf as nginx.org packages it."""
    return nginx.compile_log_format(
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
        '"$http_user_agent" "$http_x_forwarded_for"'
    )


def ingress_nginx() -> Format:
    """kubernetes/ingress-nginx, "Log format": ``log-format-upstream``; the request's id came later."""
    form = nginx.compile_log_format(
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
        '"$http_user_agent" $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] '
        "$upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id"
    )
    return replace(form, optional=1)


def nginx_proxy_manager() -> Format:
    """NginxProxyManager, docker/rootfs/etc/nginx/conf.d/include/log.conf: ``proxy``."""
    return nginx.compile_log_format(
        "[$time_local] $upstream_cache_status $upstream_status $status - $request_method $scheme $host "
        '"$request_uri" [Client $remote_addr] [Length $body_bytes_sent] [Gzip $gzip_ratio] [Sent-to $server] '
        '"$http_user_agent" "$http_referer"'
    )


def nginx_proxy_manager_standard() -> Format:
    """NginxProxyManager, the same file: ``standard``."""
    return nginx.compile_log_format(
        '[$time_local] $status - $request_method $scheme $host "$request_uri" [Client $remote_addr] '
        '[Length $body_bytes_sent] [Gzip $gzip_ratio] "$http_user_agent" "$http_referer"'
    )


def iis_w3c() -> Format:
    """IIS 7 and later, "W3C Logging": its default fields; the log's own ``#Fields`` take their place."""
    return w3c.compile_fields(w3c.IIS_FIELDS)


def w3c_extended() -> Format:
    """W3C working draft WD-logfile-960323: whatever the log's ``#Fields`` say."""
    return w3c.UNDATED


def cloudfront() -> Format:
    """Amazon CloudFront, "Standard logging reference": 33 fields, 24 before 2019; the log's ``#Fields`` come first."""
    return replace(w3c.compile_fields(w3c.CLOUDFRONT_FIELDS, separator=b"\t"), optional=9)


def iis_native() -> Format:
    """IIS, "Microsoft IIS Log File Format": comma-separated, fixed, in local time; in some locales short years."""

    def fixed(year: str) -> Format:
        plain = [
            Field("remote_addr", Kind.TEXT, Escape.NONE), Field("remote_user", Kind.TEXT, Escape.NONE),
            _time(f"%m/%d/{year}"), _time("%H:%M:%S"), _SKIP, _SKIP, _SKIP, _duration("ms"), _RECEIVED, _SENT, _STATUS,
            _SKIP, Field("method", Kind.TEXT, Escape.NONE), Field("path", Kind.TEXT, Escape.NONE),
            Field("query", Kind.TEXT, Escape.NONE),
        ]  # fmt: skip
        fields = tuple(replace(f, padded=True) for f in plain)
        return Format("", fields, (b"", *[b","] * len(fields)), local_time=True, open_end=True)

    return replace(fixed("%Y"), alternatives=(fixed("%y"),))


def aws_alb() -> Format:
    """Elastic Load Balancing, "Access logs for your Application Load Balancer"; the trace's id came last, in 2024.

    ``duration`` is the target's processing time; ``host`` that of the request's URL.
    """
    return _built(
        _SKIP, _TIME_ISO, _SKIP, _CLIENT, _SKIP, _SKIP, _duration("s"), _SKIP, _STATUS, _SKIP, _RECEIVED, _SENT,
        _PROXIED, _AGENT, _SKIP, _SKIP, _SKIP, _QUOTED, _QUOTED, _QUOTED, _SKIP, _SKIP, _QUOTED, _QUOTED, _QUOTED,
        _QUOTED, _QUOTED, _QUOTED, _QUOTED, _SKIP, optional=14,
    )  # fmt: skip


def aws_elb() -> Format:
    """Elastic Load Balancing, "Access logs for your Classic Load Balancer"; agent and TLS came later.

    ``duration`` is the backend's processing time; ``host`` that of the request's URL.
    """
    return _built(
        _TIME_ISO, _SKIP, _CLIENT, _SKIP, _SKIP, _duration("s"), _SKIP, _STATUS, _SKIP, _RECEIVED, _SENT, _PROXIED,
        _AGENT, _SKIP, _SKIP, optional=3,
    )  # fmt: skip


def aws_nlb() -> Format:
    """Elastic Load Balancing, "Access logs for your Network Load Balancer": TLS connections, so no request or status.

    ``duration`` is that of the connection, in milliseconds; times are UTC; ALPN came later.
    """
    return _built(
        _SKIP, _SKIP, _time("%Y-%m-%dT%H:%M:%S%f"), _SKIP, _SKIP, _CLIENT, _SKIP, _duration("ms"), _SKIP, _RECEIVED,
        _SENT, _SKIP, _SKIP, _SKIP, _SKIP, _SKIP, _SKIP, Field("host", Kind.TEXT), _SKIP, _SKIP, _SKIP, _SKIP,
        optional=4,
    )  # fmt: skip


def s3() -> Format:
    """Amazon S3, "Server access log format"; what stands behind the agent came later, one by one.

    ``host`` is the host header, ``remote_user`` the requester.
    """
    return _built(
        _SKIP, Field("bucket", Kind.TEXT), " [", _time(CLF), "] ", Field("remote_addr", Kind.TEXT),
        Field("remote_user", Kind.TEXT), _SKIP, _SKIP, _SKIP, _REQUEST, _STATUS, _SKIP, _SENT, _SKIP, _duration("ms"),
        _SKIP, _REFERER, _AGENT, _SKIP, _SKIP, _SKIP, _SKIP, _SKIP, Field("host", Kind.TEXT), _SKIP, _SKIP, _SKIP,
        optional=9,
    )  # fmt: skip


def gcs() -> Format:
    """Google Cloud Storage, "Usage logs and storage logs": CSV, all quoted, with a line of names."""
    names = {
        0: _time("us"), 1: Field("remote_addr", Kind.TEXT), 4: Field("method", Kind.TEXT), 5: Field("target", Kind.URL),
        6: _STATUS, 7: _RECEIVED, 8: _SENT, 9: _duration("us"), 10: Field("host", Kind.TEXT),
        11: Field("referer", Kind.TEXT), 12: Field("user_agent", Kind.TEXT),
    }  # fmt: skip
    fields = tuple(replace(names.get(k, _SKIP), escape=Escape.DOUBLED, quoted=True) for k in range(17))
    return Format("", fields, (b"", *[b","] * 16, b""), header=b'"time_micros"')


def squid() -> Format:
    """Squid, "Features/LogFormat": ``squid``, native; the duration is padded; CONNECT logs host and port for a URL."""
    fields = (
        _time("s"), replace(_duration("ms"), padded=True), Field("remote_addr", Kind.TEXT), _SKIP, _STATUS, _SENT,
        Field("method", Kind.TEXT), Field("url", Kind.URL), Field("remote_user", Kind.TEXT), _SKIP,
        Field("sent_http_content_type", Kind.TEXT),
    )  # fmt: skip
    return Format("", fields, (b"", b" ", b" ", b" ", b"/", *[b" "] * 6, b""), optional=1)


def haproxy_http() -> Format:
    """HAProxy, configuration manual, "HTTP log format"; captured headers stand before the request; local time.

    ``duration`` is the last of the five timers, the whole of it. What "HTTPS log format" says behind it is dropped.
    """
    form = _built(
        Field("remote_addr", Kind.ADDRESS, layout="port"), " [", _time("%d/%b/%Y:%H:%M:%S%f"), "] ", _SKIP, _SKIP, "/",
        _SKIP, _SKIP, "/", _SKIP, "/", _SKIP, "/", _SKIP, "/", _duration("ms"), _STATUS, _SENT, _SKIP, _SKIP, _SKIP,
        _SKIP, _SKIP, "/", _SKIP, _REQUEST, local_time=True,
    )  # fmt: skip
    return replace(form, alternatives=(replace(form, open_end=True),))


def varnishncsa() -> Format:
    """Varnish, manual of varnishncsa: the default format; its request line has the whole URL."""
    form = apache.compile_log_format('%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-agent}i"')
    fields = tuple(_PROXIED if f.name == "request" else f for f in form.fields)
    return replace(form, fields=fields)


def lighttpd() -> Format:
    """lighttpd, mod_accesslog: the default ``accesslog.format``."""
    return apache.compile_log_format('%h %V %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"')


def traefik_clf() -> Format:
    """Traefik, "Access logs": ``common``; a referrer or agent that is missing may stand there without quotes."""
    maybe = Field("", Kind.TEXT, Escape.DOUBLED, quoted=True)
    start = apache.compile_log_format('%h %l %u %t "%r" %>s %b')
    rest = (replace(maybe, name="referer"), replace(maybe, name="user_agent"), _SKIP, maybe, maybe, _duration("ms"))
    literals = (*start.literals[:-1], *[b" "] * len(rest), b"ms")
    return Format("", (*start.fields, *rest), literals)


def caddy_clf() -> Format:
    """Caddy: ``common_log`` of version 2, ``{common}`` of version 1: the Common Log Format."""
    return common()


def envoy() -> Format:
    """Envoy, "Access logging": the default format string; it logs no peer, only ``X-Forwarded-For``.

    Ambassador has a word before each line.
    """
    form = _built(
        "[", _TIME_ISO, '] "', _REQUEST, _STATUS, _SKIP, _RECEIVED, _SENT, _duration("ms"), _SKIP,
        Field("forwarded_for", Kind.TEXT, quoted=True), _AGENT, _QUOTED, Field("host", Kind.TEXT, quoted=True), _QUOTED,
    )  # fmt: skip
    return replace(form, alternatives=(replace(form, literals=(b"ACCESS " + form.literals[0], *form.literals[1:])),))


def istio() -> Format:
    """Istio, "Envoy access logs": the default format string; the client is the downstream's remote address."""
    return _built(
        "[", _TIME_ISO, '] "', _REQUEST, _STATUS, _SKIP, _SKIP, _SKIP, _QUOTED, _RECEIVED, _SENT, _duration("ms"),
        _SKIP, Field("forwarded_for", Kind.TEXT, quoted=True), _AGENT, _QUOTED,
        Field("host", Kind.TEXT, quoted=True), _QUOTED, _SKIP, _SKIP, _SKIP, _CLIENT, _SKIP, _SKIP,
    )  # fmt: skip


def tomcat() -> Format:
    """Apache Tomcat, "Access Log Valve": the pattern ``common``, its default."""
    return apache.compile_log_format('%h %l %u %t "%r" %s %b')


def confluence() -> Format:
    """Atlassian Confluence, "Enable User Access Logging": a pattern of Tomcat's, the forwarded address since 7.11."""
    rest = "%{X-AUSERNAME}o %X %h %m %U%q %H %s %Dms %b %{Referer}i %{User-Agent}i"

    def with_milliseconds(definition: str) -> Format:
        form = apache.compile_log_format(definition)
        fields = (replace(f, layout="ms") if f.kind is Kind.DURATION else f for f in form.fields)
        return replace(form, fields=tuple(fields))

    form = with_milliseconds(f"%t %{{X-Forwarded-For}}i {rest}")
    return replace(form, alternatives=(with_milliseconds(f"%t {rest}"),))


def apache_ssl_request() -> Format:
    """Apache httpd 2.4, conf/extra/httpd-ssl.conf: ``ssl_request_log``; it logs no status, so no page is told."""
    return apache.compile_log_format('%t %h %{SSL_PROTOCOL}x %{SSL_CIPHER}x "%r" %b')


def fastly() -> Format:
    """Fastly, "Custom log formats": the default format."""
    return apache.compile_log_format('%h %l %u %t "%r" %>s %b')


NAMED: Final[Mapping[str, Callable[[], Format]]] = {
    "w3c": w3c_extended,
    **{
        form.__name__: form
        for form in (
            common, combined, vhost_common, vhost_combined, vhost_combined_without_port, combined_duration,
            nginx_default, nginx_main, ingress_nginx, nginx_proxy_manager, nginx_proxy_manager_standard, iis_w3c,
            iis_native, cloudfront, aws_alb, aws_elb, aws_nlb, s3, gcs, squid, haproxy_http, varnishncsa, lighttpd,
            traefik_clf, caddy_clf, envoy, istio,
            tomcat, fastly, confluence, apache_ssl_request,
        )
    },
    **{name: partial(json.named, name) for name in json.NAMED},
}  # fmt: skip
"""By name, what gives a format. Several names may mean the same."""
