#!/bin/sh
# Puts the next signing key beside the others. auth publishes it at once, and signs with it from the moment in its name.
set -eu
umask 077
cd "$(dirname "$0")/secrets"
next="signing_key.$(date -u -d '+330 seconds' +%Y%m%dT%H%M%SZ).pem"
openssl genpkey -algorithm ed25519 -out ".$next"
# The container's user reads it under another uid.
chmod 644 ".$next"
mv ".$next" "$next"
echo "$next"
