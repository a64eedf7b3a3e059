"""PATCH: what changes is in the body, what of it counts in the mask, and whom it is about in the path."""

import json

import pytest

ID = "3c1d0f4e-8a57-4c8f-9a55-0f6f3e0c1d2b"
JSON = {"content-type": "application/json"}


def patch(gateway, path, value):
    return gateway.send("PATCH", path, json.dumps(value).encode(), JSON)


@pytest.mark.parametrize(
    ("query", "mask"), [("", ""), ("?update_mask=first_name", "first_name"), ("?updateMask=firstName", "first_name")]
)
def test_a_change_of_oneself_names_its_fields_or_none(gateway, query, mask):
    reply = patch(gateway, f"/v1/me{query}", {"first_name": "Ann"})
    assert reply.status == 200
    assert (reply.json["user"]["first_name"], reply.json["user"]["last_name"]) == ("Ann", mask)


def test_the_tenant_to_change_is_the_one_of_the_path(gateway):
    reply = patch(gateway, f"/v1/tenants/{ID}", {"display_name": "New"})
    assert reply.status == 200, reply.body
    tenant = reply.json["tenant"]
    assert (tenant["tenant_id"], tenant["display_name"]) == (ID, "New")


@pytest.mark.parametrize(("body", "told"), [({}, None), ({"is_active": False}, False), ({"is_active": True}, True)])
def test_a_flag_that_is_not_given_is_not_the_same_as_one_that_is_off(gateway, body, told):
    member = patch(gateway, f"/v1/tenants/{ID}/members/{ID}", {"role": "ADMIN", **body}).json["member"]
    assert (member["display_name"], member["role"]) == (f"{ID} {told}", "ADMIN")


def test_a_field_that_nobody_knows_is_refused(gateway):
    reply = patch(gateway, "/v1/me", {"nickname": "Ann"})
    assert reply.status == 400
