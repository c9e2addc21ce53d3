"""Programs compiled lightly: the same numbers, one program for each shape, no option that this jaxlib does not know."""

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.computing import compiling


def scaled(count, values):
    return count * jnp.sin(values) @ jnp.cos(values)


def test_it_computes_what_the_function_says():
    light = compiling.light(static_argnums=0)(scaled)
    values = np.linspace(0.0, 1.0, 5)
    np.testing.assert_allclose(light(3, values), 3 * np.sin(values) @ np.cos(values), rtol=1e-14)
    light(3, 2 * values)
    assert light._cache_size() == 1


def test_unknown_options_are_left_out():
    assert not compiling._known("xla_cpu_no_such_option", True)
    options = compiling.light_options()
    assert options is None or set(options) <= set(compiling.LIGHT)


def test_what_the_user_says_in_xla_flags_holds(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to= --xla_backend_optimization_level=2")
    options = compiling.light_options.__wrapped__()
    assert options is None or set(options) <= {"xla_cpu_use_fusion_emitters"}
    monkeypatch.delenv("XLA_FLAGS")
    options = compiling.light_options.__wrapped__()
    assert options is None or options["xla_backend_optimization_level"] == 1


def test_the_backend_decides(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compiling.light_options.__wrapped__() is None
