"""`python -m gateway.writer`: the writer process, started by the supervisor."""

from gateway.writer.process import main

raise SystemExit(main())
