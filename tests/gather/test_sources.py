from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from visionlab.config.gather import ClassConfig, GatherConfig
from visionlab.errors import UserError
from visionlab.gather.links import Link, Page
from visionlab.gather.sources.bing import Bing
from visionlab.gather.sources.flickr import Flickr
from visionlab.gather.sources.folder import Folder
from visionlab.gather.sources.google import Google
from visionlab.gather.sources.openverse import Openverse
from visionlab.gather.sources.registry import make_sources
from visionlab.gather.sources.source import PageError, Source, web_address
from visionlab.gather.sources.urls import Urls

KEY = "0123456789abcdef"
OPENVERSE, BING = Openverse("https://openverse.example/v1/images/"), Bing("https://bing.example/async")
GOOGLE, FLICKR = Google("https://google.example/search"), Flickr("https://flickr.example/rest/", KEY)
ENGINES: tuple[Source, ...] = (OPENVERSE, BING, GOOGLE, FLICKR)


def names(source: Source) -> str:
    return source.name


def links(source: Source, body: str | bytes | dict[str, Any]) -> list[Link]:
    """Of a page of results, which may be given as what its JSON says."""
    body = json.dumps(body) if isinstance(body, dict) else body
    return source.parse(body.encode() if isinstance(body, str) else body, Page(source.name, "cat", "tabby cat"))


def addresses(source: Source, body: str | bytes | dict[str, Any]) -> list[str]:
    return [link.url for link in links(source, body)]


def parameters(source: Source, number: int) -> dict[str, str]:
    address = source.address(Page(source.name, "cat", "tabby & co", number))
    assert address is not None
    return {key: value for key, (value,) in parse_qs(urlsplit(address).query).items()}


# --- of all search engines -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ENGINES, ids=names)
def test_each_query_has_a_first_page(source: Source) -> None:
    config = ClassConfig(queries=("tabby cat", "kitten", "tabby cat"))
    assert source.pages("cat", config) == [Page(source.name, "cat", query) for query in ("tabby cat", "kitten")]
    assert source.pages("cat", ClassConfig(urls="cats.txt")) == []
    assert source.goes_on


def test_pages_are_asked_for_as_documented() -> None:
    assert parameters(OPENVERSE, 2) == {"q": "tabby & co", "page": "3", "page_size": "20"}
    assert parameters(BING, 0) == {"q": "tabby & co", "first": "1", "count": "35"}
    assert parameters(BING, 2)["first"] == "71"
    assert parameters(GOOGLE, 2) == {"q": "tabby & co", "ijn": "2", "start": "200", "tbm": "isch"}
    asked = parameters(FLICKR, 2)
    assert asked.items() >= {"text": "tabby & co", "page": "3", "api_key": KEY, "nojsoncallback": "1"}.items()
    assert asked["method"] == "flickr.photos.search"
    assert asked["extras"] == "url_l,url_c,url_z,license,owner_name"


def test_an_endpoint_may_have_parameters_already() -> None:
    address = Bing("https://proxy.example/?engine=bing").address(Page("bing", "cat", "tabby"))
    assert address == "https://proxy.example/?engine=bing&q=tabby&first=1&count=35"


@pytest.mark.parametrize("source", ENGINES, ids=names)
@pytest.mark.parametrize("body", [b"", b" \n"], ids=["nothing", "blank"])
def test_an_empty_page_is_not_as_documented(source: Source, body: bytes) -> None:
    with pytest.raises(PageError, match="empty"):
        links(source, body)


@pytest.mark.parametrize("source", [BING, GOOGLE], ids=names)
def test_a_page_without_results_is_sound(source: Source) -> None:
    assert links(source, "<html><body><p>There are no results for it.</p></body></html>") == []


@pytest.mark.parametrize("source", [OPENVERSE, FLICKR], ids=names)
@pytest.mark.parametrize("body", ["<html>Sorry</html>", '{"results": [', "[1, 2]", "[" * 100_000, b"\xff\xfe{"])
def test_an_answer_that_is_no_json_object(source: Source, body: str | bytes) -> None:
    with pytest.raises(PageError, match="JSON"):
        links(source, body)


@pytest.mark.parametrize("source", [BING, GOOGLE], ids=names)
@pytest.mark.parametrize("body", [bytes(range(256)) * 64, b"<script>" + b"\\" * 100_000, b"<div>" * 10_000])
def test_a_page_that_means_nothing(source: Source, body: bytes) -> None:
    assert links(source, body) == []


