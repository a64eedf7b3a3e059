import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import ROOT

SERVICES = ("auth", "ingestion", "retrieval", "chat")
CODES = {"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "UNAUTHENTICATED"} | {
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "INTERNAL",
}


@dataclass(frozen=True)
class Raised:
    """A reason as it stands in the source."""

    where: str
    code: str
    reason: str


def find_raised(folder: Path):
    """Yields each literal (Code.X, "REASON") pair that stands as the first arguments of a call."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            found = read_pair(node)
            if found:
                yield Raised(f"{path.relative_to(ROOT)}:{node.lineno}", *found)


def read_pair(node):
    """Returns code and reason of a call such as super().__init__(Code.NOT_FOUND, "DOCUMENT_NOT_FOUND", ...)."""
    if not isinstance(node, ast.Call) or len(node.args) < 2:
        return None
    code, reason = node.args[:2]
    is_code = isinstance(code, ast.Attribute) and isinstance(code.value, ast.Name) and code.value.id == "Code"
    is_text = isinstance(reason, ast.Constant) and isinstance(reason.value, str)
    return (code.attr, reason.value) if is_code and is_text else None


def find_errors(folder: Path):
    """Yields the classes that derive, by name, from AppError or from such a class."""
    classes = [
        (path, node)
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    known, size = {"AppError"}, 0
    while len(known) != size:
        size = len(known)
        known |= {node.name for _, node in classes if known & {base_name(base) for base in node.bases}}
    return [(path, node) for path, node in classes if node.name in known]


def base_name(base):
    return base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")


@pytest.fixture(scope="session")
def reasons(own_files):
    """Reason -> the comment's code, by package such as "auth"."""
    found = {
        file.package.split(".")[1]: read_reasons(file) for file in own_files if file.name.endswith("error_reason.proto")
    }
    assert all(found[package] for package in ("common", *SERVICES))
    return found


def read_reasons(file):
    comments = {tuple(location.path): location.leading_comments.strip() for location in file.source_code_info.location}
    return {
        value.name: comments.get((5, 0, 2, number), "")
        for number, value in enumerate(file.enum_type[0].value)
        if value.number
    }


@pytest.mark.parametrize("service", SERVICES)
def test_every_reason_a_service_raises_is_in_its_protos(reasons, service):
    raised = list(find_raised(ROOT / f"services/{service}/src"))
    known = reasons[service] | reasons["common"]
    assert raised, "found no AppError with a literal code and reason"
    assert [f"{row.where} {row.reason}" for row in raised if row.reason not in known] == []


def test_every_reason_of_the_shared_library_is_common(reasons):
    raised = list(find_raised(ROOT / "libs/servicekit/src"))
    assert raised
    assert [f"{row.where} {row.reason}" for row in raised if row.reason not in reasons["common"]] == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_reason_is_raised_with_the_code_its_comment_promises(reasons, service):
    wrong = []
    for row in find_raised(ROOT / f"services/{service}/src"):
        comment = (reasons[service] | reasons["common"]).get(row.reason, "")
        promised = set(comment.split(":")[0].replace(",", " ").split()) & CODES
        if row.code not in promised:
            wrong.append(f"{row.where} {row.code} {row.reason}, but the proto says {comment!r}")
    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_error_class_says_when_it_is_raised(service):
    found = find_errors(ROOT / f"services/{service}/src")
    assert found, "found no subclass of AppError"
    assert [f"{path.name}:{node.lineno} {node.name}" for path, node in found if not ast.get_docstring(node)] == []


def test_every_reason_has_a_comment_that_begins_with_its_code(reasons):
    for service, named in reasons.items():
        for reason, comment in named.items():
            head = comment.split(":")[0]
            assert head == "State" or set(head.replace(",", " ").split()) & CODES, f"{service}: {reason}"
