from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class Access(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCESS_UNSPECIFIED: _ClassVar[Access]
    ACCESS_PUBLIC: _ClassVar[Access]
    ACCESS_USER: _ClassVar[Access]
    ACCESS_TENANT_ADMIN: _ClassVar[Access]
    ACCESS_STAFF: _ClassVar[Access]
    ACCESS_SERVICE: _ClassVar[Access]

class Scope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCOPE_UNSPECIFIED: _ClassVar[Scope]
    READ: _ClassVar[Scope]
    WRITE: _ClassVar[Scope]
    ASK: _ClassVar[Scope]
    ADMIN: _ClassVar[Scope]
ACCESS_UNSPECIFIED: Access
ACCESS_PUBLIC: Access
ACCESS_USER: Access
ACCESS_TENANT_ADMIN: Access
ACCESS_STAFF: Access
ACCESS_SERVICE: Access
SCOPE_UNSPECIFIED: Scope
READ: Scope
WRITE: Scope
ASK: Scope
ADMIN: Scope
ACCESS_FIELD_NUMBER: _ClassVar[int]
access: _descriptor.FieldDescriptor
CALLERS_FIELD_NUMBER: _ClassVar[int]
callers: _descriptor.FieldDescriptor
SCOPE_FIELD_NUMBER: _ClassVar[int]
scope: _descriptor.FieldDescriptor
SESSION_ONLY_FIELD_NUMBER: _ClassVar[int]
session_only: _descriptor.FieldDescriptor
