"""What `import capas` brings along: nothing that is slow and that not everybody needs."""

import subprocess
import sys

SLOW = ("scipy.special", "scipy.integrate", "orbax", "altair", "pandas", "sklearn", "typer")


def test_slow_packages_wait_until_they_are_needed():
    program = "import sys, jax; before = set(sys.modules); import capas; print(*(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "capas.signal.propagate" in found
    assert not set(SLOW) & set(found)
