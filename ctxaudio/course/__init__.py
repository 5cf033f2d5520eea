"""The notebook course: its runs, its report, and what a notebook calls to check, ask and show."""
