"""What graphics cards do: this machine's by NVML, others' by the Prometheus exporters that run beside them."""