@pytest.mark.parametrize("source", ENGINES, ids=names)
def test_a_page_beyond_all_measure_is_not_read(source: Source) -> None:
    with pytest.raises(PageError, match="too many bytes"):
        links(source, b" " * 5_000_001)


@pytest.mark.parametrize("source", [BING, GOOGLE], ids=names)
@pytest.mark.parametrize("body", ["<?xml version='1.0'?><rss/>", "https://a.example/", "photos.html"])
def test_a_page_that_looks_like_something_else_brings_no_warning(
    source: Source, body: str, recwarn: pytest.WarningsRecorder
) -> None:
    assert links(source, body) == []
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://a.example/b.jpg?c=d&e", "https://a.example/b.jpg?c=d&e"),
        (" http://a.example:8080/b#part ", "http://a.example:8080/b"),
        ("https://a.example/кошка.jpg", "https://a.example/кошка.jpg"),
        ("file:///etc/passwd", ""),
        ("data:image/gif;base64,R0lGOD", ""),
        ("//a.example/b.jpg", ""),
        ("http:///b.jpg", ""),
        ("http://a.example:port/", ""),
        ("http://[::1/b.jpg", ""),
        ("https://a.example/\ud800.jpg", ""),
        ("https://a.example/b\r\nHost: c", ""),
        ("http://./b.jpg", ""),
        ("https://a.example/" + "b" * 7982, "https://a.example/" + "b" * 7982),
        ("https://a.example/" + "b" * 7983, ""),
        ("https://" + "a." * 120 + "example/", "https://" + "a." * 120 + "example/"),
        ("https://" + "a." * 130 + "example/", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_what_counts_as_an_address(given: object, expected: str) -> None:
    assert web_address(given) == expected


# --- Openverse -------------------------------------------------------------------------------------------------------


def result(url: str | None, **others: object) -> dict[str, object]:
    usual = {"foreign_landing_url": "https://site.example/page", "license": "by-sa", "license_version": "4.0"}
    return {"url": url, **usual, **others}


def test_openverse_names_image_page_and_licence() -> None:
    answer = {"result_count": 1, "page_count": 1, "results": [result("https://a.example/1.jpg")]}
    assert links(OPENVERSE, answer) == [Link("https://a.example/1.jpg", "https://site.example/page", "CC BY-SA 4.0")]
    assert links(OPENVERSE, {"result_count": 0, "page_count": 0, "results": []}) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"license": "cc0", "license_version": "1.0"}, "CC0 1.0"),
        ({"license": "pdm", "license_version": "1.0"}, "Public Domain Mark 1.0"),
        ({"license": "by", "license_version": None}, "CC BY"),
        ({"license": None, "license_url": "https://licence.example/x"}, "https://licence.example/x"),
        ({"license": None}, ""),
        ({"license": "by\ud800\n", "license_version": "1"}, "CC BY 1"),
    ],
)
def test_licences_of_openverse(given: dict[str, Any], expected: str) -> None:
    assert links(OPENVERSE, {"results": [result("https://a.example/1.jpg", **given)]})[0].licence == expected


def test_what_openverse_names_at_length_is_no_address_and_no_licence() -> None:
    others = {"foreign_landing_url": "https://a.example/" + "b" * 140_000, "license": "by" * 70_000}
    (link,) = links(OPENVERSE, {"results": [result("https://a.example/1.jpg", **others)]})
    assert (link.page_url, len(link.licence)) == ("", 200)
    others = {"license": None, "license_url": "https://a.example/" + "b" * 7000}
    (link,) = links(OPENVERSE, {"results": [result("https://a.example/1.jpg", **others)]})
    assert len(link.licence) == 200
    assert links(OPENVERSE, {"results": [result("https://a.example/" + "b" * 140_000)]}) == []


def test_openverse_results_that_are_none_are_passed_over() -> None:
    first = result("https://a.example/1.jpg", license="by")
    others = [result(None), "text", 7, {}, result("ftp://a.example/1.jpg"), result("https://a.example/1.jpg")]
    assert [link.licence for link in links(OPENVERSE, {"results": [first, *others]})] == ["CC BY 4.0"]


def test_an_error_of_openverse_is_told_in_its_words() -> None:
    with pytest.raises(PageError, match=r"^Openverse answers: Request was throttled"):
        links(OPENVERSE, {"detail": "Request was throttled. Expected available in 7 seconds."})
    with pytest.raises(PageError, match="page_size"):
        links(OPENVERSE, {"detail": {"page_size": ["must be at most 20"]}})
    with pytest.raises(PageError, match="no results"):
        links(OPENVERSE, {"result_count": 3})


