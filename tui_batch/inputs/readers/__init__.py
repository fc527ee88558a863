"""One module for each family of formats. Each has `read(source, config)`; `registry.py` names them all."""
