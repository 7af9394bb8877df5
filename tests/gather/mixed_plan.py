"""A small web in which all happens that happens on the web."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace

from tests.gather.pictures import (
    animated,
    bomb,
    cmyk,
    cropped,
    decoded,
    encoded,
    mirrored,
    picture,
    rotated_by_exif,
    sixteen_bits,
    truncated,
)
from tests.gather.plans import Item, Plan, spread
from tests.gather.replies import Closed, CutShort, Drip, Endless, Fixed, InTurn, Redirect

QUERIES = {"cat": ("tabby cat", "kitten & friends"), "dog": ("puppy", "dog on sofa")}
PLAIN = 24  # sound pictures of each class, besides the special ones
# what should become of an item; the first ones never reach the disk
NOT_FETCHED = ("http error", "no connection", "redirect loop", "forbidden host", "too slow", "too large")
REJECTED = ("truncated", "bomb", "tiny", "aspect", "blank", "animated", "not an image", "class conflict")
COPIES = ("leak", "leak crop", "exact duplicate", "near duplicate")
KINDS = ("good", *NOT_FETCHED, *REJECTED, *COPIES)
BUSY, UNAVAILABLE = Fixed(status=429, headers={"Retry-After": "1"}), Fixed(status=503)
# what no page of results names, but redirects lead to
HIDDEN = (Item("/loop", Redirect("/loop")), Item("/secret.jpg", Fixed(b"secret", "text/plain")))
PAGE = b"<!doctype html><html><body><h1>No hotlinking</h1><img src='/real.jpg'></body></html>"


@functools.cache
def mixed_plan() -> Plan:
    """Two classes with every kind of item in each, and three held-out images of each class.

    Items of a group show the same picture. Of an "exact duplicate" or a "near duplicate" the original is "good", and
    one of the group is kept, whichever. All of a "class conflict" go, as do all of a "leak".
    """
    items: list[Item] = []
    held_out = {}
    for number, (label, queries) in enumerate(QUERIES.items()):
        seed = 10_000 * (number + 1)
        tests = {f"{index}.jpg": encoded(picture(seed + 9000 + index, (500, 375))) for index in range(3)}
        parts = (_plain(seed), _odd_but_good(seed), _broken(seed), _unfetchable(seed), _duplicates(seed))
        own = [item for part in parts for item in part] + list(_leaks(seed, list(tests.values())))
        items += spread([replace(item, path=f"/{label}{item.path}") for item in own], queries)
        items.append(Item(f"/{label}/hidden/moved.jpg", Fixed(_jpeg(seed + 8000))))
        held_out[label] = tests
    return Plan((*items, *_conflicts(), *HIDDEN), QUERIES, held_out)


def _jpeg(seed: int) -> bytes:
    return encoded(picture(seed))


def _plain(seed: int) -> Iterator[Item]:
    endings = (".jpg", ".jpeg", ".png", ".webp", "", ".jpg?w=1024&fit=crop&sig=a=b", "/кошка.jpg", ".JPG/latest?cb=1")
    for number in range(PLAIN):
        image = picture(seed + number)
        ending = endings[number % len(endings)]
        form, kind = {".png": ("PNG", "image/png"), ".webp": ("WEBP", "image/webp")}.get(ending, ("JPEG", "image/jpeg"))
        yield Item(f"/plain/{number}{ending}", Fixed(encoded(image, form), kind))


def _odd_but_good(seed: int) -> Iterator[Item]:
    seed += 1000
    yield Item("/odd/png_named.jpg", Fixed(encoded(picture(seed), "PNG"), "image/jpeg"))
    yield Item("/odd/cmyk.jpg", Fixed(cmyk(picture(seed + 1))))
    yield Item("/odd/16bit.png", Fixed(sixteen_bits(picture(seed + 2)), "image/png"))
    yield Item("/odd/exif.jpg", Fixed(rotated_by_exif(picture(seed + 3))))
    yield Item("/odd/grey.jpg", Fixed(encoded(picture(seed + 4).convert("L"))))
    yield Item("/odd/palette.png", Fixed(encoded(picture(seed + 5).convert("P"), "PNG"), "image/png"))
    yield Item("/odd/alpha.png", Fixed(encoded(picture(seed + 6).convert("RGBA"), "PNG"), "image/png"))
    yield Item("/odd/untyped", Fixed(_jpeg(seed + 7), "application/octet-stream"))
    yield Item("/odd/moved.jpg", Redirect("../hidden/moved.jpg", 301))
    yield Item("/odd/busy.jpg", InTurn(BUSY, Fixed(_jpeg(seed + 8))))
    yield Item("/odd/unavailable.jpg", InTurn(UNAVAILABLE, UNAVAILABLE, Fixed(_jpeg(seed + 9))))
    yield Item("/odd/hung_up.jpg", InTurn(Closed(), Fixed(_jpeg(seed + 10))))


def _broken(seed: int) -> Iterator[Item]:
    seed += 2000
    yield Item("/bad/truncated.jpg", Fixed(truncated(_jpeg(seed))), "truncated")
    yield Item("/bad/truncated.png", Fixed(truncated(encoded(picture(seed + 1), "PNG")), "image/png"), "truncated")
    yield Item("/bad/bomb.png", Fixed(bomb(), "image/png"), "bomb")
    yield Item("/bad/tiny.jpg", Fixed(encoded(picture(seed + 2, (48, 40)))), "tiny")
    yield Item("/bad/wide.jpg", Fixed(encoded(picture(seed + 3, (900, 120)))), "aspect")
    yield Item("/bad/blank.png", Fixed(encoded(picture(seed).resize((1, 1)).resize((300, 200)), "PNG")), "blank")
    yield Item("/bad/moving.gif", Fixed(animated(seed + 4, "GIF"), "image/gif"), "animated")
    yield Item("/bad/moving.webp", Fixed(animated(seed + 7, "WEBP"), "image/webp"), "animated")
    yield Item("/bad/page.jpg", Fixed(PAGE), "not an image")
    yield Item("/bad/nothing.jpg", Fixed(b""), "not an image")
    yield Item("/bad/drawing.svg", Fixed(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), "not an image")


def _unfetchable(seed: int) -> Iterator[Item]:
    yield Item("/no/gone.jpg", Fixed(b"gone", "text/plain", 404), "http error")
    yield Item("/no/forbidden.jpg", Fixed(PAGE, "text/html", 403), "http error")
    yield Item("/no/closed.jpg", Closed(), "no connection")
    yield Item("/no/cut_short.jpg", CutShort(truncated(_jpeg(seed + 3000))), "no connection")
    yield Item("/no/loop.jpg", Redirect("/loop"), "redirect loop")
    yield Item("/no/private.jpg", Redirect("http://localhost:{port}/secret.jpg"), "forbidden host")
    yield Item("/no/metadata.jpg", Redirect("http://169.254.169.254/latest/meta-data/"), "forbidden host")
    yield Item("/no/file.jpg", Redirect("file:///etc/hostname"), "forbidden host")
    yield Item("/no/drip.jpg", Drip(), "too slow")
    yield Item("/no/drip_headers.jpg", Drip(headers=True), "too slow")
    yield Item("/no/endless.jpg", Endless(), "too large")


def _duplicates(seed: int) -> Iterator[Item]:
    for number in range(3):
        image, group = picture(seed + 4000 + number), f"{seed} exact {number}"
        file = encoded(image)
        yield Item(f"/same/{number}/first.jpg", Fixed(file), "good", group)
        yield Item(f"/same/{number}/copy?id=7", Fixed(file), "exact duplicate", group)
        png = encoded(decoded(file), "PNG")
        yield Item(f"/same/{number}/pixels.png", Fixed(png, "image/png"), "exact duplicate", group)
    for number in range(3):
        image, group = picture(seed + 5000 + number, (640, 480)), f"{seed} near {number}"
        yield Item(f"/near/{number}/first.jpg", Fixed(encoded(image)), "good", group)
        yield Item(f"/near/{number}/worse.jpg", Fixed(encoded(image, quality=50)), "near duplicate", group)
        small = encoded(image.resize((320, 240)), "WEBP")
        yield Item(f"/near/{number}/small.webp", Fixed(small, "image/webp"), "near duplicate", group)


def _leaks(seed: int, tests: list[bytes]) -> Iterator[Item]:
    """Copies of held-out images, altered in the ways in which copies on the web are."""
    for number, test in enumerate(tests):
        image, group = decoded(test), f"{seed} test {number}"
        copies = {"same": test, "pixels": encoded(image, "PNG"), "mirrored": encoded(mirrored(image))}
        copies |= {f"quality{quality}": encoded(image, quality=quality) for quality in (30, 50, 75, 95)}
        for side in (96, 160, 240, 720):
            copies[f"side{side}"] = encoded(image.resize((round(side * image.width / image.height), side)))
        copies["mirrored_small"] = encoded(mirrored(image).resize((200, 150)), quality=60)
        yield from (Item(f"/copy/{number}/{name}", Fixed(data), "leak", group) for name, data in copies.items())
        crops = {f"middle{extent}": cropped(image, extent / 100) for extent in (95, 90, 80, 70)}
        crops |= {"corner": cropped(image, 0.8, 0, 0), "mirrored": mirrored(cropped(image, 0.85, 1, 0.5))}
        for name, crop in crops.items():
            yield Item(f"/crop/{number}/{name}.jpg", Fixed(encoded(crop)), "leak crop", group)


def _conflicts() -> Iterator[Item]:
    """Pictures that are found for both classes: at one address, as two files alike, and as two that differ."""
    here, there = (("openverse", queries[0]) for queries in QUERIES.values())
    for seed in (90_001, 90_002):
        yield Item(f"/both/{seed}.jpg", Fixed(_jpeg(seed)), "class conflict", f"both {seed}", (here, there))
    copies = {"alike": (_jpeg(90_003), _jpeg(90_003)), "worse": (_jpeg(90_004), encoded(picture(90_004), quality=60))}
    for name, files in copies.items():
        for place, file in zip((here, there), files, strict=True):
            path = f"/both/{name}/{place[1].split()[0]}.jpg"
            yield Item(path, Fixed(file), "class conflict", f"both {name}", (place,))
