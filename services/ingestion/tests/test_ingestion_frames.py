"""Frames as they come, read as one file or as a form: however they are cut, and whatever they hold."""

import asyncio
import random
import sys
import tracemalloc

import pytest
from google.api.httpbody_pb2 import HttpBody

from docuchat.ingestion.v1 import document_service_pb2 as pb
from ingestion.errors import InvalidMultipart, UploadStalled
from ingestion.servicers.frames import Pace, open_upload
from servicekit.errors import AppError

FORM = "multipart/form-data; boundary=frontier"
FRAME = 8 * 1024**2
COLLECTION = "6f1f3a54-3c0e-4f0b-9a53-6f3f4f3b2a10"


def part(disposition, data=b"", *more):
    headers = b"\r\n".join((b"Content-Disposition: form-data" + disposition, *more))
    return b"--frontier\r\n" + headers + b"\r\n\r\n" + data + b"\r\n"


def file_part(name, data):
    return part(b'; name="file"; filename="' + name + b'"', data, b"Content-Type: text/plain")


async def as_requests(frames, content_type=FORM):
    for number, frame in enumerate(frames):
        body = HttpBody(content_type=content_type if number == 0 else "", data=frame)
        yield pb.UploadDocumentsRequest(filename="raw", file=body)


async def open_frames(frames, content_type=FORM, pace=None):
    return await open_upload(as_requests(frames, content_type), pace or Pace())


async def read(frames, content_type=FORM):
    """What an upload brings: names and bytes, the collection, or the reason of its refusal."""
    try:
        upload = await open_frames(frames, content_type)
        found = [(file.filename, b"".join([data async for data in file.content])) async for file in upload.files()]
    except AppError as error:
        return None, error.reason
    return found, upload.collection_id


def cut(body, chance, longest):
    while body:
        size = chance.randint(1, longest)
        yield body[:size]
        body = body[size:]


WHOLE = (
    file_part(b"a.txt", b"first\r\n--fron\r\n--frontie\r\r\n")
    + part(b'; name="collection_id"', COLLECTION.encode())
    + part(b'; name="file"; filename=""')
    + file_part("نامه.txt".encode(), b"\r\n" * 9)
    + file_part(b"caf\xe9.txt", bytes(range(256)) * 4)
    + b"--frontier--\r\nwhat follows is nothing\r\n--frontier\r\n"
)


async def test_every_way_of_cutting_a_form_into_frames_gives_the_same_files():
    whole = await read([WHOLE])
    assert [name for name, _ in whole[0]] == ["a.txt", "نامه.txt", "caf\ufffd.txt"]
    assert whole[0][0][1] == b"first\r\n--fron\r\n--frontie\r\r\n"
    assert whole[0][2][1] == bytes(range(256)) * 4
    assert whole[1] == COLLECTION
    for seed in range(60):
        chance = random.Random(seed)
        assert await read(cut(WHOLE, chance, chance.choice((1, 5, 60, 600)))) == whole, seed


async def test_a_damaged_form_is_refused_or_read_and_nothing_else_happens():
    for seed in range(400):
        chance, body = random.Random(seed), bytearray(WHOLE)
        for _ in range(chance.randint(1, 8)):
            body[chance.randrange(len(body))] = chance.choice(b'\r\n-:;"= \x00\xfff')
        del body[chance.randrange(len(body)) :]
        assert (await read([bytes(body)]))[1] in {"", COLLECTION, "INVALID_MULTIPART", "INVALID_FIELD"}, seed


