"""Where compiled programs are kept between runs."""

import os
from pathlib import Path

# When XLA loads a program that was kept, it calls it an error, in pages, that the program names tuning preferences which the
# machine does not list; nothing is wrong with such a program. The level is read once, when JAX is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax


def use_compilation_cache() -> Path:
    """Keep compiled programs in the user's cache folder, or where `JAX_COMPILATION_CACHE_DIR` says.

    Call it before `jax` is imported: XLA then does not print pages about machine features when it loads a program.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or Path(base) / "jaxrisk")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    return folder
