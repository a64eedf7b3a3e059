"""What users say about themselves."""

from collections.abc import Mapping
from dataclasses import dataclass

from auth.accounts.names import clean_name
from auth.errors.accounts import UserGone
from auth.model.accounts import User
from auth.model.tenants import Caller
from auth.ports.tenants import ProfileStore
from servicekit.errors import FieldViolation, InvalidField

CHANGEABLE = frozenset({"display_name", "username", "first_name", "last_name", "language"})
NAMES = frozenset({"display_name", "first_name", "last_name"})


@dataclass(frozen=True)
class Profiles:
    """Changes what the caller is called and reads."""

    store: ProfileStore

    async def update(self, caller: Caller, values: Mapping[str, str]) -> User:
        """Changes fields of the caller and returns the user. Raises InvalidField, UsernameTaken, UserGone."""
        user = await self.store.update(caller.user_id, clean_values(values))
        if user is None:
            raise UserGone
        return user


def clean_values(values: Mapping[str, str]) -> dict[str, str]:
    """Returns what to store. Raises InvalidField for a field that users do not change, and for no name at all."""
    wrong = [FieldViolation("update_mask", f"{name} cannot be changed here") for name in values.keys() - CHANGEABLE]
    clean = {name: clean_name(value) if name in NAMES else value for name, value in values.items()}
    if clean.get("display_name") == "":
        wrong.append(FieldViolation("user.display_name", "must have a character that can be seen"))
    if not values:
        wrong.append(FieldViolation("update_mask", f"must name at least one of {', '.join(sorted(CHANGEABLE))}"))
    if wrong:
        raise InvalidField(*wrong)
    return clean
