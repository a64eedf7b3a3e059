"""auth in this process, on a PostgreSQL of its own: for measurements that change its clock or watch its event loop."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.accounts.revocations import RevocationFeed
from auth.config import Settings
from auth.model.accounts import Lifetimes
from auth.security.keyring import write_private
from auth.server import CLOCK, Flows, add_servicers, build_flows, make_hasher, make_signer, make_verifier
from auth.servicers.clients import ReadClient
from auth.stores.sessions import PostgresSessionStore
from servicekit.database import Database
from servicekit.revocation import RevokedSessions
from servicekit.rpc.server import build_server
from servicekit.telemetry import configure_telemetry
from testkit.postgres import PostgresTemplates, run_postgres

CLIENT_HEADER = "x-from"


@dataclass
class AuthServer:
    """A server that listens, and what it is made of."""

    address: str
    flows: Flows
    database: Database
    admin_dsn: str
    mail_folder: Path


@asynccontextmanager
async def run_auth(*, with_mail: bool = True, **settings: Any) -> AsyncIterator[AuthServer]:
    """Serves auth as `python -m auth` does, with a folder for mail and a client address in a header of our own."""
    configure_telemetry("auth", "0", "ERROR")
    with (
        tempfile.TemporaryDirectory(prefix="measure-auth-") as folder,
        run_postgres(Path(tempfile.gettempdir()) / f"{Path(folder).name}-pg") as admin_dsn,
    ):
        async with PostgresTemplates(admin_dsn).clone("auth") as database:
            key = Path(folder) / "signing_key.pem"
            write_private(key, Ed25519PrivateKey.generate())
            chosen = Settings(
                database_url=database.url, signing_key_file=key, mail_folder=Path(folder) / "mail", **settings
            )
            async with _serve(chosen, database.database, with_mail=with_mail) as (address, flows):
                yield AuthServer(address, flows, database.database, database.admin_dsn, Path(folder) / "mail")


@asynccontextmanager
async def _serve(settings: Settings, database: Database, *, with_mail: bool) -> AsyncIterator[tuple[str, Flows]]:
    signer, hasher = make_signer(settings), make_hasher(settings)
    flows = build_flows(settings, database, hasher, signer)
    feed = RevocationFeed(PostgresSessionStore(database), CLOCK, Lifetimes().access_token)
    revoked = RevokedSessions(feed.watch, source="postgresql")
    work = [feed.follow, revoked.follow, *([flows.mail.follow] if with_mail else [])]
    working = [asyncio.create_task(each()) for each in work]
    server = build_server(name="auth", verifier=make_verifier(settings, signer, revoked))
    add_servicers(server.grpc, flows=flows, signer=signer, feed=feed, read_client=ReadClient(CLIENT_HEADER))
    try:
        yield await server.start("127.0.0.1:0"), flows
    finally:
        feed.close()
        await server.stop(5)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        hasher.close()


def with_clock(flows: Flows, clock: Any) -> Flows:
    """Returns the flows for codes with another clock."""
    codes = replace(flows.codes, clock=clock)
    return flows._replace(codes=codes, addresses=replace(flows.addresses, codes=codes, clock=clock))
