"""Lets `import gateway` find the package although pytest has named this folder `gateway` as well.

With --import-mode=importlib a test module is called after its path, here gateway.tests.test_x, and the folder wins.
"""

from pathlib import Path

import gateway

PACKAGE = str(Path(__file__).parent / "src" / "gateway")

if PACKAGE not in gateway.__path__:
    gateway.__path__.append(PACKAGE)
