"""gateway.yaml -> a frozen, validated `Config`; every problem with file:line:column (load.py)."""
