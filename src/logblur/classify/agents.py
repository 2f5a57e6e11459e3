"""What a user agent says: browser, system, device; person or program, and which program.

Four sets of rules, each matched as a whole in one linear-time pass (Rust regular expressions behind a prefilter):
browsers and systems of ua-parser, devices of our own, and programs. The set of programs is our table `bots.toml`, then
the patterns of crawler-user-agents, then words that only programs use, then what ua-parser calls a spider; the first
rule that fits decides, so one look gives name and class.

Nothing that a client wrote is passed on: names are those that the rules spell, versions are short numbers.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files
from typing import Any, Final, Literal, NamedTuple

from logblur.placeholders import NONE

LONGEST: Final = 512
"""Characters of a user agent that are read. Real ones are shorter; what follows is padding or an attack."""

BOT_CLASSES: Final = ("search", "ai-crawler", "ai-assistant", "seo", "monitor", "feed", "library", "scanner", "other")

DEVICES: Final = ("desktop", "mobile", "tablet", "tv", "console", NONE)
"""What ``device`` can be. A watch, a car or a thing is `NONE`."""


class Agent(NamedTuple):
    """The columns that depend on the user agent alone, in the order in which they are added."""

    agent: str
    device: str
    os: str
    os_major: str
    browser: str
    browser_major: str
    bot: str
    bot_class: str


NOT_LOGGED: Final = Agent("human", NONE, NONE, NONE, NONE, NONE, NONE, NONE)
"""For rows of a format that logs no user agent: it says nothing, so they count as people."""

ABSENT: Final = Agent("bot", NONE, NONE, NONE, NONE, NONE, NONE, "other")
"""For a line without a user agent where the format logs one: browsers send one."""

# crawler-user-agents' tags as our classes; what is not listed (previews, archives, advertising, research) is `other`.
_CLASS_OF_TAG: Final = {
    "search-engine": "search",
    "ai-crawler": "ai-crawler",
    "seo": "seo",
    "monitoring": "monitor",
    "feed-reader": "feed",
    "http-library": "library",
    "browser-automation": "library",
    "scanner": "scanner",
}

# The first that fits decides. Words are those that makers put into user agents; of model names there is no end.
_DEVICE_RULES: Final = (
    ("tv", r"smart-?tv|hbbtv|apple ?tv|google ?tv|android ?tv|\btizen\b.*\btv\b|\btv safari\b|\bopera tv\b|\bdtv\b"),
    (
        "tv",
        r"netcast|\bweb0s\b|webos\.tv|\bcrkey\b|viera|bravia|roku|mibox|shield android|\baft[a-z0-9]{1,6}\b|\bstb\b",
    ),
    ("desktop", r"tablet pc [0-9]"),  # Windows XP and later, with a pen
    ("console", r"playstation|\bxbox\b|nintendo|\bwiiu?\b"),
    ("tablet", r"\bipad|\btablet\b|kindle|\bkf[a-z]{2,5}\b|\bsilk/|playbook|touchpad|mediapad|xoom|nexus (?:7|9|10)\b"),
    ("tablet", r"\bsm-[tx]\d|\bgt-p\d|\bsch-i800|\blenovo (?:tb|yt)"),
    ("mobile", r"mobi|iphone|ipod|windows (?:phone|ce)|blackberry|\bbb10\b|symbian|series ?[46]0|nokia|j2me|midp"),
    ("mobile", r"opera mini|ucweb|\bdocomo\b|kaios|palm|maemo|harmonyos"),
    ("tablet", r"; android 10; k\)"),  # what Chrome says where it does not say that it is mobile
    (NONE, r"\bwatch|automotive|quest \d|oculus"),
    ("tablet", r"android.*(?:[; ]tab|tablet| pad\b)"),
    ("mobile", r"\bandroid\b|; wv\)|\bios\b|okhttp|dalvik"),
    ("desktop", r"windows|win(?:nt|9[58]|32|64|7|10)\b|macintosh|mac ?os|mac_powerpc|darwin|x11|linux|ubuntu|\bcros\b"),
    ("desktop", r"(?:free|open|net)bsd|sunos|solaris|amiga|\bbeos\b|haiku|\bos/2\b|risc ?os|morphos"),
)

_I: Final = "i"

# What no browser of a person says, by what the program is for: its trade, the library it was written with, an attack,
# where to find or write to its operator. Where letters have a case, it is that of a name put together of words.
_PROGRAM: Final[tuple[tuple[str, Literal["i"] | None, str], ...]] = (
    (
        "scanner",
        _I,
        r"\$\{[a-z:$]|^\(\) *\{|/bin/(?:ba)?sh|<script|<\?php|load_file\(|\bunion\b.{1,20}\bselect\b|\.\./\.\./",
    ),
    (
        "scanner",
        _I,
        r"\b(?:burpcollaborator|oastify|interactsh?)\b|\boast\.|\b(?:web|port|security) ?scan|\bscann(?:er|ing)\b",
    ),
    ("ai-assistant", _I, r"\b[a-z0-9]+-user(?:[/;) ]|$)"),
    (
        "ai-crawler",
        None,
        r"(?:AI|GPT|LLM)[-_ ]?(?:Search|Data|Training|Web)?[-_ ]?(?:Bot|Crawler|Spider|Scraper|Fetcher)\b",
    ),
    ("monitor", _I, r"\bmonitor(?:ing|s)?\b|\bhealth-?check|\bup ?time\b|\bsynthetic|\bprobe\b|\bpage ?speed"),
    ("monitor", None, r"[a-z](?:Monitor|Mon|Probe|Synthetic)(?:[/ ;)]|$)"),
    ("feed", _I, r"\brss\b.*reader|\brss\b|\bfeed(?:s|id|-id|[- ]?(?:parser|fetcher|reader))?\b|\bsubscribers?\b"),
    ("feed", None, r"[a-z](?:RSS|Feed)(?:[/ ;)]|$)"),
    (
        "library",
        _I,
        r"\bhttp[._ -]?(?:request|client)|\b(?:rest|web|async)-?client\b|\bgrpc-|linux-gnu|\bcrypto-?api\b",
    ),
    ("library", _I, r"\bhttp\.rb/|\bakka-http|\bjava ?/?[0-9]\.|\btyphoeus\b|\brome client\b|-update-agent\b"),
    ("other", _I, r"https?://|\bwww\.[a-z0-9-]+\.[a-z]{2,}|[0-9a-z]@[0-9a-z-]+\.[a-z]{2,}"),
    ("other", _I, r"(?:^|compatible; )[a-z0-9-]+\.(?:com|net|org|io|co|us|de|ai|app|dev)\b"),
    ("other", _I, r"(?:safari|gecko|firefox|chrome)/[0-9.]+;? \(compatible;|like gecko; ?compatible;"),
    ("other", _I, r"[a-z]bot\b|\bbot[/ _;),-]|crawler|spider|scraper|\brobots?\b"),
    (
        "other",
        _I,
        r"\b(?:checker|link.?check|validator|fetch(?:er)?|grabber|archiver?|archivebox|harvest(?:er)?|index(?:er|ing))\b",
    ),
    (
        "other",
        _I,
        r"\b(?:search console|web preview|extractor|downloader|inspect(?:or|ion)|verif(?:y|ier)|parser|headless)\b",
    ),
    (
        "other",
        _I,
        r"\b(?:analyz|analys|survey|audit|lookup|transcoder|daemon\b|cron\b|webhook|(?:image|mail) ?proxy|proxy\))",
    ),
    (
        "other",
        None,
        r"[a-z](?:Check(?:er)?|Validator|Fetch(?:er)?|Grabber|Archiver|Harvester|Indexer|Analyzer)(?:[/ ;)]|$)",
    ),
    (
        "other",
        None,
        r"[a-z](?:Extractor|Inspector|Proxy|Preview|Parser|Downloader|Scraper|Survey|Transcoder)(?:[/ ;)]|$)",
    ),
    ("other", _I, r"^mozilla/[45]\.0[ +]\([a-z0-9._/-]+\)$|^mozilla/[45]\.0 \([a-z0-9]+ proxy\)$"),
    ("other", _I, r"^mozilla(?:/[45]\.0)?(?:[ +]\(compatible;?[ +]?(?:ics)?\))?$|^[- ]?$"),
)

# Names that rules build from pieces and that therefore stand in no rule.
_ALSO_NAMES: Final = ("OpenBSD", "NetBSD", "DragonFly")

_REDUCED: Final = "; Android 10; K)"
"""What Chrome says of every version of Android and every model (User-Agent reduction)."""

_BARE: Final = re.compile(
    r"(?:Mozilla/[0-9.]+ )?(?:\(compatible; ?)?[^\s/;()<>'\"=*][^/;()<>'\"=*]{0,60}(?:/[\w.+-]{0,20}){0,3}\)?"
)
"""A program that says its name and nothing else, alone or in the guise of a browser."""

_NUMBER: Final = re.compile(r"[0-9]{1,4}")


def table() -> dict[str, list[str]]:
    """Return our table: class -> names, `human` among the classes."""
    return tomllib.loads((files(__package__) / "bots.toml").read_text("utf-8"))


def published() -> dict[str, list[str]]:
    """Return the names of bots that our table gives, by class."""
    return {kind: [_name(text) for text in texts] for kind, texts in table().items() if kind != "human"}


def _name(text: str) -> str:
    return text.removeprefix("^").rstrip("/ ")


def name_of(pattern: str) -> str:
    r"""Return a pattern of crawler-user-agents as a name: ``[wW]get`` is Wget, ``Googlebot\/`` is Googlebot."""
    text = re.sub(r"\[\\s\\S\]\*|\(\^\| \)", " ", pattern)
    text = re.sub(r"\[(.)(.)\]", lambda m: m[1] if m[1].isupper() else m[2], text).partition("|")[0]
    text = re.sub(r"\(([A-Za-z]+)$", r"\1", text).partition("([")[0]
    text = (
        re.sub(r"\\([^d])", r"\1", re.sub(r"/?\\d\S*", "", text.replace(r"\/", "/"))).replace("(", "").replace(")", "")
    )
    return text.rpartition("@")[2].strip("^$ /;-:+").removeprefix("https://") or NONE


def _programs(devices: Iterable[Any]) -> Iterator[tuple[str, Literal["i"] | None, str, str, None]]:
    """Yield the rules of programs, the most certain first: pattern, flag, name, class."""
    for kind, names in table().items():
        for text in names:
            anchor, literal = ("^", text[1:]) if text.startswith("^") else ("", text)
            yield anchor + re.escape(literal), "i", _name(text), kind, None
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    for entry in CRAWLER_USER_AGENTS_DATA:
        kinds = (_CLASS_OF_TAG.get(tag, "other") for tag in entry.get("tags", ()))
        yield entry["pattern"], None, name_of(entry["pattern"]), next(kinds, "other"), None
    for kind, flag, pattern in _PROGRAM:
        yield pattern, flag, NONE, kind, None
    for rule in devices:
        if rule.family == "Spider":
            yield rule.regex, rule.regex_flag, NONE, "other", None


class Rules(NamedTuple):
    """The four sets of rules, each as a function from a text to what it finds, or None."""

    browsers: Callable[[str], Any]
    systems: Callable[[str], Any]
    devices: Callable[[str], Any]
    programs: Callable[[str], Any]


@functools.cache
def rules() -> Rules:
    """Return the rules, compiled."""
    from ua_parser_rs import DeviceExtractor, OSExtractor, UserAgentExtractor

    browsers, systems, devices = _builtins()
    return Rules(
        UserAgentExtractor((r.regex, r.family, r.major, r.minor, r.patch, r.patch_minor) for r in browsers).extract,
        OSExtractor((r.regex, r.family, r.major, r.minor, r.patch, r.patch_minor) for r in systems).extract,
        DeviceExtractor((pattern, "i", device, None, None) for device, pattern in _DEVICE_RULES).extract,
        DeviceExtractor(_programs(devices)).extract,
    )


@functools.cache
def spelled() -> frozenset[str]:
    """Return the names that rules can give: those they say outright, and those they spell in an alternative."""
    browsers, systems, _ = _builtins()
    both = [*browsers, *systems]
    text = "|".join(f"{rule.regex}|{rule.family or ''}" for rule in both)
    text = re.sub(r"\\(.)", lambda m: m[1] if not m[1].isalnum() else "|", text)
    return (
        frozenset(re.split(r"[|()\[\]?*+^${}/]+", text))
        | {name for rule in both for name in (rule.family, rule.major) if name}
        | {*_ALSO_NAMES}
    )


@functools.cache
def names() -> frozenset[str]:
    """Return every name of a browser or system that may be published: what rules spell, and known programs' names.

    A rule that takes any word before ``bot`` or ``CFNetwork`` captures the client's own text: of that only names pass
    that stand in ``names.txt`` (made by docs/make_names.py).
    """
    known = (files(__package__) / "names.txt").read_text("utf-8").splitlines()
    return spelled() | frozenset(known)


@functools.cache
def _builtins() -> Any:
    import ua_parser.loaders

    return ua_parser.loaders.load_lazy_builtins()


def build() -> None:
    """Compile the rules, once a process; about a quarter of a second."""
    rules()
    names()


def describe(text: str) -> Agent:
    """Return what a user agent says.

    What has the form of a bare name and names no browser, system or device that any rule knows is a program.

    Privacy:
        Names come from closed sets, never from the text; a version is at most four digits. What a client makes up is
        `placeholders.NONE`.

    Cost:
        About 20 microseconds, linear in the first `LONGEST` characters.
    """
    text = text[:LONGEST]
    browser, system, device, program = (rule(text) for rule in rules())
    is_bot = (
        program.brand != "human"
        if program is not None
        else (not (browser or system or device) and _BARE.fullmatch(text) is not None)
    )
    family, version = _named(browser)
    return Agent(
        "bot" if is_bot else "human",
        device.family if device is not None else NONE,
        *_system(text, system),
        family,
        version,
        program.family if is_bot and program is not None else NONE,
        (program.brand if program is not None else "other") if is_bot else NONE,
    )


def _named(found: Any) -> tuple[str, str]:
    if found is None or found.family == "Other" or found.family not in names():
        return NONE, NONE
    major = found.major
    return found.family, major if major is not None and (_NUMBER.fullmatch(major) or major in spelled()) else NONE


def _system(text: str, found: Any) -> tuple[str, str]:
    """Return a system and its version, which browsers froze: what they say still is what it can mean, and no more."""
    family, major = _named(found)
    match family, major:
        case "Windows", "10" if "Windows NT 10" in text:
            return family, "10 or 11"
        case "Mac OS X", "10" if found.minor == "15":
            return family, "10 or later"
        case "iOS", "18" if found.minor in {"6", "7"}:  # what Safari 26 and later say, too
            return family, "18 or later"
        case "Android", "10" if _REDUCED in text:
            return family, NONE
        case "Chrome OS", _:
            return family, NONE
        case _:
            return family, major