# --- Bing ------------------------------------------------------------------------------------------------------------


def bing_result(m: str, tag: str = "a") -> str:
    return f'<{tag} class="iusc" m="{escape(m)}"><img src="https://tse.example/"></{tag}>'


def test_bing_keeps_whole_addresses_of_all_suffixes() -> None:
    urls = [
        "https://a.example/1.jpg?w=1&h=2",
        "https://a.example/2.webp",
        "https://a.example/3",
        "http://a.example/4.JPEG/x",
    ]
    of_url = {url: json.dumps({"murl": url, "purl": f"https://site.example/{url[-1]}"}) for url in urls}
    first, *others = (bing_result(m, tag) for m, tag in zip(of_url.values(), ("a", "a", "div", "a"), strict=True))
    found = links(BING, f'<ul>{first}<li><div class="imgpt">{"".join(others)}</div></li></ul>')
    assert [link.url for link in found] == urls
    assert found[1].page_url == "https://site.example/p"


def test_bing_understands_the_escapes_of_json_and_of_html() -> None:
    m = r'{"murl":"https:\/\/a.example\/caf\u00e9.jpg?a=1\u0026b=2","purl":"https://site.example/?q=\"cat\"&x"}'
    (link,) = links(BING, bing_result(m))
    assert link.url == "https://a.example/café.jpg?a=1&b=2"
    assert link.page_url == 'https://site.example/?q="cat"&x'


def test_bing_passes_over_what_is_no_result() -> None:
    noise = '<a m="{&quot;q&quot;:1}"></a><a m="[1]"></a><a m=""></a><a href="https://ads.example/ad.jpg"></a>'
    broken = '<a class="iusc" m="{&quot;murl&quot;:&quot;https://broken.example/1.jpg"></a>'
    good = bing_result('{"murl":"https://a.example/1.jpg","purl":"first"}')
    again = bing_result('{"murl":"https://a.example/1.jpg","purl":"https://site.example/"}')
    script = '<script>x = {"murl":"https://script.example/1.jpg"}</script>'
    assert links(BING, noise + broken + good + again + script) == [Link("https://a.example/1.jpg")]
    assert links(BING, noise) == []


def test_a_page_of_bing_that_cannot_be_read() -> None:
    with pytest.raises(PageError, match="none of the results"):
        links(BING, '<a class="iusc" m="{murl:1}"></a><a class="iusc" m="v2:aGVsbG8="></a>')
    with pytest.raises(PageError, match="proof that a person"):
        links(BING, "<html><body><h1>One last step</h1><div id='captcha'></div></body></html>")


# --- Google ----------------------------------------------------------------------------------------------------------

THUMBNAIL = "https://encrypted-tbn0.gstatic.com/images?q\\u003dtbn:abc\\u0026usqp\\u003dCAU"


def google_entry(url: str, page: str = "https://site.example/page") -> str:
    about = f'{{"2000":[null,"site.example"],"2003":[null,"ref","{page}","A \\"title\\" [1]"]}}'
    return f'[1,[0,"doc",["{THUMBNAIL}",183,275],["{url}",600,800],null,0,"rgb(1,2,3)",null,0,{about}]]'


def google_script(*entries: str) -> str:
    return (
        f"<script>AF_initDataCallback({{key: 'ds:1', data:[null,[{','.join(entries)}]], sideChannel: {{}}}});</script>"
    )


def test_google_names_images_in_arrays() -> None:
    page = google_script(
        google_entry("https://a.example/1.jpg"),
        google_entry("https://a.example/2?w\\u003d1\\u0026h\\u003d\\u043a", "https://site.example/?a\\u003d2"),
        google_entry("https:\\/\\/a.example\\/3.webp"),
        google_entry("https://a.example/1.jpg", "https://other.example/"),
    )
    assert links(GOOGLE, page) == [
        Link("https://a.example/1.jpg", "https://site.example/page"),
        Link("https://a.example/2?w=1&h=к", "https://site.example/?a=2"),
        Link("https://a.example/3.webp", "https://site.example/page"),
    ]


def test_google_names_images_in_arrays_quoted_in_a_string() -> None:
    entry = google_entry("https://a.example/1.jpg?a\\u003db").replace("\\", "\\\\")
    for quote in ('\\"', "\\x22"):
        page = "<script>window.data = '" + entry.replace('"', quote) + "';</script>"
        assert addresses(GOOGLE, page) == ["https://a.example/1.jpg?a=b"]


