"""What users say about themselves."""

import asyncio

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from docuchat.auth.v1 import user_pb2
from docuchat.auth.v1 import user_service_pb2 as pb


async def update(person, paths=(), **fields):
    request = pb.UpdateMeRequest(user=user_pb2.User(**fields), update_mask=FieldMask(paths=paths))
    return (await person.users.UpdateMe(request)).user


async def test_names_and_language_are_changed_and_shown(join):
    ann = await join("ann")
    wanted = {"display_name": "Ann B", "username": "ann.b", "first_name": "Ann", "last_name": "B", "language": "fa"}
    await update(ann, **wanted)
    user = (await ann.users.GetMe(pb.GetMeRequest())).user
    assert {name: getattr(user, name) for name in wanted} == wanted
    assert (user.is_active, user.is_staff, user.email) == (True, False, ann.email)
    assert user.HasField("create_time")


async def test_a_mask_says_what_changes_and_empties_what_it_names(join):
    ann = await join("ann")
    await update(ann, first_name="Ann", last_name="B")
    user = await update(ann, ["first_name"], last_name="ignored")
    assert (user.first_name, user.last_name, user.display_name) == ("", "B", "ann")


@pytest.mark.parametrize(
    ("paths", "fields"),
    [
        (["is_staff"], {"is_staff": True}),
        ([], {"is_staff": True}),
        (["email"], {"email": "eve@example.com"}),
        (["user_id"], {"user_id": "x"}),
        (["create_time"], {}),
        (["password"], {}),
        ([], {}),
        (["display_name"], {"display_name": "\n"}),
        (["username"], {"username": "Ann B"}),
        (["username"], {"username": "a"}),
        (["language"], {"language": "English"}),
        (["first_name"], {"first_name": "x" * 101}),
    ],
)
async def test_what_users_cannot_change_and_what_is_no_name_is_refused(join, refused, paths, fields):
    ann = await join("ann")
    error = await refused(update(ann, paths, **fields))
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    user = (await ann.users.GetMe(pb.GetMeRequest())).user
    assert (user.email, user.is_staff, user.display_name) == (ann.email, False, "ann")


async def test_a_username_is_one_users_also_among_many_who_want_it_at_once(join):
    people = [await join(name) for name in ("ann", "bob", "cem", "dan")]
    results = await asyncio.gather(*(update(each, username="same") for each in people), return_exceptions=True)
    taken = [each for each in results if isinstance(each, grpc.aio.AioRpcError)]
    assert len(taken) == 3
    assert {each.code() for each in taken} == {grpc.StatusCode.ALREADY_EXISTS}
