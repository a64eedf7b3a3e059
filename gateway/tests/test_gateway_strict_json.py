"""strict_json.lua in a real Envoy, with messages that nest, repeat, map and recurse."""

import dataclasses

import pytest
from google.protobuf import struct_pb2, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from gateway.clusters import typed
from gateway.descriptors import list_public_methods, load_files
from gateway.strict_json import build_script

PROTO = """
name: "tree.proto" package: "tree" syntax: "proto3" dependency: "google/protobuf/struct.proto"
message_type {
  name: "Node"
  field { name: "display_name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "displayName" }
  field { name: "child" number: 2 type: TYPE_MESSAGE type_name: ".tree.Node" label: LABEL_OPTIONAL json_name: "child" }
  field { name: "children" number: 3 type: TYPE_MESSAGE type_name: ".tree.Node" label: LABEL_REPEATED
          json_name: "children" }
  field { name: "labels" number: 4 type: TYPE_MESSAGE type_name: ".tree.Node.LabelsEntry" label: LABEL_REPEATED
          json_name: "labels" }
  field { name: "extra" number: 5 type: TYPE_MESSAGE type_name: ".google.protobuf.Struct" label: LABEL_OPTIONAL
          json_name: "extra" }
  nested_type {
    name: "LabelsEntry"
    field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "value" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
    options { map_entry: true }
  }
}
message_type {
  name: "CreateNodeRequest"
  field { name: "parent_id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "parentId" }
  field { name: "node" number: 2 type: TYPE_MESSAGE type_name: ".tree.Node" label: LABEL_OPTIONAL json_name: "node" }
}
"""


@pytest.fixture(scope="module")
def checked(start_listener):
    """An Envoy that checks `POST /v1/parents/{parent_id}/nodes` with body: "node" and answers 200 to what passes."""
    model = list_public_methods(load_files())[0]
    method = dataclasses.replace(
        model,
        client_streaming=False,
        http_verb="POST",
        http_path="/v1/parents/{parent_id}/nodes",
        http_body="node",
        input_type=make_pool().FindMessageTypeByName("tree.CreateNodeRequest"),
    )
    whole = dataclasses.replace(method, http_path="/v1/nodes", http_body="*")
    lua = typed("envoy.extensions.filters.http.lua.v3.Lua")
    lua["default_source_code"] = {"inline_string": build_script([method, whole])}
    with start_listener([{"name": "envoy.filters.http.lua", "typed_config": lua}]) as gateway:
        yield gateway


def make_pool():
    pool = DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(text_format.Parse(PROTO, FileDescriptorProto()))
    return pool


PASSING = [
    "{}",
    ' { "display_name" : "a" , "child" : { "displayName" : "b" } } ',
    '{"children":[{"child":{"children":[]}},null,{}]}',
    '{"labels":{"any":"key","goes":"here"},"extra":{"deep":{"er":[{"and":1}]}}}',
    '{"display_name":"\\"unknown\\": {","child":null}',
    '{"display_name":12.5e3,"child":{"display_name":true}}',
]
REFUSED = [
    ('{"displayname":"a"}', "displayname"),
    ('{"child":{"child":{"colour":1}}}', "colour"),
    ('{"children":[{},{"display_name":"a"},{"size":[1,{"x":2}]}]}', "size"),
    ('{"labels":{"k":"v"},"extra":{"k":1},"late":1}', "late"),
    ('{"display_name":"}","tail":1}', "tail"),
    ('{"":1}', '""'),
    ("{'size':1}", "double quotes"),
    ("{size:1}", "double quotes"),
    ('{"child":{"display_name":"a",\'size\':1}}', "double quotes"),
]
MALFORMED = [
    "",
    " ",
    "{",
    "[",
    "[}",
    '{"children":[}',
    '{"child"',
    '{"child":',
    '{"display_name":"',
    '{"a\\',
    "]",
    "{]}",
]
MALFORMED += ['"', '{"child":{"child":{"children":[[[[', '{"children":' + "[" * 100_000, '{"child":' * 100_000]


@pytest.mark.parametrize("body", PASSING)
def test_known_fields_pass_however_they_nest(checked, body):
    assert checked.send("POST", "/v1/parents/p-1/nodes", body.encode()).status == 200


@pytest.mark.parametrize(("body", "field"), REFUSED)
def test_an_unknown_field_is_refused_by_name_at_any_depth(checked, body, field):
    reply = checked.send("POST", "/v1/parents/p-1/nodes?x=1", body.encode())
    assert (reply.status, field in reply.body.decode()) == (400, True)


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: body[:20])
def test_malformed_json_passes_in_time_for_the_transcoder_to_refuse_it(checked, body):
    assert checked.send("POST", "/v1/parents/p-1/nodes", body.encode()).status in {200, 400}


def test_a_method_whose_body_is_the_whole_request_knows_its_own_fields(checked):
    assert checked.send("POST", "/v1/nodes", b'{"parent_id":"p","node":{"child":{}}}').status == 200
    assert checked.send("POST", "/v1/nodes", b'{"display_name":"p"}').status == 400


def test_other_paths_and_verbs_are_not_looked_at(checked):
    for verb, path in (("POST", "/v1/elsewhere"), ("PUT", "/v1/nodes"), ("POST", "/v1/parents/a/b/nodes")):
        assert checked.send(verb, path, b'{"nonsense":1}').status == 200


def test_a_body_of_megabytes_is_checked_in_little_time(checked):
    body = b'{"display_name":"' + b"x\\n" * 300_000 + b'","nonsense":1}'
    assert checked.send("POST", "/v1/nodes", b'{"node":' + body + b"}").status == 400
