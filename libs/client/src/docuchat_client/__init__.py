"""The Python SDK: `async with DocuChat.connect("http://127.0.0.1:8080") as client: ...`."""

from docuchat_client.client import DocuChat
from docuchat_client.documents import DocumentNotUsable, NotReadyInTime
from docuchat_client.errors import DocuChatError, GatewayUnreachable
from docuchat_client.session import Tokens

__all__ = ["DocuChat", "DocuChatError", "DocumentNotUsable", "GatewayUnreachable", "NotReadyInTime", "Tokens"]
