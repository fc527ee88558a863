# Short names for dev.py, which needs nothing but Python 3.11+.
.PHONY: demo test check bench
demo test check:
	python3 dev.py $@

bench:
	.venv/bin/python -m pip install --quiet --editable '.[bench]'
	.venv/bin/python -m bench.throughput
	.venv/bin/python -m bench.durability
	.venv/bin/python -m bench.million
