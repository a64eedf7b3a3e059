"""Who ingestion is to the services it calls on its own account."""

import grpc

from ingestion.config import Settings
from servicekit.rpc.client import ServiceIdentity


def build_identity(settings: Settings, auth: grpc.aio.Channel) -> ServiceIdentity:
    """Returns what proves to other services that ingestion itself calls. Raises ValueError without a secret."""
    if settings.service_secret is None:
        raise ValueError("DOCUCHAT_SERVICE_SECRET must hold the secret that auth knows for this service")
    return ServiceIdentity(auth, "ingestion", settings.service_secret.get_secret_value())
