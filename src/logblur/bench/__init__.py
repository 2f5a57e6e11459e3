"""What each stage costs on this machine, held against yardsticks of the same bytes in the same run.

`stages` are the calls that are timed, `yardsticks` what the machine itself takes, `sample` what all of them work on,
`measure` the clock. Nothing leaves the machine, and nothing of a log is shown: figures only.
"""
