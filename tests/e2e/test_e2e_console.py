"""The console as a browser loads it: every file is there, fits the others, and passes the page's own policy."""

import re
from posixpath import join, normpath

import pytest

ID = re.compile(r'\bat\("([\w-]+)"\)')
IMPORT = re.compile(r'^import (.+) from "(\./[\w.]+)";$', re.MULTILINE)


@pytest.fixture(scope="module")
def page(stack):
    return stack.http.get("/")


@pytest.fixture(scope="module")
def modules(stack, page):
    """Every module that the page reaches, by path."""
    (first,) = re.findall(r'<script type="module" src="([^"]+)">', page.body.decode())
    found, wanted = {}, [first]
    while wanted:
        path = wanted.pop()
        if path not in found:
            reply = stack.http.get(path)
            assert (reply.status, reply.headers["content-type"]) == (200, "text/javascript; charset=utf-8"), path
            found[path] = reply.body.decode()
            wanted += [normpath(join("/console", name)) for _, name in IMPORT.findall(found[path])]
    return found


def test_the_page_reaches_all_its_parts(modules):
    assert {"/console/console.js", "/console/api.js", "/console/talk.js", "/console/answer.js"} <= set(modules)


def test_what_a_module_imports_the_other_exports(modules):
    imports = [
        (name, path)
        for source in modules.values()
        for names, path in IMPORT.findall(source)
        for name in re.findall(r"\w+", names.partition("{")[2])
    ]
    assert imports
    for name, path in imports:
        assert re.search(rf"^export .*\b{name}\b", modules[f"/console/{path[2:]}"], re.MULTILINE), (name, path)


def test_every_element_that_is_looked_for_is_on_the_page(page, modules):
    wanted = {name for source in modules.values() for name in ID.findall(source)}
    assert wanted <= set(re.findall(r'\bid="([\w-]+)"', page.body.decode()))


def test_text_never_becomes_markup_and_the_policy_holds(page, modules):
    assert "script-src 'self'; style-src 'self'" in page.headers["content-security-policy"]
    assert not re.search(r"<script(?! type=\"module\" src=)|\bstyle=|\bon\w+=", page.body.decode())
    for source in modules.values():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", source)
