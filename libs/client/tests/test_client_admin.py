"""`docuchat admin ...` beside a toy stack."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from docuchat_client.cli.app import build_app

ID = "3c1d0f4e-8a57-4c8f-9a55-0f6f3e0c1d2b"


@pytest.fixture
def docuchat(stack, monkeypatch, tmp_path):
    """Runs a command beside the toy stack."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DOCUCHAT_PASSWORD", "correct horse battery staple")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("DOCUCHAT_TOKEN", raising=False)
    monkeypatch.setenv("DOCUCHAT_URL", f"http://{stack.address}")

    async def invoke(*arguments, **options):
        return await asyncio.to_thread(CliRunner().invoke, build_app(), list(arguments), **options)

    return invoke


async def log_in(docuchat, *options):
    assert (await docuchat("login", "a@example.org", *options)).exit_code == 0


async def test_who_is_not_logged_in_as_staff_is_told_so(docuchat):
    await log_in(docuchat)
    result = await docuchat("admin", "tenants")
    assert result.exit_code == 1
    assert "ACCESS_DENIED" in result.stderr


async def test_a_tenant_is_made_and_its_owner_invited(docuchat, stack):
    await log_in(docuchat, "--as-staff")
    result = await docuchat("admin", "create-tenant", "Lumen", "ann@example.org")
    assert result.exit_code == 0, result.stderr
    assert "on its way to ann@example.org, good until 2026-01-08" in result.stdout
    assert stack.company.asked[0].owner_email == "ann@example.org"


@pytest.mark.parametrize(("limit", "pages"), [("2", 2), ("50", 3)])
async def test_tenants_are_listed_over_pages_and_no_page_is_asked_for_in_vain(docuchat, stack, limit, pages):
    await log_in(docuchat, "--as-staff")
    result = await docuchat("admin", "tenants", "--limit", limit, "--json")
    names = [each["display_name"] for each in json.loads(result.stdout)["tenants"]]
    assert names == [f"Tenant {number}" for number in range(1, pages + 1)]
    assert len(stack.company.asked) == pages


async def test_a_suspended_tenant_is_shown_as_such(docuchat):
    await log_in(docuchat, "--as-staff")
    assert "suspended 2026-01-01 00:00 UTC" in (await docuchat("admin", "suspend-tenant", ID)).stdout


async def test_a_tenant_is_given_a_plan(docuchat, stack):
    await log_in(docuchat, "--as-staff")
    assert "has the plan Pro." in (await docuchat("admin", "set-plan", ID, "pro")).stdout
    assert json.loads((await docuchat("admin", "set-plan", ID, "free", "--json")).stdout)["plan"]["plan_id"] == "free"
    assert [each.plan_id for each in stack.company.asked] == ["pro", "free"]


async def test_a_users_name_cannot_steer_the_terminal(docuchat):
    await log_in(docuchat, "--as-staff")
    result = await docuchat("admin", "find-user", "ann@example.org")
    assert "\\u001b[31m" in result.stdout
    assert "not verified" in result.stdout


async def test_nobody_is_erased_by_a_slip(docuchat, stack):
    await log_in(docuchat, "--as-staff")
    assert (await docuchat("admin", "erase-user", ID, input="n\n")).exit_code == 1
    assert stack.company.asked == []
    result = await docuchat("admin", "erase-user", ID, input="y\n")
    assert "/v1/erasures/" in result.stdout
    assert [each.user_id for each in stack.company.asked] == [ID]


async def test_events_and_the_next_key_are_shown(docuchat):
    await log_in(docuchat, "--as-staff")
    assert "role_after=ADMIN" in (await docuchat("admin", "audit")).stdout
    assert "next signs from 2026-01-01 00:00 UTC on." in (await docuchat("admin", "rotate-keys")).stdout
