"""strict_json.lua in a real Envoy, with messages that nest, repeat, map and recurse."""

import dataclasses

import psutil
import pytest
from google.protobuf import struct_pb2, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from gateway.clusters import typed
from gateway.descriptors import list_public_methods, load_files
from gateway.filters import route_metadata
from gateway.strict_json import build_receive_script, find_body_message

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
    """An Envoy that checks nodes below /v1/parents/, requests below /v1/nodes, and answers 200 to what passes."""
    model = next(method for method in list_public_methods(load_files()) if method.http_body)
    whole = dataclasses.replace(model, input_type=make_pool().FindMessageTypeByName("tree.CreateNodeRequest"))
    part = dataclasses.replace(whole, http_body="node")
    lua = typed("envoy.extensions.filters.http.lua.v3.Lua")
    lua["default_source_code"] = {"inline_string": build_receive_script([whole, part])}
    routes = [make_route("/v1/parents/", part), make_route("/v1/nodes", whole)]
    with start_listener([{"name": "docuchat.receive", "typed_config": lua}], routes) as gateway:
        yield gateway


def make_route(prefix, method):
    rules = route_metadata(token=False, message=find_body_message(method).full_name)
    return {"match": {"prefix": prefix}, "direct_response": {"status": 200}, **rules}


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
    '{"extra":{"a":[0,-1,1.5E-7,10,true,false,null,"\\u00e9\\/\\b\\f\\n\\r\\t\\"\\\\"],"b":[[],{}]}}',
    ' \t\r\n{ "child" : { } , "extra" : { "a" : [ 1 , 2 ] } } \n',
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
REFUSED += [
    (body, hint)
    for hint, bodies in {
        "a second time": [
            '{"display_name":"a","display_name":"b"}',
            '{"display_name":"a","displayName":"b"}',
            '{"extra":{"a":1,"a":2}}',
            '{"labels":{"a":"b","a":"c"}}',
        ],
        "control character": ['{"display_name":"a\nb"}', '{"display_name":"\t"}', '{"extra":{"a\x00":1}}'],
        "double quotes": ['{"child":{},}', '{"labels":{"a":"b",}}', "{,}"],
        "not JSON": [
            '{"children":[{},]}',
            '{"extra":{"a":[1,]}}',
            '{"display_name":yes}',
            '{"display_name":NaN}',
            '{"display_name":+1}',
            '{"display_name":01}',
            '{"display_name":.5}',
            '{"display_name":nul}',
        ],
        "comma": [
            '{"display_name":1.}',
            '{"display_name":"a" "child":{}}',
            '{"display_name":trueish}',
            '{"children":[{} {}]}',
            '{"display_name":0x10}',
        ],
        "colon": ['{"child" {}}'],
        "escape": ['{"display_name":"\\x41"}', '{"display_name":"\\u12g4"}', '{"display_name":"\\u12'],
        "no object": ["[]", "true", "null", '"a"', "1", " ", "]", "[", "[}", '"'],
        "after": ["{}{}", "{} 1", '{"child":{}}}'],
        "levels": ['{"extra":{"a":' + "[" * 65 + "]" * 65 + "}}", '{"child":' * 100_000],
        "values": ['{"extra":{"a":[' + "1," * 20_000 + "1]}}"],
        "early": ['{"child":', '{"extra":['],
        "does not end": ['{"display_name":"', '{"display_name":"a'],
    }.items()
    for body in bodies
]
MALFORMED = [
    "",
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


@pytest.mark.parametrize(("body", "field"), REFUSED, ids=lambda text: text[:30])
def test_what_is_unknown_twice_or_no_json_is_refused_by_name_at_any_depth(checked, body, field):
    reply = checked.send("POST", "/v1/parents/p-1/nodes?x=1", body.encode())
    assert (reply.status, field in reply.body.decode()) == (400, True)


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: body[:20])
def test_malformed_json_passes_in_time_for_the_transcoder_to_refuse_it(checked, body):
    assert checked.send("POST", "/v1/parents/p-1/nodes", body.encode()).status in {200, 400}


def test_a_method_whose_body_is_the_whole_request_knows_its_own_fields(checked):
    assert checked.send("POST", "/v1/nodes", b'{"parent_id":"p","node":{"child":{}}}').status == 200
    assert checked.send("POST", "/v1/nodes", b'{"display_name":"p"}').status == 400


def test_other_routes_are_not_looked_at(checked):
    assert checked.send("POST", "/v1/elsewhere", b'{"nonsense":1,}').status == 200


COSTLY = {
    "brackets": b"[" * 7_900_000,
    "text": b'{"display_name":"' + b"The fox, quick as ever.\\n" * 300_000 + b'"}',
    "escapes": b'{"display_name":"' + b'\\"' * 3_900_000 + b'"}',
    "code points": b'{"display_name":"' + b"\\u0633" * 1_300_000 + b'"}',
    "digits": b'{"display_name":' + b"1" * 7_900_000 + b"}",
    "blanks": b" " * 7_900_000,
    "values": b'{"children":[' + b"{}," * 2_600_000,
    "names": b'{"labels":{' + b'"":1,' * 1_500_000,
    "levels": b'{"child":' * 800_000,
}


@pytest.mark.parametrize("kind", COSTLY)
def test_eight_megabytes_of_anything_cost_little(checked, kind):
    envoy = psutil.Process(checked.process.pid)
    before = envoy.cpu_times().user
    assert checked.send("POST", "/v1/parents/a", COSTLY[kind]).status in {200, 400}
    # Copying the bytes in is part of it. A scan by patterns took 0.4 s for the brackets.
    assert envoy.cpu_times().user - before < 0.15
