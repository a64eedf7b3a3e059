"""A session that has ended is over in every service and on every transport, not only where it ended."""

import time

from tests.accounts import sign_up

METHODS = {
    "docuchat.auth.v1.UserService.GetMe": {},
    "docuchat.ingestion.v1.DocumentService.ListDocuments": {},
    "docuchat.retrieval.v1.SearchService.Search": {"query": "x"},
    "docuchat.chat.v1.ConversationService.ListConversations": {},
}
SECONDS = 5


def test_within_five_seconds_of_log_out_the_access_token_is_refused(transport, stack):
    account = sign_up(stack)
    for method, request in METHODS.items():
        assert transport.call(method, request, account.token).code == "OK", method
    assert account.http.post("/v1/auth/logout", refresh_token=account.refresh_token).status == 200
    end = time.monotonic() + SECONDS
    for method, request in METHODS.items():
        while (outcome := transport.call(method, request, account.token)).code == "OK":
            assert time.monotonic() < end, method
            time.sleep(0.05)
        assert (outcome.code, outcome.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID"), method
