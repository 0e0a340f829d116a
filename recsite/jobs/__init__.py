"""Work in the background: jobs as rows, RQ as their carrier, the worker, the schedule, and the health of the parts.

Imports every package below; `web` and `cli` import it. Start with `dispatch.py` and `tasks.py`.
"""