def test_google_names_images_without_a_page() -> None:
    script = '<script>x = [["https://a.example/1.jpg",1,2],["https://a.example/2.jpg",3,4]]</script>'
    assert links(GOOGLE, script) == [Link("https://a.example/1.jpg"), Link("https://a.example/2.jpg")]


def test_google_names_images_in_links() -> None:
    page = """<a href="/imgres?imgurl=https://a.example/1.jpg%3Fw%3D1&amp;imgrefurl=https://site.example/&amp;h=600">x</a>
      <a href="https://www.google.com/imgres?imgurl=https%3A%2F%2Fa.example%2F2">y</a><a href="/imgres?tbnid=7">z</a>
      <a href="http://[broken/imgres?imgurl=https://b.example">w</a><a href="/search?q=cat">more</a>"""
    assert links(GOOGLE, page) == [
        Link("https://a.example/1.jpg?w=1", "https://site.example/"),
        Link("https://a.example/2"),
    ]


def test_bare_addresses_count_only_where_there_is_nothing_else() -> None:
    bare = """<script>show('https://a.example/1.jpg', "http://a.example/2.PNG?w=1&h=2", https://a.example/3.webp, 'https://
      a.example/4', "https://a.example/page.html", "https://a.example/5.jpgx", "https://a.example/6.jpeg/latest");</script>"""
    expected = ["1.jpg", "2.PNG?w=1&h=2", "3.webp", "6.jpeg/latest"]
    assert [url.removeprefix("https://").removeprefix("http://") for url in addresses(GOOGLE, bare)] == [
        f"a.example/{name}" for name in expected
    ]
    whole = "https://b.example/1.jpg/revision/latest?cb\\u003d7"
    assert addresses(GOOGLE, bare + google_script(google_entry(whole))) == [whole.replace("\\u003d", "=")]


def test_what_is_google_s_own_is_no_result() -> None:
    own = f"""<script>x = ["{THUMBNAIL}",1,2], ["https://www.google.co.uk/logo.png",1,2],
      ["https://ssl.gstatic.com/a.png",1,2]; "https://www.google.com/images/branding/logo.png"</script>
      <a href="/imgres?imgurl=https://encrypted-tbn0.gstatic.com/images?q=1"></a>"""
    assert links(GOOGLE, own) == []
    others = ["https://lh3.googleusercontent.com/a", "https://notgoogle.com/b.jpg", "https://google-cats.example/c.jpg"]
    assert addresses(GOOGLE, own + google_script(*map(google_entry, others))) == others


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ('<form action="https://consent.google.com/save"><button>Reject all</button></form>', "consent"),
        ("<title>Before you continue to Google Search</title>", "consent"),
        (
            '<noscript><meta content="0;url=/httpservice/retry/enablejs?sei=1" http-equiv="refresh"></noscript>',
            "JavaScript",
        ),
        ("<p>Please enable JavaScript to go on</p>", "JavaScript"),
        ("<p>Our systems have detected unusual traffic from your computer network.</p>", "person"),
    ],
)
def test_a_page_of_google_that_wants_something_else_first(page: str, reason: str) -> None:
    with pytest.raises(PageError, match=reason):
        links(GOOGLE, page)
    assert len(links(GOOGLE, page + google_script(google_entry("https://a.example/1.jpg")))) == 1


# --- Flickr ----------------------------------------------------------------------------------------------------------


def test_flickr_names_the_largest_size_the_page_and_the_licence() -> None:
    photos = [
        {
            "id": "5",
            "owner": "1@N01",
            "license": "4",
            "url_z": "https://a.example/5_z.jpg",
            "url_l": "https://a.example/5_b.jpg",
        },
        {"id": "6", "owner": "1@N01", "license": 0, "url_z": "https://a.example/6_z.jpg"},
        {"id": "7", "owner": "1@N01", "license": "99", "url_c": "https://a.example/7_c.jpg"},
        {"id": "8", "owner": "1@N01", "license": "4"},
        {"url_c": "https://a.example/9.jpg"},
        "text",
    ]
    assert links(FLICKR, {"stat": "ok", "photos": {"page": 1, "photo": photos}}) == [
        Link("https://a.example/5_b.jpg", "https://www.flickr.com/photos/1@N01/5", "CC BY 2.0"),
        Link("https://a.example/6_z.jpg", "https://www.flickr.com/photos/1@N01/6", "All Rights Reserved"),
        Link("https://a.example/7_c.jpg", "https://www.flickr.com/photos/1@N01/7", "Flickr licence 99"),
        Link("https://a.example/9.jpg"),
    ]
    assert links(FLICKR, {"stat": "ok", "photos": {"photo": []}}) == []


