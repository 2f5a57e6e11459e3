"""Logs as blocks of whole lines: `find` says which logs, `open` what they hold, `blocks` where their lines end."""
