"""What runs in the inspected interpreter: `child.py` and one file per framework, the standard library and that alone.

A worker is a module whose import imports the framework. It has

    VERSION: str
    meet(task, modules, say) -> world   finds the other ranks; None where there are none
    run(task, modules, world, say)      all checks; raises what the framework raises
    cause(error) -> (str, bool)         of an exception: its name, and whether it is of the communication between ranks,
                                        so that another rank may be the one that failed

`task` is {"rank", "backend", "cases": [names], "size", "deadline_seconds"}, `modules` has `cases`,
`adapter`, `models` and `shares`, executed from source, and `say(record)` sends a record, see `child.py`.
"""
