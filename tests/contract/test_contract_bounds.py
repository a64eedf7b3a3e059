import pytest
from google.protobuf.descriptor import FieldDescriptor

from buf.validate import validate_pb2
from docuchat.common.v1 import access_pb2

from .conftest import find_messages

BOUNDED_STRING = ("max_len", "max_bytes", "len", "len_bytes", "const")
BOUNDED_FORMAT = ("uuid", "tuuid")
ENGINE = "docuchat.retrieval.v1.EngineService."


def rules_of(field):
    options = field.GetOptions()
    if not options.HasExtension(validate_pb2.field):
        return validate_pb2.FieldRules()
    return validate_pb2.FieldRules.FromString(options.Extensions[validate_pb2.field].SerializeToString())


def is_bounded_string(rules):
    text = rules.string
    by_length = any(text.HasField(name) for name in BOUNDED_STRING) or getattr(text, "in")
    by_format = text.WhichOneof("well_known") in BOUNDED_FORMAT
    # A pattern bounds only what it anchors and counts.
    by_pattern = text.pattern.startswith("^") and text.pattern.endswith("$") and not set(text.pattern[1:-1]) & set("*+")
    return bool(by_length or by_format or by_pattern)


def is_bounded_scalar(field, rules):
    if field.type == FieldDescriptor.TYPE_STRING:
        return is_bounded_string(rules)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rules.bytes.HasField("max_len") or rules.bytes.HasField("len")
    if field.type == FieldDescriptor.TYPE_ENUM:
        return rules.enum.defined_only or bool(getattr(rules.enum, "in"))
    return True


def is_bounded(field):
    rules = rules_of(field)
    if not field.is_repeated:
        return is_bounded_scalar(field, rules)
    many = rules.repeated
    return many.HasField("max_items") and is_bounded_scalar(field, many.items)


@pytest.fixture(scope="session")
def request_messages(methods):
    """Every message that a caller can send, with what it can hold. The engine listens to its own user only."""
    open_methods = [method for method in methods if not method.name.startswith(ENGINE)]
    found = [message for method in open_methods for message in find_messages(method.descriptor.input_type)]
    return {message.full_name: message for message in found}


def test_there_is_something_to_check(request_messages):
    assert {"docuchat.chat.v1.AskRequest", "docuchat.retrieval.v1.IndexChunk"} <= set(request_messages)


def test_every_text_list_and_enum_of_a_request_has_an_upper_bound(request_messages):
    unbounded = [
        field.full_name for message in request_messages.values() for field in message.fields if not is_bounded(field)
    ]
    assert unbounded == []


def test_only_the_engine_is_left_out_of_the_bounds(methods):
    engine = [method for method in methods if method.name.startswith(ENGINE)]
    assert engine
    assert {method.access for method in engine} == {access_pb2.ACCESS_SERVICE}


def test_every_page_size_and_top_k_is_capped(request_messages):
    sizes = {
        field.full_name: rules_of(field).int32.lte
        for message in request_messages.values()
        for field in message.fields
        if field.name in {"page_size", "top_k"}
    }
    assert sizes
    assert {name: most for name, most in sizes.items() if not 0 < most <= 100} == {}


def test_every_id_of_a_public_request_is_a_uuid(request_messages):
    ids = [
        field
        for message in request_messages.values()
        for field in message.fields
        if field.name.endswith(("_id", "_ids")) and field.name not in {"bot_id", "request_id", "plan_id"}
    ]
    assert ids
    for field in ids:
        rules = rules_of(field)
        text = rules.repeated.items.string if field.is_repeated else rules.string
        assert text.uuid, field.full_name


# Whom a request is about, where that is not the caller: name -> what it says of them.
ABOUT_OTHERS = {
    # Of members who are no administrators it is not read.
    "docuchat.auth.v1.UsageService.GetUsage": {"user_id"},
    "docuchat.auth.v1.TenantService.UpdateMember": {"user_id", "role"},
    "docuchat.auth.v1.TenantService.RemoveMember": {"user_id"},
    "docuchat.auth.v1.TenantService.CreateInvitation": {"role"},
    # The whole message of a user; a request that names the id is refused.
    "docuchat.auth.v1.UserService.UpdateMe": {"user_id"},
}


def test_the_caller_never_comes_from_a_public_request(methods):
    for method in methods:
        if method.access in {access_pb2.ACCESS_USER, access_pb2.ACCESS_TENANT_ADMIN}:
            names = {field.name for message in find_messages(method.descriptor.input_type) for field in message.fields}
            about = ABOUT_OTHERS.get(method.name, set())
            assert names & {"user_id", "owner_user_id", "role"} == about, method.name
