"""An erasure through the whole stack: nothing is left in any service, and nothing of others is touched."""

import time

import pytest

from tests.accounts import PASSWORD, sign_up

TEXT = b"# Tide\n\nThe harbour master said that the tide turns at noon on Sunday."
ERASE_SECONDS = 30
# Every table that says whose its rows are.
OWNED = """
    SELECT string_agg(
        format('SELECT count(*) AS n FROM %I.%I WHERE tenant_id = ''{tenant_id}''', table_schema, table_name),
        ' UNION ALL '
    )
    FROM information_schema.columns
    WHERE column_name = 'tenant_id' AND table_schema IN ('ingestion', 'retrieval', 'chat', 'auth')
        AND table_name NOT IN ('turns', 'audit_events', 'erased_documents')
"""


def count_rows(stack, account):
    """Returns how many rows of a tenant there are in all services."""
    counts = stack.query(OWNED.replace("{tenant_id}", account.tenant_id))
    return int(stack.query(f"SELECT sum(n) FROM ({counts}) AS each"))


def find_files(stack, account):
    return [path for path in stack.stored_files() if account.tenant_id in str(path)]


@pytest.fixture
def person(stack):
    account = sign_up(stack)
    account.upload_ready(TEXT, "tide.md")
    account.ask("When does the tide turn?")
    return account


def test_whoever_erases_the_account_leaves_nothing_in_any_service(stack, person):
    other = sign_up(stack)
    other.upload_ready(TEXT, "tide.md")
    assert count_rows(stack, person) > 10
    assert find_files(stack, person)

    reply = person.http.post("/v1/me:erase", password=PASSWORD)
    assert reply.status == 200, reply.body
    receipt = wait_until_erased(stack, reply.json["erasure"]["erasure_id"])
    counts = {(row["service"], row["kind"]): int(row["count"]) for row in receipt["erased"]}
    assert {service for service, _ in counts} >= {"auth", "ingestion", "chat"}
    assert counts["ingestion", "documents"] == 1
    assert count_rows(stack, person) == 0
    assert find_files(stack, person) == []
    assert person.http.get("/v1/me").status == 401
    assert other.http.post("/v1/search", query="tide").json["hits"]


def wait_until_erased(stack, erasure_id):
    end = time.monotonic() + ERASE_SECONDS
    while time.monotonic() < end:
        receipt = stack.http.get(f"/v1/erasures/{erasure_id}").json["erasure"]
        if receipt["state"] != "ERASING":
            return receipt
        time.sleep(0.1)
    raise TimeoutError(receipt)