def test_an_error_of_flickr_is_told_without_the_key() -> None:
    with pytest.raises(PageError, match=r"^Flickr answers: Invalid API Key …$"):
        links(FLICKR, {"stat": "fail", "code": 100, "message": f"Invalid API Key {KEY}"})
    for answer in ({"stat": "ok"}, {"stat": "ok", "photos": []}, {"stat": "ok", "photos": {"photo": {}}}):
        with pytest.raises(PageError, match="no photos"):
            links(FLICKR, answer)
    with pytest.raises(PageError, match="no status"):
        links(FLICKR, {"photos": {}})
    assert KEY not in repr(FLICKR)


# --- what lies on this machine ---------------------------------------------------------------------------------------


def test_a_list_of_addresses(tmp_path: Path) -> None:
    file = tmp_path / "cats.txt"
    lines = ["# cats", "", "https://a.example/1.jpg  ", "  http://a.example/2?x=y", "https://a.example/1.jpg"]
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    (page,) = Urls().pages("cat", ClassConfig(urls=str(file)))
    assert page == Page("urls", "cat", str(file))
    assert Urls().address(page) is None
    assert Urls().parse(b"", page) == [Link("https://a.example/1.jpg"), Link("http://a.example/2?x=y")]
    assert Urls().pages("cat", ClassConfig(queries=("cat",))) == []
    assert not Urls().goes_on
    file.unlink()
    with pytest.raises(PageError, match=r"cats\.txt"):
        Urls().parse(b"", page)


def test_a_list_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "cats.txt"
    config = ClassConfig(urls=str(file))
    with pytest.raises(UserError, match=r"gather\.classes\.cat\.urls: expected a text file .* given .*cats\.txt"):
        Urls().pages("cat", config)
    file.write_text("https://a.example/1.jpg\n# x\n/home/me/2.jpg\n")
    with pytest.raises(UserError, match=r"line 3 of .*cats\.txt .*given '/home/me/2\.jpg'"):
        Urls().pages("cat", config)
    file.write_bytes("https://a.example/1.jpg".encode("utf-16"))
    with pytest.raises(UserError, match="UTF-8"):
        Urls().pages("cat", config)


def test_a_folder_with_folders(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/2 Кот#.png", "a/1.webp", "notes.txt", ".DS_Store", ".thumbnails/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (page,) = Folder().pages("cat", ClassConfig(folder=str(tmp_path)))
    assert page == Page("folder", "cat", str(tmp_path))
    assert Folder().address(page) is None
    found = Folder().parse(b"", page)
    assert found == [Link((tmp_path / name).as_uri()) for name in ("a/1.webp", "a/2 Кот#.png", "b.jpg", "notes.txt")]
    assert found[1].url.startswith("file:///")
    assert Folder().pages("cat", ClassConfig(queries=("cat",))) == []
    assert not Folder().goes_on


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gather\.classes\.cat\.folder: expected a folder of images, given .*/none"):
        Folder().pages("cat", ClassConfig(folder=str(tmp_path / "none")))


# --- which of them ---------------------------------------------------------------------------------------------------


def gather_config(**settings: Any) -> GatherConfig:
    classes = {"cat": ClassConfig(queries=("cat",)), "dog": ClassConfig(queries=("dog",))}
    return GatherConfig(name="pets", classes=classes, **settings)


def test_sources_in_the_order_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLICKR_API_KEY", f" {KEY}\n")
    sources, left_out = make_sources(
        gather_config(sources=("flickr", "bing", "flickr"), endpoints={"bing": "http://b/"})
    )
    assert [source.name for source in sources] == ["flickr", "bing", "urls", "folder"]
    assert left_out == {}
    assert sources[1] == Bing("http://b/")
    address = sources[0].address(Page("flickr", "cat", "cat"))
    assert address is not None
    assert address.startswith(
        "https://api.flickr.com/services/rest/?method=flickr.photos.search&api_key=0123456789abcdef&"
    )


@pytest.mark.parametrize("key", [None, " "])
def test_flickr_is_left_out_without_a_key(key: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("FLICKR_API_KEY", key)
    sources, left_out = make_sources(gather_config())
    assert [source.name for source in sources] == ["openverse", "bing", "google", "urls", "folder"]
    assert left_out == {"flickr": "FLICKR_API_KEY is not set"}