async def test_a_frame_of_empty_parts_is_refused_at_the_hundred_and_first():
    empty = b"\r\n--frontier\r\nContent-Disposition: form-data\r\n\r\n"
    body = (empty * (FRAME // len(empty)))[2:]
    upload = await open_frames([body])
    tracemalloc.start()
    with pytest.raises(InvalidMultipart, match="more than 100 parts"):
        _ = [file async for file in upload.files()]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < FRAME + 2 * 1024**2


@pytest.mark.parametrize(
    ("content_type", "head", "tail"),
    [("", b"", b""), (FORM, file_part(b"a.txt", b"")[:-2], b"\r\n--frontier--")],
)
async def test_everybody_else_has_a_turn_while_a_large_frame_is_read(content_type, head, tail):
    turns, reading = 0, True

    async def take_turns():
        nonlocal turns
        while reading:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(take_turns())
    found, _ = await read([head + bytes(FRAME) + tail], content_type)
    reading = False
    await others
    assert found[0][1] == bytes(FRAME)
    assert turns >= FRAME // (64 * 1024)


@pytest.mark.parametrize(
    "frames",
    [
        [part(b'; name="x"', b"", b"X: " + b"y" * 8_200)],
        [part(b'; name="x"', b"", *[b"X: y"] * 8)],
        [part(b'; name="x"', b"", b"X" * 20_000)],
        [part(b'; name="x"', b"", *[b" folded"] * 3_000)],
        [part(b'; name="x"', b"y" * 4097)],
        [part(b'; name="x"', b"y")] * 101,
        [file_part(b"a.txt", b"y")] * 101,
        [b"no boundary here"],
        [part(b'; name="x"'), b"--frontier"],
        [part(b'; name="x"'), b"--frontier--", *[bytes(1024**2)] * 2],
        [b"\r\n" * 1024**2, part(b'; name="x"')],
        [b"--frontier\r\n\r\nno disposition\r\n--frontier--"],
    ],
)
async def test_what_no_form_needs_is_refused(frames):
    assert await read(frames) == (None, "INVALID_MULTIPART")


@pytest.mark.parametrize(
    "boundary", ["", '""', "x" * 71, '"ü"', '"a\r\nb"', '"ends with a blank "', "=" * 2000 + ";" * 10**6]
)
async def test_a_boundary_is_what_rfc_2046_says(boundary):
    with pytest.raises(InvalidMultipart, match="boundary"):
        await open_frames([b"--x"], f"multipart/form-data; boundary={boundary}")


async def test_a_form_is_read_up_to_the_bounds():
    long = "ü" * 70
    body = part(b'; name="x"', b"y" * 4096) * 99 + part(f'; name="file"; filename="{long}"'.encode(), b"z")
    assert await read([body + b"--frontier--"]) == ([(long, b"z")], "")
    boundary = "'()+_,-./:=? 9" * 5
    body = body.replace(b"frontier", boundary.encode()) + b"--" + boundary.encode() + b"--"
    assert await read([body], f'Multipart/Form-Data; BOUNDARY="{boundary}"') == ([(long, b"z")], "")


async def test_an_upload_that_is_broken_off_leaves_no_generator_behind():
    for content_type in ("", FORM):
        upload = await open_frames([file_part(b"a.txt", b"text"), b"--frontier--"], content_type)
        files, left = upload.files(), []
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(finalizer=left.append)
        await anext(files)
        await files.aclose()
        del upload, files
        sys.set_asyncgen_hooks(*hooks)
        assert left == []


async def test_an_upload_can_be_broken_off_while_its_bytes_are_waited_for():
    began = asyncio.Event()

    async def requests():
        yield pb.UploadDocumentsRequest(file=HttpBody(content_type=FORM, data=file_part(b"a.txt", b"text")[:-2]))
        began.set()
        await asyncio.Event().wait()

    files = (await open_upload(requests(), Pace())).files()
    content = (await anext(files)).content
    assert await anext(content) == b"text"
    waiting = asyncio.ensure_future(anext(content))
    await began.wait()
    await files.aclose()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_an_upload_in_small_slices_is_stalled_like_any_other():
    async def requests():
        yield pb.UploadDocumentsRequest(file=HttpBody(data=b"x" * 200_000))
        await asyncio.Event().wait()

    files = (await open_upload(requests(), Pace(idle_seconds=0.05))).files()
    file = await anext(files)
    with pytest.raises(UploadStalled):
        _ = [data async for data in file.content]
