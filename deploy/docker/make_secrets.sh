#!/bin/sh
# Makes the passwords and the signing key that docker-compose.yml asks for; what exists is kept.
set -eu
umask 077
cd "$(dirname "$0")/../.."
mkdir -p deploy/docker/secrets
key=deploy/docker/secrets/signing_key.pem
[ -f "$key" ] || openssl genpkey -algorithm ed25519 -out "$key"
secret=deploy/docker/secrets/auth_secret
[ -f "$secret" ] || openssl rand -hex 32 >"$secret"
# The container's user reads them under another uid: whoever may look into the project's folder can read them here.
chmod 755 deploy/docker/secrets
chmod 644 "$key" "$secret"
touch .env
for name in POSTGRES_PASSWORD INGESTION_SERVICE_SECRET RETRIEVAL_SERVICE_SECRET CHAT_SERVICE_SECRET \
    AUTH_OWNER_PASSWORD INGESTION_OWNER_PASSWORD RETRIEVAL_OWNER_PASSWORD CHAT_OWNER_PASSWORD \
    AUTH_PASSWORD INGESTION_PASSWORD RETRIEVAL_PASSWORD CHAT_PASSWORD QDRANT_API_KEY; do
    grep -q "^$name=" .env || printf '%s=%s\n' "$name" "$(openssl rand -hex 24)" >>.env
done
