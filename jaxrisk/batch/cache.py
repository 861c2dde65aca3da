"""Where compiled programs are kept between runs."""

import os
from pathlib import Path

import jax


def use_compilation_cache() -> Path:
    """Keep compiled programs in the user's cache folder, or where `JAX_COMPILATION_CACHE_DIR` says."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or Path(base) / "jaxrisk")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    return folder
