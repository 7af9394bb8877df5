"""Pages of results in the formats of the search engines, with all that stands on such pages besides results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

FLICKR_KEY = "0123456789abcdef0123456789abcdef"
OPENVERSE_SIZE, BING_SIZE, GOOGLE_SIZE, FLICKR_SIZE = 20, 35, 25, 30
THUMBNAIL = "https://encrypted-tbn0.gstatic.com/images?q=tbn:ANd9GcR{}&usqp=CAU"


def page_url(url: str) -> str:
    """Of the web page that the pages of results say the image stands on."""
    return "https://pets.example/page?" + urlencode({"of": url.rpartition("/")[2]})


def openverse_page(urls: Sequence[str], number: int, count: int) -> str:
    """Page `number`, from 1, of `count` results, of which it has `urls`."""
    results: list[dict[str, Any]] = [
        {
            "id": f"{number}-{index}",
            "title": f'Picture "{index}" & more',
            "foreign_landing_url": page_url(url),
            "url": url,
            "creator": "Jo É.",
            "license": ("by-sa", "cc0", "by")[index % 3],
            "license_version": ("4.0", "1.0", "2.0")[index % 3],
            "license_url": "https://creativecommons.org/licenses/",
            "provider": "flickr",
            "tags": [{"name": "animal", "accuracy": 0.98}],
            "thumbnail": f"https://api.openverse.org/v1/images/{number}-{index}/thumb/",
        }
        for index, url in enumerate(urls)
    ]
    results.insert(len(results) // 2, {"id": "gone", "url": None, "license": "by"})
    pages = -(-count // OPENVERSE_SIZE)
    answer = {"result_count": count, "page_count": pages, "page_size": OPENVERSE_SIZE, "page": number}
    return json.dumps(answer | {"results": results})


def openverse_error(detail: str) -> str:
    return json.dumps({"detail": detail})


def bing_page(urls: Sequence[str], query: str) -> str:
    items = []
    for index, url in enumerate(urls):
        m = {
            "sid": "",
            "cturl": "",
            "purl": page_url(url),
            "murl": url,
            "turl": f"https://tse{index % 4 + 1}.mm.bing.net/th?id=OIP.{index}&pid=15.1",
            "md5": f"{index:032x}",
            "t": f"A picture of <{query}> & friends",
            "desc": 'said "hello" there',
        }
        anchor = (
            f'<a class="iusc" m="{escape(json.dumps(m, separators=(",", ":")))}" href="/images/search?view=detailV2">'
        )
        anchor += f'<div class="img_cont"><img class="mimg" src="{escape(m["turl"])}" alt="x"/></div></a>'
        part = f'<div class="imgpt">{anchor}<div class="img_info"><span>800 x 600</span></div></div>'
        items.append(f'<li data-idx="{index}"><div class="iuscp isv">{part if index % 5 else anchor}</div></li>')
    noise = """<li><div class="imgpt"><a class="ad" href="https://ads.example/buy.jpg">Cheap food</a></div></li>
      <li><a class="iusc" m="{&quot;murl&quot;:&quot;https://broken.example/a.jpg">half</a></li>
      <li><a class="rs" m="{&quot;q&quot;:&quot;more of it&quot;}" href="/images/search?q=more">more of it</a></li>
      <li><a class="iusc" m="{&quot;murl&quot;:&quot;file:///etc/passwd&quot;,&quot;purl&quot;:null}">local</a></li>
      <li><a class="iusc" m="{&quot;murl&quot;:&quot;data:image/gif;base64,R0lGOD&quot;}">inline</a></li>"""
    script = '<script>var logo = "https://r.bing.com/rp/logo.png", x = {"murl": 1};</script>'
    html = f'<div class="dgControl"><ul class="dgControl_list">{noise}{"".join(items)}</ul></div>{script}'
    return f"<html><head><title>{escape(query)} - Bing</title></head><body>{html}</body></html>"


def google_page(urls: Sequence[str], query: str) -> str:
    in_links, in_arrays = urls[::6], [url for index, url in enumerate(urls) if index % 6]
    entries = [
        [
            1,
            [
                0,
                f"doc{index}",
                [THUMBNAIL.format(index), 183, 275],
                [url, 600, 800],
                None,
                0,
                "rgb(64,56,48)",
                None,
                0,
                {"2000": [None, "pets.example", "52KB"], "2003": [None, f"ref{index}", page_url(url), "A title", None]},
            ],
        ]
        for index, url in enumerate(in_arrays)
    ]
    data = json.dumps([None, [[query, entries]]], separators=(",", ":"))
    data = data.replace("=", "\\u003d").replace("&", "\\u0026")
    anchors = "".join(
        f'<a href="/imgres?{escape(urlencode({"imgurl": url, "imgrefurl": page_url(url), "h": 600, "w": 800}))}">'
        f'<img src="{escape(THUMBNAIL.format("link" + str(index)))}"></a>'
        for index, url in enumerate(in_links)
    )
    # an answer of this alone means that a browser is wanted; among results it means nothing
    without_script = '<noscript><a href="/httpservice/retry/enablejs?sei=1">here</a></noscript>' if urls else ""
    return f"""<!doctype html><html><head><title>{escape(query)} - Google Search</title></head><body>
      {without_script}
      <script nonce="a">AF_initDataCallback({{key: 'ds:1', hash: '2', data:{data}, sideChannel: {{}}}});</script>
      <script>google.logo = "https://www.google.com/images/branding/logo.png";
      var own = ["https://www.gstatic.com/images/icons/material/lens.png",24,24];</script>
      <div id="islmp"><a href="/search?q={quote(query)}&amp;tbs=more">More</a>{anchors}
      <a href="https://www.google.com/aclk?adurl=https://ads.example/ad.jpg">Ad</a></div></body></html>"""


def flickr_page(urls: Sequence[str], number: int, count: int) -> str:
    photos: list[dict[str, Any]] = [
        {
            "id": str(5000 + index),
            "owner": "12345@N01",
            "secret": "abc",
            "title": f"photo {index}",
            "license": str(index % 9),
            "ownername": "Jo É.",
            **({"url_l": url, "url_c": url + "&small"} if index % 2 else {"url_z": url}),
        }
        for index, url in enumerate(urls)
    ]
    photos.append({"id": "1", "owner": "1@N01", "license": "0", "title": "too small for any of the sizes"})
    pages = -(-count // FLICKR_SIZE)
    listing = {"page": number, "pages": pages, "perpage": FLICKR_SIZE, "total": count, "photo": photos}
    return json.dumps({"photos": listing, "stat": "ok"})


def flickr_error(code: int, message: str) -> str:
    return json.dumps({"stat": "fail", "code": code, "message": message})
